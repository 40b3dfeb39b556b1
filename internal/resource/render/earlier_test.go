package render_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// TestAJobOfAnEarlierVersion waits with the script of then, which names the agent where it
// was installed and not by its content. It runs while that is there, whatever version it
// is of by then; else the attempt ends with the reason, and the job's output names the path.
func TestAJobOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("testdata/earlier/slurm-plain.sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]bool{"the prefix is there": true, "the prefix is gone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, prefix := t.TempDir(), filepath.Join(t.TempDir(), "flightlog")
			marks := sandbox.MarksOf(dir, 1)
			if err := os.MkdirAll(marks.Dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(marks.Path("assignment"), []byte(`{"secret":"sesame"}`), 0o600); err != nil {
				t.Fatal(err)
			}
			if there {
				if err := os.Mkdir(prefix, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(prefix, "agent"), []byte("#!/bin/sh\n"+goodAgent+"\n"), 0o700); err != nil { //nolint:gosec // it is run
					t.Fatal(err)
				}
			}
			text := strings.NewReplacer("/scratch/ann/mgr-01/pilot-01", dir, "/opt/flightlog", prefix).Replace(string(script))
			job := exec.CommandContext(t.Context(), "bash", "-c", text)
			job.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "SLURM_JOB_ID=7"}
			said, failed := job.CombinedOutput()
			out, err := marks.ReadExit()
			if err != nil || out == nil {
				t.Fatalf("it leaves no word: %v\n%s", err, said)
			}
			if there {
				given, err := os.ReadFile(marks.Path("given"))
				if failed != nil || out.Kind != api.OutcomeDone || err != nil || string(given) != `{"secret":"sesame"}` {
					t.Errorf("%+v, %v; the agent was given %q, %v", out, failed, given, err)
				}
				return
			}
			if failed == nil || out.Kind != api.OutcomeFailed || out.Code != pilot.BootstrapFailed || out.Message != "the agent did not start, exit code 127" {
				t.Errorf("%+v, %v", out, failed)
			}
			if !strings.Contains(string(said), prefix+"/agent: No such file or directory") {
				t.Errorf("its output says %s", said)
			}
		})
	}
}
