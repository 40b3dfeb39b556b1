package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

var slurmCommands = []string{"sbatch", "squeue", "sacct", "scancel"}

func newSlurm(t *testing.T) *batchHouse {
	t.Helper()
	h := newBatchHouse(t, "SLURM_CONF", "generic.slurm", "local", slurmCommands...)
	h.launch()
	return h
}

// crashes kills the launcher, or loses the answer, at each step of a submit.
func (h *batchHouse) crashes(command string) {
	for _, c := range []struct {
		fault    string
		die      bool // the launcher is started again
		attempts int
	}{
		{"die-before", true, 2},
		{"die-after", true, 1},
		{"fail-after", false, 1},
		{"garbage", false, 1},
		{"silent", false, 1},
	} {
		h.fault(command, c.fault)
		p := submit(h.t, h.m, h.job("sleep 2"))[0]
		if c.die {
			h.launcher.wait()
			h.launch()
		}
		h.ends(p, pilot.Done, pilot.PayloadFinished)
		if n := h.runs(p); n != 1 {
			h.t.Errorf("%s: the payload ran %d times", c.fault, n)
		}
		if got, err := p.Get(h.t.Context()); err != nil || got.Attempt != c.attempts {
			h.t.Errorf("%s: %d attempts, %v; want %d", c.fault, got.Attempt, err, c.attempts)
		}
	}
}

// TestE2EBatchSlurmEnds has pilots on a real SLURM end in every way that takes no harm to it.
func TestE2EBatchSlurmEnds(t *testing.T) {
	h := newSlurm(t)
	h.fault("sbatch", "hang-after") // for a minute: the launcher's patience
	silent := submit(t, h.m, h.job("sleep 2"))[0]
	h.taken("sbatch")
	d := h.job("sleep 600")
	d.Runtime = pilot.Runtime(20 * time.Second)
	inTime := submit(t, h.m, d)[0]
	good, bad := submit(t, h.m, h.job("true"))[0], submit(t, h.m, h.job("echo words >&2; exit 7"))[0]
	running, outside := submit(t, h.m, h.job("sleep 600"))[0], submit(t, h.m, h.job("sleep 600"))[0]
	deaf := submit(t, h.m, h.job("trap '' TERM; (trap '' TERM; setsid sleep 600) & sleep 600 & wait; sleep 600"))[0]
	d = h.job("true")
	d.Queue = "down"
	queued, queuedOutside := submit(t, h.m, d)[0], submit(t, h.m, d)[0]
	d = h.job("true")
	d.Queue = "no-such-partition"
	refused := submit(t, h.m, d)[0]
	d = h.job("kill -KILL $PPID; sleep 600") // the agent
	shot := submit(t, h.m, d)[0]

	h.ends(refused, pilot.Failed, pilot.JobRejected)
	h.ends(good, pilot.Done, pilot.PayloadFinished)
	h.ends(bad, pilot.Failed, pilot.PayloadFailed)
	if got, err := bad.Get(t.Context()); err != nil || got.Cause.ExitCode == nil || *got.Cause.ExitCode != 7 {
		t.Errorf("exit 7: %+v, %v", got, err)
	}
	if logs, err := bad.Logs(t.Context()); err != nil || logs.Stderr != "words\n" {
		t.Errorf("its words: %+v, %v", logs, err)
	}
	h.native(queued)
	cancel(t, queued)
	h.ends(queued, pilot.Canceled, pilot.CanceledInQueue)
	h.command("scancel", h.native(queuedOutside))
	h.ends(queuedOutside, pilot.Failed, pilot.JobCanceledByThem)
	reach(t, running, pilot.Active)
	cancel(t, running)
	h.ends(running, pilot.Canceled, pilot.CanceledByAgent)
	reach(t, deaf, pilot.Active)
	cancel(t, deaf)
	h.ends(deaf, pilot.Canceled, pilot.KilledAfterGrace)
	reach(t, outside, pilot.Active)
	h.command("scancel", h.native(outside))
	h.ends(outside, pilot.Failed, pilot.JobCanceledByThem)
	h.ends(shot, pilot.Failed, pilot.AgentLost)
	h.ends(inTime, pilot.Failed, pilot.RuntimeReached)
	h.ends(silent, pilot.Done, pilot.PayloadFinished)
	h.once(silent, good, bad, running, deaf, outside, inTime)
	h.noJobsLeft()
	if left := h.processes(); len(left) != 0 {
		t.Errorf("processes %v are left running", left)
	}
	if n := h.calls("sbatch"); n != 11 {
		t.Errorf("sbatch was called %d times for 11 pilots", n)
	}
	t.Logf("asked SLURM: squeue %d times, sacct %d, scancel %d", h.calls("squeue"), h.calls("sacct"), h.calls("scancel"))
}

// noJobsLeft waits until SLURM has no live job of any pilot of the house: the end of
// a pilot is a moment before that of its job.
func (h *batchHouse) noJobsLeft() {
	h.t.Helper()
	h.until("the end of the last job", func() bool {
		out := h.command("squeue", "--me", "--noheader", "--states=PENDING,RUNNING,SUSPENDED,COMPLETING", "--format=%k")
		return !strings.Contains("\n"+out, "\n"+h.m.UID()+".")
	})
}

// TestE2EBatchSlurmAnswers: there is one job for each attempt, one run of the payload,
// and the right end, whatever becomes of the answer to a submit.
func TestE2EBatchSlurmAnswers(t *testing.T) {
	h := newSlurm(t)
	h.crashes("sbatch")
	h.oneJobEach()
}
