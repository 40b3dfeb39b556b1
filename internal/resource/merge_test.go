package resource_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/internal/resource"
)

// drawObject draws an object in which a name always has the same kind of value, as
// in files, where it is checked.
func drawObject(t *rapid.T, what string, depth int) map[string]any {
	o := map[string]any{}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "l", "x", "y"}), 0, 5, rapid.ID[string]).Draw(t, what) {
		switch {
		case name == "l":
			o[name] = rapid.SliceOfN(rapid.SampledFrom([]any{"1", "2", "3"}), 0, 3).Draw(t, what)
		case name < "l":
			o[name] = rapid.StringMatching(`[a-z]{0,3}`).Draw(t, what)
		case depth > 0:
			o[name] = drawObject(t, what+name, depth-1)
		}
	}
	return o
}

// drawLayer makes an override of s.h; the tree stands below a key nobody knows.
func drawLayer(t *rapid.T, name string, of map[string]any) resource.Layer {
	b, err := json.Marshal(map[string]any{"h": map[string]any{"job_manager_endpoint": "fork://localhost/", "z": of}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := resource.Parse("s.json", b)
	if err != nil {
		t.Fatal(err)
	}
	return resource.Layer{Name: name, Sites: []*resource.Site{s}}
}

// resolvedObject gives what the catalogue made of the tree.
func resolvedObject(t *rapid.T, layers ...resource.Layer) map[string]any {
	cfg, err := resource.NewCatalogue(layers...).Resolve("s.h", "")
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(cfg.Carried["z"], &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLayersAssociate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawLayer(t, "a", drawObject(t, "a", 3)), drawLayer(t, "b", drawObject(t, "b", 3)), drawLayer(t, "c", drawObject(t, "c", 3))
		want := resolvedObject(t, a, b, c)
		if got := resolvedObject(t, a, drawLayer(t, "bc", resolvedObject(t, b, c))); !reflect.DeepEqual(got, want) {
			t.Fatalf("a(bc) is %v, abc %v", got, want)
		}
		if got := resolvedObject(t, drawLayer(t, "ab", resolvedObject(t, a, b)), c); !reflect.DeepEqual(got, want) {
			t.Fatalf("(ab)c is %v, abc %v", got, want)
		}
		if got := resolvedObject(t, a, b, c, c); !reflect.DeepEqual(got, want) {
			t.Fatalf("abcc is %v, abc %v", got, want)
		}
	})
}

// leafPaths gives each value that is not an object with more in it, by path.
func leafPaths(out map[string]string, path string, v any) map[string]string {
	if o, ok := v.(map[string]any); ok && len(o) > 0 {
		for name, inner := range o {
			leafPaths(out, path+"."+name, inner)
		}
		return out
	}
	out[path] = fmt.Sprint(v)
	return out
}

// TestOverrideWinsAndOthersStay says for every value where it must come from,
// and that Origin says the same.
func TestOverrideWinsAndOthersStay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		under, over := drawObject(t, "under", 3), drawObject(t, "over", 3)
		a, b := drawLayer(t, "a", under), drawLayer(t, "b", over)
		origin, err := resource.NewCatalogue(a, b).Origin("s.h")
		if err != nil {
			t.Fatal(err)
		}
		old, said := leafPaths(map[string]string{}, "z", under), leafPaths(map[string]string{}, "z", over)
		for path, v := range leafPaths(map[string]string{}, "z", resolvedObject(t, a, b)) {
			above, from := said[path], "b"
			if _, ok := said[path]; !ok {
				above, from = old[path], "a"
			}
			if v != above {
				t.Fatalf("%s is %s, want %s of %s", path, v, above, from)
			}
			if origin[path] != from {
				t.Fatalf("%s is of %q, want %q", path, origin[path], from)
			}
		}
	})
}

