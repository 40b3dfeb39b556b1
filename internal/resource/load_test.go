package resource_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// loadFiles parses files of testdata into one catalogue.
func loadFiles(t *testing.T, names ...string) *resource.Catalogue {
	t.Helper()
	layer := resource.Layer{Name: "test"}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		layer.Sites = append(layer.Sites, mustParse(t, name, string(b)))
	}
	return resource.NewCatalogue(layer)
}

func mustParse(t *testing.T, name, text string) *resource.Site {
	t.Helper()
	s, err := resource.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustResolve(t *testing.T, c *resource.Catalogue, label, schema string) *resource.Config {
	t.Helper()
	cfg, err := c.Resolve(label, schema)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestDialectOf2015(t *testing.T) {
	t.Parallel()
	c := loadFiles(t, "resource_isle.json")
	gull := mustResolve(t, c, "isle.gull", "")
	if gull.Schema != "ssh" || gull.JobManagerEndpoint != "torque+ssh://gull.example.org/?gres=ccm" ||
		gull.FilesystemEndpoint != "sftp://gull.example.org/" || gull.CoresPerNode != 24 || gull.ResourceManager != "TORQUE" {
		t.Errorf("%+v", gull)
	}
	if !reflect.DeepEqual(gull.Bootstrap(), []string{"module load tern", "export A=b"}) {
		t.Errorf("bootstrap is %q", gull.Bootstrap())
	}
	if string(gull.Carried["colour"]) != `{"of":["feathers","beak"]}` || string(gull.Carried["stage_cacerts"]) != "true" {
		t.Errorf("carried is %s", gull.Carried)
	}
	for schema, works := range map[string]bool{"ssh": true, "gsissh": false, "go": false} {
		err := mustResolve(t, c, "isle.gull", schema).Supported(nil)
		if works && err != nil || !works && pilot.CodeOf(err) != pilot.Unsupported {
			t.Errorf("under %s: %v", schema, err)
		}
	}
	tern := mustResolve(t, c, "isle.tern", "")
	if tern.Schema != "" || tern.System() != "sge" || tern.SPMDVariation != "mpi" || c.Schemas("isle.tern") != nil {
		t.Errorf("without schemas: %+v", tern)
	}
}

func TestDialectOf2025(t *testing.T) {
	t.Parallel()
	c := loadFiles(t, "resource_coast.json")
	auk := mustResolve(t, c, "coast.auk", "local")
	if auk.System() != "slurm" || auk.JobManagerHop != "fork://localhost/" || auk.MaxRuntime.String() != "48h" || auk.CoresPerNode != 64 {
		t.Errorf("%+v", auk)
	}
	if a := auk.Architecture; auk.UsableCores() != 126 || auk.UsableGPUs() != 4 || a.Options[0] != "nvme" || string(a.Carried["tape"]) != "true" {
		t.Errorf("nodes: %+v", a)
	}
	inside := mustResolve(t, c, "coast.auk", "")
	if inside.Schema != "interactive" || inside.System() != "fork" || inside.CoresPerNode != 8 || inside.JobManagerHop != "" {
		t.Errorf("under its default: %+v", inside)
	}
	if n := c.Notices("coast.auk", "batch"); len(n) != 1 || n[0] != "schema 'batch' of coast.auk is another name for 'interactive'" {
		t.Errorf("notices: %q", n)
	}
}

func TestYAMLSaysTheSame(t *testing.T) {
	t.Parallel()
	j, y := loadFiles(t, "resource_coast.json"), loadFiles(t, "coast.yaml")
	for _, schema := range []string{"", "local", "interactive"} {
		a, b := mustResolve(t, j, "coast.auk", schema), mustResolve(t, y, "coast.auk", schema)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("under %q:\n%+v\n%+v", schema, a, b)
		}
	}
}

// TestEveryKeyHasAHomeOrAReason holds the two tables of keys, the fields and
// the reasons, against each other.
func TestEveryKeyHasAHomeOrAReason(t *testing.T) {
	t.Parallel()
	var fields []string
	for f := range reflect.TypeFor[resource.Config]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, name)
	}
	for _, name := range fields {
		if name == "label" || name == "schema" || name == "carried" {
			continue
		}
		if reason := resource.UnusedReason(name); reason != "" {
			t.Errorf("%s has a field and a reason for having none: %s", name, reason)
		}
	}
	if resource.UnusedReason("virtenv") == "" || resource.UnusedReason("colour") == "" {
		t.Error("a key without a field has no reason")
	}
}

