package render_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
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

func mustCatalogue(t *testing.T) *resource.Catalogue {
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

// renderOn renders a pilot of that many cores on a resource, as a launcher would.
func renderOn(c *resource.Catalogue, label, schema string, cores int64) (*render.Script, error) {
	cfg, err := c.Resolve(label, schema)
	if err != nil {
		return nil, err
	}
	d := plain("").Description
	d.Resource, d.Project, d.Cores = label, "abc", cores
	if cfg.System() == "cobalt" && cfg.CoresPerNode == 0 {
		d.Cores, d.Nodes = 0, 1 // which gives nothing else
	}
	d, _, faults := cfg.Check(nil, 0, &d)
	if err := cfg.Supported(nil); err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, FieldErrors: faults}
	}
	s := *plain("")
	s.Key.Resource, s.Description, s.ParallelEnvironment = cfg.Label, d, ""
	spec, err := s.WithConfig(nil, cfg)
	if err != nil {
		return nil, err
	}
	return render.Render(nil, spec)
}

func TestBothDialectsRender(t *testing.T) {
	t.Parallel()
	c := mustCatalogue(t)
	for _, tt := range []struct{ label, name string }{{"old.blue", "on-blue"}, {"new.red", "on-red"}} {
		s, err := renderOn(c, tt.label, "", 70)
		if err != nil {
			t.Fatal(err)
		}
		checkGolden(t, tt.name+".sh", s.Text)
	}
	if _, err := renderOn(c, "old.blue", "gsissh", 1); pilot.CodeOf(err) != pilot.Unsupported {
		t.Errorf("gsissh: %v", err)
	}
}

// TestEverythingKnownRenders: the embedded catalogue, under every schema.
func TestEverythingKnownRenders(t *testing.T) {
	t.Parallel()
	c, err := resource.BuiltinCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	if r := renderAll(t, c); len(r.unsupported) > 0 {
		t.Errorf("not everything is rendered: %s", r)
	}
}

// TestFilesOfTheOriginalRender: every resource × schema of RADICAL-Pilot's own
// files gives a script, or is unsupported.
func TestFilesOfTheOriginalRender(t *testing.T) {
	t.Parallel()
	root := ""
	for _, dir := range []string{os.Getenv("FLIGHTLOG_SHARED"), "../../../../shared"} {
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
			var all rendered
			for _, file := range files {
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				site, err := resource.Parse(filepath.Base(file), b)
				if err != nil {
					t.Fatal(err)
				}
				one := renderAll(t, resource.NewCatalogue(resource.Layer{Name: year, Sites: []*resource.Site{site}}))
				t.Logf("%-23s %s", filepath.Base(file), one)
				all.add(one)
			}
			t.Logf("%-23s %s", fmt.Sprintf("%d files", len(files)), all)
			if all.schemas == 0 || len(all.scripts) == 0 {
				t.Error("nothing was rendered")
			}
		})
	}
}

// rendered counts what came of resources under all of their schemas.
type rendered struct {
	resources, schemas   int
	scripts, unsupported map[string]int // by system, and by reason
}

func (r *rendered) add(o rendered) {
	r.resources, r.schemas = r.resources+o.resources, r.schemas+o.schemas
	for _, m := range []struct{ into, from *map[string]int }{{&r.scripts, &o.scripts}, {&r.unsupported, &o.unsupported}} {
		if *m.into == nil {
			*m.into = map[string]int{}
		}
		for name, n := range *m.from {
			(*m.into)[name] += n
		}
	}
}

func (r rendered) String() string {
	scripts, unsupported := 0, 0
	for _, n := range r.scripts {
		scripts += n
	}
	for _, n := range r.unsupported {
		unsupported += n
	}
	return fmt.Sprintf("%2d resources, %3d schemas: %2d rendered %v, %2d not %v", r.resources, r.schemas, scripts, r.scripts, unsupported, r.unsupported)
}

// renderAll renders every resource of a catalogue under every schema; one
// without schemas counts as having one.
func renderAll(t *testing.T, c *resource.Catalogue) rendered {
	t.Helper()
	r := rendered{resources: len(c.Labels()), scripts: map[string]int{}, unsupported: map[string]int{}}
	for _, label := range c.Labels() {
		schemas := c.Schemas(label)
		if schemas == nil {
			schemas = []string{""}
		}
		for _, schema := range schemas {
			r.schemas++
			s, err := renderOn(c, label, schema, 1)
			switch {
			case pilot.CodeOf(err) == pilot.Unsupported:
				r.unsupported[strings.Join(strings.Fields(err.Error())[:3], " ")]++
				continue
			case err != nil:
				t.Errorf("%s under %s: %v", label, schema, err)
				continue
			}
			r.scripts[s.System]++
			cmd := exec.CommandContext(t.Context(), "bash", "-n")
			cmd.Stdin = strings.NewReader(s.Text)
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s under %s: %v: %s", label, schema, err, out)
			}
		}
	}
	return r
}