func TestPartialOverrideKeepsTheRest(t *testing.T) {
	t.Parallel()
	isle := loadFiles(t, "resource_isle.json")
	before := mustResolve(t, isle, "isle.gull", "ssh")
	for what, text := range map[string]string{
		"2015": `{"gull": {"ssh": {"job_manager_endpoint": "slurm+ssh://new.example.org/"}, "default_queue": null, "lrms": "SLURM"}}`,
		"2025": `{"gull": {"schemas": {"ssh": {"job_manager_endpoint": "slurm+ssh://new.example.org/"}}, "default_queue": null, "resource_manager": "SLURM"}}`,
	} {
		c := isle.WithLayer(resource.Layer{Name: "user", Sites: []*resource.Site{mustParse(t, "isle.json", text)}})
		want := *before
		want.JobManagerEndpoint, want.DefaultQueue, want.ResourceManager = "slurm+ssh://new.example.org/", "", "SLURM"
		if got := mustResolve(t, c, "isle.gull", ""); !reflect.DeepEqual(got, &want) {
			t.Errorf("%s: %+v\nwant %+v", what, got, want)
		}
		origin, err := c.Origin("isle.gull")
		if err != nil {
			t.Fatal(err)
		}
		user := slices.DeleteFunc(slices.Sorted(maps.Keys(origin)), func(path string) bool { return origin[path] != "user" })
		if !slices.Equal(user, []string{"default_queue", "resource_manager", "schemas.ssh.job_manager_endpoint"}) ||
			origin["schemas.ssh.filesystem_endpoint"] != "test" || origin["default_schema"] != "test" {
			t.Errorf("%s: %v", what, origin)
		}
	}
	if again := mustResolve(t, isle, "isle.gull", "ssh"); !reflect.DeepEqual(again, before) {
		t.Errorf("the catalogue below changed: %+v", again)
	}
}

// TestDefaultSchemaIsOverridden covers both ways to say it, across dialects.
func TestDefaultSchemaIsOverridden(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ below, text, label, want string }{
		{"resource_isle.json", `{"gull": {"schemas": ["go", "ssh"]}}`, "isle.gull", "go"},
		{"resource_isle.json", `{"gull": {"default_schema": "gsissh"}}`, "isle.gull", "gsissh"},
		{"resource_coast.json", `{"auk": {"schemas": ["local"]}}`, "coast.auk", "local"},
		{"resource_coast.json", `{"auk": {"schemas": {"batch": "local"}}}`, "coast.auk", "local"},
	} {
		site := tt.label[:len(tt.label)-len(".gull")]
		if tt.label == "coast.auk" {
			site = "coast"
		}
		c := loadFiles(t, tt.below).WithLayer(resource.Layer{Name: "user", Sites: []*resource.Site{mustParse(t, site+".json", tt.text)}})
		if got := mustResolve(t, c, tt.label, ""); got.Schema != tt.want || got.JobManagerEndpoint == "" {
			t.Errorf("%s over %s: %+v", tt.text, tt.below, got)
		}
	}
}

func TestSchemasThatLeadNowhere(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`{"h": {"default_schema": "a", "schemas": {"a": "b", "b": "a"}}}`: "schema a of resource s.h is a name for itself",
		`{"h": {"default_schema": "a", "schemas": {"a": "b"}}}`:           "schema b unknown for resource s.h; known are a",
		`{"h": {"schemas": {"a": {}, "b": {}}}}`:                          "resource s.h has no default_schema; known are a, b",
		`{"h": {"schemas": ["a"]}}`:                                       "resource s.h has no job_manager_endpoint under schema a",
		`{"h": {}}`:                                                       "resource s.h has no job_manager_endpoint",
		`{"h": {"default_schema": "b", "schemas": {"a": {}, "b": null}}}`: "schema b unknown for resource s.h; known are a",
	} {
		c := resource.NewCatalogue(resource.Layer{Sites: []*resource.Site{mustParse(t, "s.json", text)}})
		if _, err := c.Resolve("s.h", ""); err == nil || err.Error() != says {
			t.Errorf("%s says %v\nwant %s", text, err, says)
		}
	}
}