func TestLiberties(t *testing.T) {
	t.Parallel()
	const plain = `{"h": {"job_manager_endpoint": "fork://localhost/", "pre_bootstrap": ["a", "b"]}}`
	want := mustResolve(t, resource.NewCatalogue(resource.Layer{Sites: []*resource.Site{mustParse(t, "s.json", plain)}}), "s.h", "")
	for what, text := range map[string]string{
		"byte order mark":   "\ufeff" + plain,
		"carriage returns":  strings.ReplaceAll("# x\n{\n\"h\": {\n # \"} ,\n\"job_manager_endpoint\": \"fork://localhost/\", \"pre_bootstrap\": [\"a\", \"b\"]}}\n", "\n", "\r\n"),
		"commas at the end": `{"h": {"job_manager_endpoint": "fork://localhost/", "pre_bootstrap": ["a", "b" , ], },` + "\n# end\n}",
		"twice":             `{"h": {"job_manager_endpoint": "x", "job_manager_endpoint": "fork://localhost/", "pre_bootstrap": ["a", "b"]}}`,
		"label":             `{"h": {"label": "other.name", "job_manager_endpoint": "fork://localhost/", "pre_bootstrap": ["a", "b"]}}`,
	} {
		s := mustParse(t, "s.json", text)
		got := mustResolve(t, resource.NewCatalogue(resource.Layer{Sites: []*resource.Site{s}}), "s.h", "")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", what, got)
		}
		if (len(s.Notices) > 0) != (what == "twice") {
			t.Errorf("%s: notices are %q", what, s.Notices)
		}
	}
}

func TestSiteIsNamedByItsFile(t *testing.T) {
	t.Parallel()
	for file, label := range map[string]string{
		"resource_ornl.json": "ornl.h", "ornl.json": "ornl.h", "/etc/x.d/ornl.yaml": "ornl.h", `C:\conf\resource_ornl.yml`: "ornl.h", "ornl": "ornl.h",
	} {
		if got := mustParse(t, file, `{"h": {}}`).Labels(); len(got) != 1 || got[0] != label {
			t.Errorf("%s speaks of %q", file, got)
		}
	}
	for _, file := range []string{".json", "resource_.json", "a.b.json", "a b.json", "é.json"} {
		if _, err := resource.Parse(file, []byte(`{"h": {}}`)); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%q is a site: %v", file, err)
		}
	}
}

