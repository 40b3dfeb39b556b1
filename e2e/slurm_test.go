package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

var slurmCommands = []string{"sbatch", "squeue", "sacct", "scancel"}

func newSlurm(t *testing.T) *batchFixture {
	t.Helper()
	h := newBatchFixture(t, "SLURM_CONF", "generic.slurm", "local", slurmCommands...)
	h.startLauncher()
	return h
}

// testSubmitCrashes kills the launcher, or loses the answer, at each step of a submit.
func (h *batchFixture) testSubmitCrashes(command string) {
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
		h.injectFault(command, c.fault)
		p := submit(h.t, h.m, h.describeJob("sleep 2"))[0]
		if c.die {
			h.launcher.wait()
			h.startLauncher()
		}
		h.expectEnd(p, pilot.Done, pilot.PayloadFinished)
		if n := h.countRuns(p); n != 1 {
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
	h.injectFault("sbatch", "hang-after") // for a minute: the launcher's patience
	silent := submit(t, h.m, h.describeJob("sleep 2"))[0]
	h.awaitFaultTaken("sbatch")
	d := h.describeJob("sleep 600")
	d.Runtime = pilot.Runtime(20 * time.Second)
	inTime := submit(t, h.m, d)[0]
	good, bad := submit(t, h.m, h.describeJob("true"))[0], submit(t, h.m, h.describeJob("echo words >&2; exit 7"))[0]
	running, outside := submit(t, h.m, h.describeJob("sleep 600"))[0], submit(t, h.m, h.describeJob("sleep 600"))[0]
	deaf := submit(t, h.m, h.describeJob("trap '' TERM; (trap '' TERM; setsid sleep 600) & sleep 600 & wait; sleep 600"))[0]
	d = h.describeJob("true")
	d.Queue = "down"
	queued, queuedOutside := submit(t, h.m, d)[0], submit(t, h.m, d)[0]
	d = h.describeJob("true")
	d.Queue = "no-such-partition"
	refused := submit(t, h.m, d)[0]
	d = h.describeJob("kill -KILL $PPID; sleep 600") // the agent
	shot := submit(t, h.m, d)[0]

	h.expectEnd(refused, pilot.Failed, pilot.JobRejected)
	h.expectEnd(good, pilot.Done, pilot.PayloadFinished)
	h.expectEnd(bad, pilot.Failed, pilot.PayloadFailed)
	if got, err := bad.Get(t.Context()); err != nil || got.Cause.ExitCode == nil || *got.Cause.ExitCode != 7 {
		t.Errorf("exit 7: %+v, %v", got, err)
	}
	if logs, err := bad.Logs(t.Context()); err != nil || logs.Stderr != "words\n" {
		t.Errorf("its words: %+v, %v", logs, err)
	}
	h.nativeID(queued)
	cancelPilot(t, queued)
	h.expectEnd(queued, pilot.Canceled, pilot.CanceledInQueue)
	h.runAsJobUser("scancel", h.nativeID(queuedOutside))
	h.expectEnd(queuedOutside, pilot.Failed, pilot.JobCanceledByThem)
	awaitState(t, running, pilot.Active)
	cancelPilot(t, running)
	h.expectEnd(running, pilot.Canceled, pilot.CanceledByAgent)
	awaitState(t, deaf, pilot.Active)
	cancelPilot(t, deaf)
	h.expectEnd(deaf, pilot.Canceled, pilot.KilledAfterGrace)
	awaitState(t, outside, pilot.Active)
	h.runAsJobUser("scancel", h.nativeID(outside))
	h.expectEnd(outside, pilot.Failed, pilot.JobCanceledByThem)
	h.expectEnd(shot, pilot.Failed, pilot.AgentLost)
	h.expectEnd(inTime, pilot.Failed, pilot.RuntimeReached)
	h.expectEnd(silent, pilot.Done, pilot.PayloadFinished)
	h.expectRanOnce(silent, good, bad, running, deaf, outside, inTime)
	h.awaitNoJobs()
	if left := h.processes(); len(left) != 0 {
		t.Errorf("processes %v are left running", left)
	}
	if n := h.countCalls("sbatch"); n != 11 {
		t.Errorf("sbatch was called %d times for 11 pilots", n)
	}
	t.Logf("asked SLURM: squeue %d times, sacct %d, scancel %d", h.countCalls("squeue"), h.countCalls("sacct"), h.countCalls("scancel"))
}

// awaitNoJobs waits until SLURM has no live job of any pilot of the house: the end of
// a pilot is a moment before that of its job.
func (h *batchFixture) awaitNoJobs() {
	h.t.Helper()
	h.awaitSlowly("the end of the last job", func() bool {
		out := h.runAsJobUser("squeue", "--me", "--noheader", "--states=PENDING,RUNNING,SUSPENDED,COMPLETING", "--format=%k")
		return !strings.Contains("\n"+out, "\n"+h.m.UID()+".")
	})
}

// TestE2EBatchSlurmAnswers: there is one job for each attempt, one run of the payload,
// and the right end, whatever becomes of the answer to a submit.
func TestE2EBatchSlurmAnswers(t *testing.T) {
	h := newSlurm(t)
	h.testSubmitCrashes("sbatch")
	h.expectOneJobEach()
}
