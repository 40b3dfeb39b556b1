package render_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

// systemsHere are batch systems that may be there: the variable that says so, and a
// command that shows a job.
var systemsHere = map[string]struct {
	variable string
	show     []string
}{
	"slurm": {"SLURM_CONF", []string{"scontrol", "show", "job"}},
	"sge":   {"SGE_ROOT", []string{"qstat", "-j"}},
}

// TestRealSystemsTakeScripts submits to the SLURM or Grid Engine that the
// environment names, from a sandbox that can stand in a directive and from one
// that cannot.
func TestRealSystemsTakeScripts(t *testing.T) {
	for system, r := range systemsHere {
		for name, dir := range map[string]string{"named": "sandbox", "unnamed": "it's a dir"} {
			t.Run(system+" "+name, func(t *testing.T) {
				if os.Getenv(r.variable) == "" {
					t.Skipf("no %s: %s is not set", system, r.variable)
				}
				s := newScriptDirIn(t, filepath.Join(workdir(t), dir), realSpec(system), goodAgent+"; exec sleep 3")
				id := submit(t, s)
				shown := output(t, "", r.show[0], append(r.show[1:], id)...)
				for _, want := range []string{s.script.Name, "mgr-01.pilot-01.1"} {
					if !strings.Contains(shown, want) {
						t.Errorf("the job does not show %s:\n%s", want, shown)
					}
				}
				waitUntil(t, func() bool {
					out, err := s.marks.ReadExit()
					return err == nil && out != nil
				})
				if out := s.readOutcome(); out.Kind != api.OutcomeDone {
					t.Errorf("it ends with %+v; job.err: %s", out, s.readFile("job.err"))
				}
				if mark := s.readFile("bootstrap"); !strings.Contains(mark, `"job":"`+id+`"`) {
					t.Errorf("job %s leaves %s", id, mark)
				}
				if env := s.readFile("environ"); !strings.Contains(env, "\nODD="+realSpec(system).Environment["ODD"]+"\n") {
					t.Errorf("the agent's environment is\n%s", env)
				}
				if got := s.readFile("job.out"); got != "bootstrapped\n" {
					t.Errorf("job.out is %q, job.err %q", got, s.readFile("job.err"))
				}
			})
		}
	}
}

// TestRealSlurmTakesEveryDirective: what this SLURM does not have it may refuse
// by name, but it reads all we write.
func TestRealSlurmTakesEveryDirective(t *testing.T) {
	if os.Getenv("SLURM_CONF") == "" {
		t.Skip("no slurm: SLURM_CONF is not set")
	}
	for name, spec := range sampleSpecs() {
		if !strings.HasPrefix(name, "slurm") {
			continue
		}
		cmd := exec.CommandContext(t.Context(), "sbatch", "--test-only")
		cmd.Stdin = strings.NewReader(mustRender(t, spec))
		out, err := cmd.CombinedOutput()
		t.Logf("%s: %v: %s", name, err, out)
		for _, bad := range []string{"unrecognized", "Invalid --", "invalid option", "Try \"sbatch"} {
			if strings.Contains(string(out), bad) {
				t.Errorf("%s: %s", name, out)
			}
		}
	}
}

func realSpec(system string) *render.Spec {
	s := plain(system)
	s.Description.Cores, s.Description.JobName, s.ParallelEnvironment = 1, "a job", ""
	s.Description.Runtime = pilot.Runtime(10 * 60e9)
	s.PreBootstrap = []string{"echo bootstrapped"}
	s.Environment = map[string]string{"ODD": "a\n#SBATCH -p evil\n#$ -q evil"}
	return s
}

// workdir is one that jobs of any user reach.
func workdir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "render") //nolint:usetesting // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func submit(t *testing.T, s *scriptDir) string {
	t.Helper()
	stdin := ""
	if s.script.Stdin {
		stdin = s.script.Text
	}
	cmd := exec.CommandContext(t.Context(), s.script.Submit[0], s.script.Submit[1:]...)
	cmd.Dir, cmd.Stdin = s.sandbox, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, s.script.Text)
	}
	return strings.TrimSpace(string(out))
}

func output(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, args, err, out)
	}
	return string(out)
}