// TestFaultsSayWhere shows every fault of a file at once, with line and key.
func TestFaultsSayWhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ file, text, says string }{
		{"s.json", "{\n # c\n\"h\": {\n\"cores_per_node\": {},\n\"valid_roots\": \"/x\"}}", `s.json:4: h.cores_per_node: must be a whole number from 0 to 16777216, not an object
s.json:5: h.valid_roots: must be a list of strings, not the string "/x"`},
		{"s.json", "{\"h\": {\"schemas\": [\"ssh\"],\n\"lrms\": 7,\n\"ssh\": {\n\"job_manager_endpoint\": \"nowhere\"}}}", `s.json:2: h.resource_manager: must be a string of one line, not the number 7
s.json:4: h.schemas.ssh.job_manager_endpoint: endpoint 'nowhere' is not of the form <system>[+<transport>]://<host>[:<port>]/[?<options>]`},
		{"s.json", "{\"h\":\n {\"system_architecture\": {\n\"smt\": \"two\"}}}", `s.json:3: h.system_architecture.smt: must be a whole number from 0 to 16777216, not the string "two"`},
		{"s.json", "{\n\n\"a b\": {}, \"c\": 1}", `s.json:3: a b: the key of a resource must be 1 to 64 characters of A-Z a-z 0-9 _ -
s.json:3: c: must be an object that describes a resource, not the number 1`},
		{"s.json", "{\"h\": {\n\"pre_bootstrap\": [\"a\\u0000b\"]}}", "s.json:2: h.pre_bootstrap: holds a NUL byte"},
		{"s.json", "{\"h\": {\n\"schemas\": 1}}", "s.json:2: h.schemas: must be a list of names or an object of schemas, not the number 1"},
		{"s.json", "{\"h\": {\n\"schemas\": [1, \"notes\"]}}", "s.json:2: h.schemas: must be a list of names, and the number 1 is none\ns.json:2: h.schemas: lists notes, which cannot be the name of a schema"},
		{"s.json", "{\"h\": {\n\"max_runtime\": \"1:30\"}}", `s.json:2: h.max_runtime: must be a runtime: minutes (90), 1h30m or 01:30:00, not the string "1:30"`},
		{"s.json", "{\"h\": {\n\"default_queue\": \"a\\nb\"}}", `s.json:2: h.default_queue: must be a string of one line, not the string "a\nb"`},
		{"s.json", "{\"h\": {\n\"x\": 1\n\"y\": 2}}", "s.json:3: invalid character '\"' after object key:value pair"},
		{"s.json", "{\"h\": {\n\"x\": 1\n", "s.json:2: ends too early: a bracket or quote is not closed"},
		{"s.json", "{}\n{}", "s.json:2: something follows the end of the value"},
		{"s.json", "{\"h\": {\n\"notes\": \"\xff\"}}", "s.json:2: is not UTF-8"},
		{"s.json", "[]", "s.json: must be an object of resources, not a list"},
		{"s.json", "", "s.json:1: ends too early: a bracket or quote is not closed"},
		{"s.json", strings.Repeat("[", 100), "s.json:1: is nested more than 16 deep"},
		{"aliases.json", "{\"aliases\": {\n\"old\": \"new\"}}", `aliases.json:2: aliases.old: must be a label, <site>.<host>, not the string "new"`},
		{"s.yaml", "h:\n  cores_per_node: many\n", `s.yaml: h.cores_per_node: must be a whole number from 0 to 16777216, not the string "many"`},
		{"s.yaml", "h: {}\n---\ni: {}\n", "s.yaml: holds several documents: one is allowed"},
		{"s.yaml", "h: {}\nh: {}\n", `s.yaml: yaml: unmarshal errors: line 2: key "h" already set in map`},
		{"s.yaml", "h:\n\t- x\n", "s.yaml: yaml: line 2: found character that cannot start any token"},
	} {
		_, err := resource.Parse(tt.file, []byte(tt.text))
		if pilot.CodeOf(err) != pilot.Invalid || err.Error() != tt.says {
			t.Errorf("%q says\n%v\nwant\n%s", tt.text, err, tt.says)
		}
		if _, ok := errors.AsType[*resource.FileError](err); !ok {
			t.Errorf("%q: the faults are lost: %T", tt.text, err)
		}
	}
}

func TestLargeFilesAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := resource.Parse("s.json", make([]byte, resource.MaxFile+1)); pilot.CodeOf(err) != pilot.Invalid {
		t.Error(err)
	}
	many := `{"h": {` + strings.Repeat(`"pre_bootstrap": 1,`, 9) + `"x": 1}}`
	if _, err := resource.Parse("s.json", []byte(many)); pilot.CodeOf(err) != pilot.Invalid {
		t.Error(err)
	}
	var wrong strings.Builder
	for range 100 {
		wrong.WriteString(`"` + strings.Repeat("x", wrong.Len()%60) + `.y": 1,`)
	}
	_, err := resource.Parse("s.json", []byte("{"+wrong.String()+"}"))
	if faults, ok := errors.AsType[*resource.FileError](err); !ok || len(faults.Diagnostics) > 51 {
		t.Errorf("says %v", err)
	}
}

func TestAliases(t *testing.T) {
	t.Parallel()
	c := resource.NewCatalogue(resource.Layer{Sites: []*resource.Site{
		mustParse(t, "aliases.json", `{"aliases": {"gull.example.org": "isle.gull", "lost": "isle.lost"}}`),
		mustParse(t, "isle.json", `{"gull": {"job_manager_endpoint": "fork://localhost/"}}`),
	}})
	if cfg := mustResolve(t, c, "gull.example.org", ""); cfg.Label != "isle.gull" {
		t.Errorf("%+v", cfg)
	}
	if n := c.Notices("gull.example.org", ""); len(n) != 1 || n[0] != "resource 'gull.example.org' is deprecated, use 'isle.gull'" {
		t.Errorf("notices: %q", n)
	}
	if n := c.Notices("isle.gull", ""); n != nil {
		t.Errorf("notices: %q", n)
	}
	if _, err := c.Resolve("lost", ""); pilot.CodeOf(err) != pilot.NotFound || err.Error() != "Resource key 'isle.lost' is not known; known are isle.gull" {
		t.Error(err)
	}
}

