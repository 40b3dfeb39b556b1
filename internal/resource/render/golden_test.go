package render_test

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/resource/render"
)

// sampleSpecs are the specs of the golden files.
func sampleSpecs() map[string]*render.Spec {
	out := map[string]*render.Spec{}
	for _, system := range []string{"fork", "slurm", "pbspro", "torque", "lsf", "sge", "loadl", "cobalt"} {
		out[system+"-plain"] = plain(system)
		out[system+"-full"] = fullSpec(system)
		out[system+"-nodes"] = nodesSpec(system)
	}
	out["cobalt-plain"].Node.Cores = 2
	for name, query := range map[string]string{
		"torque-cray": "gres=ccm&craytype=xe6&ppn=24&queue=ccm_queue",
		"sge-memory":  "memreqs=virtual_free~1.5h_vmem&queue=development",
		"loadl-bgq":   "job_type=bluegene&explicit_exec=true",
		"loadl-tagged": "energy_policy_tag=radical_pilot&island_count=1&node_usage=not_shared" +
			"&network_mpi=sn_all,not_shared,us&enforce_consumable_cpus=true&enforce_consumable_memory=true",
		"slurm-options": "queue=debug&ppn=16&colour=red",
	} {
		system, _, _ := strings.Cut(name, "-")
		s := plain(system)
		s.Options, _ = url.ParseQuery(query)
		s.Description.Cores = 48
		s.Description.Memory = 96 << 30
		out[name] = s
	}
	constrained := func(name string, words ...string) {
		system, _, _ := strings.Cut(name, "-")
		out[name] = nodesSpec(system)
		out[name].Constraints, out[name].Node.SMT = words, 4
	}
	constrained("slurm-constraint", "gpu", "nvme|ssd")
	constrained("pbspro-constraint", "filesystems=grand:home", "place=scatter")
	constrained("lsf-constraint", "nvme", "gpumps")
	return out
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, spec := range sampleSpecs() {
		s, err := render.Render(nil, spec)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var about strings.Builder
		fmt.Fprintf(&about, "name   %s\ndigest %s\ndir    %s\nsubmit %s\n", s.Name, s.Digest, s.Dir, s.CommandLine())
		for _, note := range s.Notes {
			fmt.Fprintf(&about, "note   %s\n", note)
		}
		checkGolden(t, name+".sh", s.Text)
		checkGolden(t, name+".txt", about.String())
	}
}

func TestShellsCanReadEveryScript(t *testing.T) {
	t.Parallel()
	for name, spec := range sampleSpecs() {
		for _, shell := range []string{"sh", "bash"} {
			cmd := exec.CommandContext(t.Context(), shell, "-n")
			cmd.Stdin = strings.NewReader(mustRender(t, spec))
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s -n of %s: %v: %s", shell, name, err, out)
			}
		}
	}
}

// TestShellcheckIsClean looks at every golden script, and fails instead of
// skipping where FLIGHTLOG_SHELLCHECK says that the tool must be there.
func TestShellcheckIsClean(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("shellcheck")
	if err != nil {
		if os.Getenv("FLIGHTLOG_SHELLCHECK") != "" {
			t.Fatal(err)
		}
		t.Skip("shellcheck is not installed (Debian package shellcheck)")
	}
	scripts, err := filepath.Glob("testdata/*.sh")
	if err != nil || len(scripts) < len(sampleSpecs()) {
		t.Fatalf("%d golden scripts, %v", len(scripts), err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) {
			t.Parallel()
			if out, err := exec.CommandContext(t.Context(), tool, script).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, bytes.TrimSpace(out))
			}
		})
	}
}

func mustRender(t *testing.T, spec *render.Spec) string {
	t.Helper()
	s, err := render.Render(nil, spec)
	if err != nil {
		t.Fatal(err)
	}
	return s.Text
}
