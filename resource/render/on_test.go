package render_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource"
	"github.com/flightlog/flightlog/resource/render"
)

const site2015 = `# of 2015
{"blue": {
  "schemas": ["ssh", "gsissh"], "mandatory_args": ["project"],
  "ssh":    {"job_manager_endpoint": "torque+ssh://blue.example.org/?gres=ccm", "filesystem_endpoint": "sftp://blue.example.org/"},
  "gsissh": {"job_manager_endpoint": "torque+gsissh://blue.example.org/", "filesystem_endpoint": "gsisftp://blue.example.org/"},
  "default_queue": "normal", "cores_per_node": "16", "pre_bootstrap": ["module load python"], "default_remote_workdir": "$WORK"
}}`

const site2025 = `{"red": {
  "default_schema": "local",
  "schemas": {"local": {"job_manager_endpoint": "slurm://red.example.org/", "filesystem_endpoint": "file://red.example.org/"}},
  "default_queue": "gpu:fast", "cores_per_node": 64, "gpus_per_node": 4, "system_architecture": {"smt": 2, "options": ["gpu"], "gpu": "a100"},
  "pre_bootstrap_0": ["module load zero"], "pre_bootstrap_1": ["module load one"], "default_remote_workdir": "/work/%(pd.project)s/$USER"
}}`

func catalogue(t *testing.T) *resource.Catalogue {
	t.Helper()
	var sites []*resource.Site
	for file, text := range map[string]string{"resource_old.json": site2015, "new.json": site2025} {
		s, err := resource.Parse(file, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		sites = append(sites, s)
	}
	return resource.NewCatalogue(resource.Layer{Name: "test", Sites: sites})
}

// on renders a pilot of that many cores on a resource, as a launcher would.
func on(c *resource.Catalogue, label, schema string, cores int64) (*render.Script, error) {
	cfg, err := c.Resolve(label, schema)
	if err != nil {
		return nil, err
	}
	d := plain("").Description
	d.Resource, d.Project, d.Cores = label, "abc", cores
	d, _, faults := cfg.Check(0, &d)
	if err := cfg.Supported(); err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Faults: faults}
	}
	s := *plain("")
	s.Key.Resource, s.Description, s.ParallelEnvironment = cfg.Label, d, ""
	spec, err := s.On(cfg)
	if err != nil {
		return nil, err
	}
	return render.Render(spec)
}

func TestBothDialectsRender(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	for _, tt := range []struct{ label, name string }{{"old.blue", "on-blue"}, {"new.red", "on-red"}} {
		s, err := on(c, tt.label, "", 70)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, tt.name+".sh", s.Text)
	}
	if _, err := on(c, "old.blue", "gsissh", 1); pilot.CodeOf(err) != pilot.Unsupported {
		t.Errorf("gsissh: %v", err)
	}
}

// TestEverythingKnownRenders: the embedded catalogue, under every schema.
func TestEverythingKnownRenders(t *testing.T) {
	t.Parallel()
	c, err := resource.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	renderAll(t, c)
}

// TestFilesOfTheOriginalRender: every resource × schema of RADICAL-Pilot's own
// files gives a script, or is unsupported.
func TestFilesOfTheOriginalRender(t *testing.T) {
	t.Parallel()
	root := ""
	for _, dir := range []string{os.Getenv("FLIGHTLOG_SHARED"), "../../../shared"} {
		configs := filepath.Join(dir, "data", "resource-configs")
		if _, err := os.Stat(configs); dir != "" && err == nil {
			root = configs
		}
	}
	if root == "" {
		t.Skip("no files of RADICAL-Pilot: FLIGHTLOG_SHARED names no folder with data/resource-configs")
	}
	for _, year := range []string{"2015", "2025"} {
		t.Run(year, func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob(filepath.Join(root, year, "*.json"))
			if err != nil {
				t.Fatal(err)
			}
			layer := resource.Layer{Name: year}
			for _, file := range files {
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				site, err := resource.Parse(filepath.Base(file), b)
				if err != nil {
					t.Fatal(err)
				}
				layer.Sites = append(layer.Sites, site)
			}
			renderAll(t, resource.NewCatalogue(layer))
		})
	}
}

func renderAll(t *testing.T, c *resource.Catalogue) {
	t.Helper()
	scripts, unsupported := map[string]int{}, map[string]int{}
	for _, label := range c.Labels() {
		for _, schema := range c.Schemas(label) {
			s, err := on(c, label, schema, 1)
			switch {
			case pilot.CodeOf(err) == pilot.Unsupported:
				unsupported[strings.Join(strings.Fields(err.Error())[:3], " ")]++
				continue
			case err != nil:
				t.Errorf("%s under %s: %v", label, schema, err)
				continue
			}
			scripts[s.System]++
			cmd := exec.CommandContext(t.Context(), "bash", "-n")
			cmd.Stdin = strings.NewReader(s.Text)
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s under %s: %v: %s", label, schema, err, out)
			}
		}
	}
	total := 0
	for _, system := range slices.Sorted(maps.Keys(scripts)) {
		total += scripts[system]
	}
	if total == 0 {
		t.Error("nothing was rendered")
	}
	t.Logf("%d resources: %d scripts %v, unsupported %v", len(c.Labels()), total, scripts, unsupported)
}
