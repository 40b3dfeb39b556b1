package resource_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// TestEmbeddedCatalogue is what `make catalogue` runs: everything this build
// carries can be used, in every way it offers, and says what it is.
func TestEmbeddedCatalogue(t *testing.T) {
	t.Parallel()
	layer, err := resource.EmbeddedLayer()
	if err != nil {
		t.Fatal(err)
	}
	c := resource.NewCatalogue(layer)
	for _, s := range layer.Sites {
		for _, notice := range s.Notices {
			t.Error(notice)
		}
	}
	systems := map[string]int{}
	for _, label := range c.Labels() {
		if len(c.Schemas(label)) == 0 {
			t.Errorf("%s has no schema", label)
		}
		for _, schema := range c.Schemas(label) {
			cfg, err := c.Resolve(label, schema)
			if err != nil {
				t.Error(err)
				continue
			}
			checkUsable(t, cfg)
			systems[cfg.System()]++
		}
	}
	t.Logf("%d files, %d resources, %v", len(layer.Sites), len(c.Labels()), systems)
	for _, label := range []string{"local.localhost", "generic.slurm", "generic.pbspro", "generic.torque", "generic.lsf", "generic.sge", "generic.cobalt"} {
		if _, err := c.Resolve(label, ""); err != nil {
			t.Error(err)
		}
	}
}

// checkUsable submits the smallest pilot a resource takes.
func checkUsable(t *testing.T, cfg *resource.Config) {
	t.Helper()
	at := cfg.Label + " under " + cfg.Schema
	if cfg.Description == "" || len(cfg.Carried) > 0 || len(cfg.Architecture.Carried) > 0 {
		t.Errorf("%s: %+v", at, cfg)
	}
	if cfg.CoresPerNode > 0 && !strings.Contains(cfg.Description, "https://") {
		t.Errorf("%s: does not say where its facts are from", at)
	}
	d := pilot.Description{Resource: cfg.Label, AccessSchema: cfg.Schema, Cores: 1, Runtime: pilot.Runtime(time.Minute), Project: "abc"}
	got, _, faults := cfg.Check(nil, 0, &d)
	if faults != nil || got.Validate(0) != nil {
		t.Errorf("%s: %v, %v", at, faults, got.Validate(0))
	}
	if cfg.CoresPerNode > 0 && got.Cores != cfg.UsableCores() {
		t.Errorf("%s: one core became %d", at, got.Cores)
	}
}