func TestAliasesOfAliases(t *testing.T) {
	t.Parallel()
	c := resource.NewCatalogue(resource.Layer{Sites: []*resource.Site{mustParse(t, "isle.json", `{
		"aliases": {"gull.example.org": "isle.gull", "isle.gull": "isle.gull_ssh", "a": "isle.b", "isle.b": "isle.b"},
		"gull_ssh": {"job_manager_endpoint": "ssh://gull/"}}`)}})
	for _, name := range []string{"gull.example.org", "isle.gull", "isle.gull_ssh"} {
		if cfg := mustResolve(t, c, name, ""); cfg.Label != "isle.gull_ssh" {
			t.Errorf("%s: %+v", name, cfg)
		}
	}
	if _, err := c.Resolve("a", ""); pilot.CodeOf(err) != pilot.NotFound {
		t.Errorf("an alias of itself: %v", err)
	}
}

func TestParseResource(t *testing.T) {
	t.Parallel()
	s, err := resource.ParseResource("put", "isle.gull", []byte(`{"schemas": ["ssh"], "ssh": {"job_manager_endpoint": "ssh://gull/"}}`))
	if err != nil {
		t.Fatal(err)
	}
	c := resource.NewCatalogue(resource.Layer{Sites: []*resource.Site{s}})
	if cfg := mustResolve(t, c, "isle.gull", ""); cfg.System() != "ssh" || cfg.Schema != "ssh" {
		t.Errorf("%+v", cfg)
	}
	for _, label := range []string{"", "gull", "isle.", "a.b.c", "a b.c", "isle.gu*"} {
		if _, err := resource.ParseResource("put", label, []byte(`{}`)); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%q is a label: %v", label, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"resource_isle.json", "resource_coast.json", "coast.yaml"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, strings.HasSuffix(name, "yaml"))
	}
	f.Add([]byte("{\"h\": {\"schemas\": {\"a\": \"b\", \"b\": \"a\"}, \"ssh\": null}}"), false)
	f.Add([]byte("{\"a.b.c\": {\"URL\": \"fork://\", \"remote_job_manager_endpoint\": \"sge://h\"}, # x\n\"s.i\": {\"cores_per_node\": \"\"}}"), false)
	f.Fuzz(func(t *testing.T, b []byte, yaml bool) {
		name := "s.json"
		if yaml {
			name = "s.yaml"
		}
		s, err := resource.Parse(name, b)
		if err != nil {
			if pilot.CodeOf(err) != pilot.Invalid || err.Error() == "" || strings.ContainsRune(err.Error(), 0) {
				t.Fatalf("%q", err)
			}
			return
		}
		c := resource.NewCatalogue(resource.Layer{Name: "a", Sites: []*resource.Site{s}}, resource.Layer{Name: "b", Sites: []*resource.Site{s}})
		for _, label := range c.Labels() {
			if _, err := c.Origin(label); err != nil {
				t.Fatal(err)
			}
			for _, schema := range append(c.Schemas(label), "") {
				cfg, err := c.Resolve(label, schema)
				if pilot.CodeOf(err) == pilot.Internal {
					t.Fatal(err)
				}
				if err != nil {
					continue
				}
				canonical, digest := cfg.Canonical()
				again, err := resource.ParseCanonical(canonical)
				if err != nil {
					t.Fatal(err)
				}
				if _, sum := again.Canonical(); sum != digest {
					t.Fatalf("%s reads back as %+v", canonical, again)
				}
				cfg.Check(nil, 0, &pilot.Description{Resource: label, Cores: 1, Runtime: 1, Project: "p", Sandbox: "/x"})
			}
		}
	})
}

// TestRefusalsNameTheirFault: a resource and an access schema of it that are both wrong
// are refused each with the fault that is about it.
func TestRefusalsNameTheirFault(t *testing.T) {
	t.Parallel()
	const text = `{"h": {"cores_per_node": "many", "default_schema": "bad", "schemas": {
		"bad": {"job_manager_endpoint": "nowhere"}, "worse": {"job_manager_endpoint": 7}}}}`
	site, faults := resource.ParseSound("s.json", []byte(text))
	if len(faults) != 3 {
		t.Fatalf("faults are %v, want 3", faults)
	}
	_, err := resource.NewCatalogue(resource.Layer{Sites: []*resource.Site{site}}).Resolve("s.h", "")
	if err == nil || !strings.Contains(err.Error(), "h.cores_per_node") || strings.Contains(err.Error(), "more") {
		t.Errorf("the resource is refused with %v; want the fault of cores_per_node alone", err)
	}
}
