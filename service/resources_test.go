package service_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource"
	"github.com/flightlog/flightlog/service"
)

// home makes a user's directory with these files in it.
func home(t *testing.T, files map[string]string) (dirs func(radical bool) []service.ResourceDir) {
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
	return func(radical bool) []service.ResourceDir { return service.ResourceDirs(getenv, radical)[1:] } // not the machine's own
}

func TestLayersLieOverOneAnother(t *testing.T) {
	t.Parallel()
	dirs := home(t, map[string]string{
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
		all, notices, err := service.Resources(dirs(radical))
		if err != nil {
			t.Fatal(err)
		}
		if len(notices) != 0 {
			t.Errorf("notices %q", notices)
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
	dirs := home(t, map[string]string{
		".config/flightlog/resources.d/a.json": "{\"x\": {\n  \"cores_per_node\": []}}",
		".config/flightlog/resources.d/b.json": "{",
		".config/flightlog/resources.d/c.yml":  "x: {valid_roots: 7}",
	})
	_, _, err := service.Resources(dirs(false))
	wrong, ok := errors.AsType[*resource.FileError](err)
	if pilot.CodeOf(err) != pilot.Invalid || !ok || len(wrong.Faults) != 3 {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"a.json:2: x.cores_per_node: must be", "b.json:1: ends too early", "c.yml: x.valid_roots: must be"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	dirs = home(t, map[string]string{".config/flightlog/resources.d/a.json": `{"x": {"cores_per_node": 4}}`})
	_, notices, err := service.Resources(dirs(false))
	if err != nil || len(notices) != 1 || !strings.Contains(notices[0], "a.x has no job_manager_endpoint") {
		t.Errorf("without an endpoint: %q, %v", notices, err)
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
		for _, d := range service.ResourceDirs(func(name string) string {
			return map[string]string{"HOME": "/home/ada", "XDG_CONFIG_HOME": env}[name]
		}, false) {
			got = append(got, d.Path)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v", env, got)
		}
	}
	dirs := service.ResourceDirs(func(name string) string {
		return map[string]string{"HOME": "/home/ada", "RADICAL_CONFIG_USER_DIR": "/work/ada"}[name]
	}, true)
	if len(dirs) != 3 || dirs[1].Path != "/work/ada/.radical/pilot/configs" {
		t.Errorf("RADICAL-Pilot's: %v", dirs)
	}
}
