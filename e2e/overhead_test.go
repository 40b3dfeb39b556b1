package e2e_test

import (
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/pilot"
)

// TestE2EBatchSlurmOverhead measures how fast pilots get into SLURM, and how fast jobs
// do by the same number of sbatch at once, with the script of such a pilot, in turns.
// It fails if one does not get there; the figures are for docs/performance.md.
func TestE2EBatchSlurmOverhead(t *testing.T) {
	const count, rounds = 200, 4
	h := newBatchFixture(t, "SLURM_CONF", "generic.slurm", "local")
	h.startLauncher()
	d := h.describeJob("true")
	d.Queue = "down"
	sample := submit(t, h.m, d)[0]
	h.nativeID(sample)
	script := filepath.Join(h.sandboxes(), h.m.UID(), sample.UID(), ".flightlog", "1.job.sh")
	descs := make([]pilot.Description, count)
	for i := range descs {
		descs[i] = d
	}
	var ours, bare time.Duration
	for range rounds {
		begun := time.Now()
		submit(t, h.m, descs...)
		if w, err := h.m.WaitAll(t.Context(), client.WaitOptions{States: []pilot.State{pilot.PendingActive}, Timeout: 2 * time.Minute}); err != nil || w.TimedOut {
			t.Fatalf("they do not get there: %v", err)
		}
		ours += time.Since(begun)
		begun = time.Now()
		h.submitBare(script, count)
		bare += time.Since(begun)
	}
	h.runAsJobUser("scancel", "--me", "--partition=down")
	n := float64(rounds * count)
	t.Logf("%.0f pilots/s, by sbatch alone %.0f jobs/s: %.2f", n/ours.Seconds(), n/bare.Seconds(), bare.Seconds()/ours.Seconds())
}

// submitBare submits a script often, as many at once as a launcher does.
func (h *batchFixture) submitBare(script string, count int) {
	h.t.Helper()
	var workers sync.WaitGroup
	todo := make(chan struct{}, count)
	for range count {
		todo <- struct{}{}
	}
	close(todo)
	for range launcher.DefaultEffects {
		workers.Go(func() {
			for range todo {
				cmd := exec.Command("sbatch", "--parsable", script)
				cmd.SysProcAttr, cmd.Dir = &syscall.SysProcAttr{Credential: h.as}, h.sandboxes()
				if out, err := cmd.CombinedOutput(); err != nil {
					h.t.Errorf("sbatch: %v\n%s", err, out)
				}
			}
		})
	}
	workers.Wait()
}
