package app_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// writeHome makes a user's directory with these files in it.
func writeHome(t *testing.T, files map[string]string) (dirs func(radical bool) []app.ResourceDir) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	getenv := func(name string) string { return map[string]string{"HOME": dir}[name] }
	return func(radical bool) []app.ResourceDir { return app.ResourceDirs(getenv, radical)[1:] } // not the machine's own
}

func TestLayersLieOverOneAnother(t *testing.T) {
	t.Parallel()
	dirs := writeHome(t, map[string]string{
		".config/flightlog/resources.d/local.json":    `{"localhost": {"cores_per_node": 3}}`,
		".config/flightlog/resources.d/site.yaml":     "blue: {job_manager_endpoint: 'slurm://blue/'}\n",
		".config/flightlog/resources.d/.site.json":    "an editor's",
		".config/flightlog/resources.d/notes.txt":     "nothing of ours",
		".radical/pilot/configs/resource_local.json":  `{"localhost": {"cores_per_node": 2, "gpus_per_node": 5}}`,
		".radical/pilot/configs/agent_default.json":   `{"scheduler": "CONTINUOUS"}`,
		".radical/pilot/configs/resource_site.json":   `{"blue": {"cores_per_node": 8}}`,
		".radical/pilot/configs/resource_other.json":  `{"red": {"job_manager_endpoint": "fork://localhost/"}}`,
		".radical/pilot/configs/old.json":             `{"green": {"job_manager_endpoint": "fork://localhost/"}}`,
		".radical/pilot/configs/resource_other.json~": `broken`,
	})
	for radical, want := range map[bool][2]int64{false: {3, 0}, true: {3, 5}} {
		all, notices, err := app.ReadResources(dirs(radical))
		if err != nil {
			t.Fatal(err)
		}
		if len(notices.Notices)+len(notices.Faults) != 0 {
			t.Errorf("findings %q", notices)
		}
		cfg, err := all.Resolve("local.localhost", "")
		if err != nil || cfg.CoresPerNode != want[0] || cfg.GPUsPerNode != want[1] || cfg.JobManagerEndpoint == "" {
			t.Errorf("radical %t: %+v, %v", radical, cfg, err)
		}
		origin, err := all.Origin("local.localhost")
		if err != nil || !strings.HasSuffix(origin["cores_per_node"], ".config/flightlog/resources.d") || origin["description"] != "embedded" {
			t.Errorf("origins %v, %v", origin, err)
		}
		for _, label := range []string{"other.red", "old.green"} {
			if _, err := all.Resolve(label, ""); (err == nil) != radical {
				t.Errorf("radical %t: %v", radical, err)
			}
		}
	}
}

func TestEveryFaultOfEveryFileIsNamed(t *testing.T) {
	t.Parallel()
	dirs := writeHome(t, map[string]string{
		".config/flightlog/resources.d/a.json": "{\"x\": {\n  \"cores_per_node\": []}}",
		".config/flightlog/resources.d/b.json": "{",
		".config/flightlog/resources.d/c.yml":  "x: {valid_roots: 7}",
	})
	_, found, err := app.ReadResources(dirs(false))
	wrong := (&resource.FileError{Diagnostics: found.Faults}).Error()
	if err != nil || len(found.Faults) != 3 {
		t.Fatalf("got %q, %v", wrong, err)
	}
	for _, want := range []string{"a.json:2: x.cores_per_node: must be", "b.json:1: ends too early", "c.yml: x.valid_roots: must be"} {
		if !strings.Contains(wrong, want) {
			t.Errorf("no %q in %v", want, wrong)
		}
	}
	dirs = writeHome(t, map[string]string{".config/flightlog/resources.d/a.json": `{"x": {"cores_per_node": 4}}`})
	_, found, err = app.ReadResources(dirs(false))
	if err != nil || len(found.Notices) != 1 || !strings.Contains(found.Notices[0], "a.x has no job_manager_endpoint") {
		t.Errorf("without an endpoint: %q, %v", found.Notices, err)
	}
}

