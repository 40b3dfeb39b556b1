package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

var slurmCommands = []string{"sbatch", "squeue", "sacct", "scancel"}

func newSlurm(t *testing.T) *batchHouse {
	return newBatchHouse(t, "SLURM_CONF", "generic.slurm", "local", slurmCommands...)
}

// TestE2ESlurmEnds has pilots on a real SLURM end in every way that takes no harm to it.
func TestE2ESlurmEnds(t *testing.T) {
	h := newSlurm(t)
	d := h.job("sleep 600")
	d.Runtime = pilot.Runtime(15 * time.Second)
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
	command(t, "scancel", h.native(queuedOutside))
	h.ends(queuedOutside, pilot.Failed, pilot.JobCanceledByThem)
	reach(t, running, pilot.Active)
	cancel(t, running)
	h.ends(running, pilot.Canceled, pilot.CanceledByAgent)
	reach(t, deaf, pilot.Active)
	cancel(t, deaf)
	h.ends(deaf, pilot.Canceled, pilot.KilledAfterGrace)
	reach(t, outside, pilot.Active)
	command(t, "scancel", h.native(outside))
	h.ends(outside, pilot.Failed, pilot.JobCanceledByThem)
	h.ends(shot, pilot.Failed, pilot.AgentLost)
	h.ends(inTime, pilot.Done, pilot.RuntimeReached)
	for _, p := range []*client.Pilot{good, bad, running, deaf, outside, inTime} {
		if n := h.runs(p); n != 1 {
			t.Errorf("%s ran %d times", p.UID(), n)
		}
	}
	if left := h.processes(); len(left) != 0 {
		t.Errorf("processes %v are left running", left)
	}
	h.noJobsLeft()
}

// noJobsLeft sees that SLURM has no live job of any pilot of the house.
func (h *batchHouse) noJobsLeft() {
	h.t.Helper()
	out := command(h.t, "squeue", "--me", "--noheader", "--states=PENDING,RUNNING,SUSPENDED", "--format=%i %T %k")
	if strings.Contains(out, " "+h.m.UID()+".") {
		h.t.Errorf("jobs are left:\n%s", out)
	}
}

// TestE2ESlurmCrashes kills the launcher, or loses SLURM's answer, at each step of a
// launch: there is one job for each attempt, one run of the payload, and the right end.
func TestE2ESlurmCrashes(t *testing.T) {
	h := newSlurm(t)
	for _, c := range []struct {
		command, fault string
		die            bool // the launcher is started again
		attempts       int
	}{
		{"sbatch", "die-before", true, 2},
		{"sbatch", "die-after", true, 1},
		{"sbatch", "fail-after", false, 1},
		{"sbatch", "garbage", false, 1},
		{"sbatch", "silent", false, 1},
	} {
		t.Run(c.command+" "+c.fault, func(t *testing.T) {
			h.fault(c.command, c.fault)
			p := submit(t, h.m, h.job("sleep 2"))[0]
			if c.die {
				h.launcher.wait()
				h.launch()
			}
			h.ends(p, pilot.Done, pilot.PayloadFinished)
			if n := h.runs(p); n != 1 {
				t.Errorf("the payload ran %d times", n)
			}
			got, err := p.Get(t.Context())
			if err != nil || got.Attempt != c.attempts {
				t.Errorf("%d attempts, %v; want %d", got.Attempt, err, c.attempts)
			}
			h.oneJob(p, got.Attempt)
		})
	}
}

// oneJob sees that SLURM had at most one job of each attempt, and one of the last.
func (h *batchHouse) oneJob(p *client.Pilot, attempts int) {
	h.t.Helper()
	out := command(h.t, "squeue", "--me", "--noheader", "--states=all", "--format=%k")
	for attempt := 1; attempt <= attempts; attempt++ {
		token := pilot.Key{Manager: h.m.UID(), Pilot: p.UID()}.Token(attempt)
		n := strings.Count("\n"+out+"\n", "\n"+token+"\n")
		if n > 1 || n != 1 && attempt == attempts {
			h.t.Errorf("%d jobs of attempt %d of %d", n, attempt, attempts)
		}
	}
}
