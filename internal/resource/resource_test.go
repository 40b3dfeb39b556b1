package resource_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

func mustBuiltin(t *testing.T) *resource.Catalogue {
	t.Helper()
	c, err := resource.BuiltinCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBuiltinResolvesAllItNames(t *testing.T) {
	t.Parallel()
	c := mustBuiltin(t)
	if len(c.Labels()) == 0 {
		t.Fatal("the catalogue is empty")
	}
	for _, label := range c.Labels() {
		cfg, err := c.Resolve(label, "")
		if err != nil {
			t.Errorf("%s: %v", label, err)
			continue
		}
		site, host, _ := strings.Cut(label, ".")
		if cfg.Label != label || cfg.System() == "" || !pilot.ValidToken(site) || !pilot.ValidToken(host) {
			t.Errorf("%s is %+v", label, cfg)
		}
	}
}

func TestLocalhostIsThisMachine(t *testing.T) {
	t.Parallel()
	c := mustBuiltin(t)
	cfg, err := c.Resolve("local.localhost", "local")
	if err != nil || cfg.System() != "fork" || cfg.JobManagerEndpoint != "fork://localhost/" || cfg.Schema != "local" {
		t.Errorf("%+v, %v", cfg, err)
	}
	alias, err := c.Resolve("localhost", "")
	if err != nil || !reflect.DeepEqual(alias, cfg) {
		t.Errorf("by its alias: %+v, %v", alias, err)
	}
	alias.Label = "changed"
	if again, _ := c.Resolve("localhost", ""); again.Label != "local.localhost" {
		t.Error("who resolves a resource can change it for all")
	}
}

func TestUnknownNamesAreAnsweredWithTheKnown(t *testing.T) {
	t.Parallel()
	c := loadFiles(t, "resource_isle.json", "resource_coast.json")
	for _, tt := range []struct{ label, schema, says string }{
		{"xsede.nowhere", "", "Resource key 'xsede.nowhere' is not known; known are coast.auk, isle.gull, isle.tern"},
		{"isle.nowhere", "", "Resource key 'isle.nowhere' is not known; known are isle.gull, isle.tern, coast.auk"},
		{"", "", "Resource key '' is not known; known are coast.auk, isle.gull, isle.tern"},
		{"isle.gull", "local", "schema local unknown for resource isle.gull; known are go, gsissh, ssh"},
		{"isle.tern", "ssh", "schema ssh unknown for resource isle.tern, which has none"},
	} {
		_, err := c.Resolve(tt.label, tt.schema)
		if pilot.CodeOf(err) != pilot.NotFound || err.Error() != tt.says {
			t.Errorf("Resolve(%q, %q) says %v", tt.label, tt.schema, err)
		}
	}
	if _, err := mustBuiltin(t).Resolve(strings.Repeat("x", 1<<20), ""); len(err.Error()) > 1000 {
		t.Errorf("a megabyte is answered with %d bytes", len(err.Error()))
	}
}

// TestCanonicalIsStable guards what stands in births: another digest for the
// same configuration would make launchers see a difference where none is.
func TestCanonicalIsStable(t *testing.T) {
	t.Parallel()
	cfg, err := mustBuiltin(t).Resolve("localhost", "")
	if err != nil {
		t.Fatal(err)
	}
	b, digest := cfg.Canonical()
	again, err := resource.ParseCanonical(b)
	if err != nil || !reflect.DeepEqual(again, cfg) {
		t.Errorf("reads back as %+v, %v", again, err)
	}
	const want = `{"label":"local.localhost","description":"This machine: pilots are processes of the launcher's user.",` +
		`"schema":"local","job_manager_endpoint":"fork://localhost/","filesystem_endpoint":"file://localhost/"}`
	if string(b) != want || digest != "260f1c711a0873b0316e84cac17130a054a4ab2f3a1659305679c0497b5ebe88" {
		t.Errorf("%s\nhas digest %s", b, digest)
	}
	if same, sum := again.Canonical(); string(same) != want || sum != digest {
		t.Errorf("written again: %s, %s", same, sum)
	}
	again.DefaultQueue = "debug"
	if _, sum := again.Canonical(); sum == digest {
		t.Error("another configuration has the same digest")
	}
}

func TestParseCanonical(t *testing.T) {
	t.Parallel()
	later, err := resource.ParseCanonical([]byte(`{"label":"a.b","schema":"ssh","job_manager_endpoint":"slurm+ssh://host/","colour":"red"}`))
	if err != nil || later.System() != "slurm" {
		t.Errorf("that of a later version is %+v, %v", later, err)
	}
	for _, in := range []string{``, `[]`, `{"label":7}`} {
		if _, err := resource.ParseCanonical([]byte(in)); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestSystem(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"fork://localhost": "fork", "slurm+ssh://login.example.org/": "slurm", "pbs://host?queue=x": "pbs",
		"": "", "://": "", "localhost": "",
	} {
		if got := (&resource.Config{JobManagerEndpoint: endpoint}).System(); got != want {
			t.Errorf("%q is of system %q, want %q", endpoint, got, want)
		}
	}
}

func FuzzParseCanonical(f *testing.F) {
	f.Add([]byte(`{"label":"a.b","schema":"ssh","job_manager_endpoint":"slurm+ssh://host/"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg, err := resource.ParseCanonical(b)
		if err != nil {
			return
		}
		_ = cfg.System()
		canonical, digest := cfg.Canonical()
		again, err := resource.ParseCanonical(canonical)
		if err != nil || !json.Valid(canonical) {
			t.Fatalf("%s: %v", canonical, err)
		}
		if _, sum := again.Canonical(); sum != digest {
			t.Fatalf("%s reads back as %+v", canonical, again)
		}
	})
}