func TestWhatIsWrongMakesNothingElseUnusable(t *testing.T) {
	t.Parallel()
	const good = `{"job_manager_endpoint": "slurm://h/"}`
	for name, c := range map[string]struct {
		file, text      string
		usable, refused [][2]string // label and schema
		says            string
	}{
		"a schema": {
			"s.json", `{"h": {"default_schema": "good", "schemas": {"good": ` + good + `, "bad": {"job_manager_endpoint": "nowhere"}}}}`,
			[][2]string{{"s.h", ""}, {"s.h", "good"}},
			[][2]string{{"s.h", "bad"}},
			"h.schemas.bad.job_manager_endpoint: endpoint 'nowhere'",
		},
		"the default schema of 2015": {
			"s.json", `{"h": {"schemas": ["bad", "good"], "good": ` + good + `, "bad": {"job_manager_endpoint": "slurm://h:x/"}}}`,
			[][2]string{{"s.h", "good"}},
			[][2]string{{"s.h", ""}, {"s.h", "bad"}},
			"has a port that is not one of",
		},
		"a schema that is none": {
			"s.json", `{"h": {"default_schema": "good", "schemas": {"good": ` + good + `, "bad": 7}}}`,
			[][2]string{{"s.h", ""}},
			[][2]string{{"s.h", "bad"}},
			"must be an object of endpoints",
		},
		"a resource": {
			"s.yaml", "h: {cores_per_node: many, job_manager_endpoint: 'slurm://h/'}\ni: {job_manager_endpoint: 'slurm://i/'}\n",
			[][2]string{{"s.i", ""}},
			[][2]string{{"s.h", ""}},
			"h.cores_per_node: must be",
		},
		"a resource that is none": {"s.json", `{"h": [], "i": ` + good + `}`, [][2]string{{"s.i", ""}}, [][2]string{{"s.h", ""}}, "must be an object that describes"},
		"a label that is none":    {"s.json", `{"h h": ` + good + `, "i": ` + good + `}`, [][2]string{{"s.i", ""}}, nil, "the key of a resource"},
		"an alias":                {"s.json", `{"aliases": {"a": "nowhere", "b": "s.i"}, "i": ` + good + `}`, [][2]string{{"s.i", ""}, {"b", ""}}, nil, "must be a label"},
		"a file":                  {"local.json", `{"localhost": {`, [][2]string{{"generic.slurm", ""}}, [][2]string{{"local.localhost", ""}, {"local.new", ""}}, "local.json:1: ends too early"},
		"a name of a file":        {"s s.json", `{"h": ` + good + `}`, [][2]string{{"local.localhost", ""}}, nil, "the site, which is the file's name"},
	} {
		dirs := writeHome(t, map[string]string{".config/flightlog/resources.d/" + c.file: c.text})
		all, found, err := app.ReadResources(dirs(false))
		if err != nil || len(found.Faults) != 1 || !strings.Contains(found.Faults[0].String(), c.says) {
			t.Errorf("%s: %+v, %v; want %q", name, found, err, c.says)
			continue
		}
		for _, of := range append(c.usable, [2]string{"generic.slurm", ""}) {
			if _, err := all.Resolve(of[0], of[1]); err != nil {
				t.Errorf("%s: %s: %v", name, of, err)
			}
		}
		for _, of := range c.refused {
			_, err := all.Resolve(of[0], of[1])
			if _, told := errors.AsType[*resource.FileError](err); pilot.CodeOf(err) != pilot.Invalid || !told || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %s: %v; want %q", name, of, err, c.says)
			}
			if _, err := app.PolicyOf(all, of[0]); (err == nil) != (len(all.Schemas(of[0])) > 1) {
				t.Errorf("%s: the policy of %s: %v", name, of[0], err)
			}
		}
	}
}

func TestDirectoriesFollowTheEnvironment(t *testing.T) {
	t.Parallel()
	for env, want := range map[string]string{
		"":     "/etc/flightlog/resources.d /home/ada/.config/flightlog/resources.d",
		"/xdg": "/etc/flightlog/resources.d /xdg/flightlog/resources.d",
		"rel":  "/etc/flightlog/resources.d /home/ada/.config/flightlog/resources.d",
	} {
		var got []string
		for _, d := range app.ResourceDirs(func(name string) string {
			return map[string]string{"HOME": "/home/ada", "XDG_CONFIG_HOME": env}[name]
		}, false) {
			got = append(got, d.Path)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v", env, got)
		}
	}
	dirs := app.ResourceDirs(func(name string) string {
		return map[string]string{"HOME": "/home/ada", "RADICAL_CONFIG_USER_DIR": "/work/ada"}[name]
	}, true)
	if len(dirs) != 3 || dirs[1].Path != "/work/ada/.radical/pilot/configs" {
		t.Errorf("RADICAL-Pilot's: %v", dirs)
	}
}
