package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// awaitRunning waits until a pilot's launcher has seen its job run, and so knows its limit.
func (h *batchFixture) awaitRunning(p *client.Pilot) api.Pilot {
	h.t.Helper()
	awaitState(h.t, p, pilot.Active)
	var got api.Pilot
	h.awaitSlowly("the job's phase", func() bool {
		var err error
		got, err = p.Get(h.t.Context())
		return err == nil && got.Job != nil && got.Job.Phase == "running"
	})
	return got
}

// TestE2EBatchSlurmTimeLimit changes what the jobs of pilots may run while they do, on a
// real SLURM: more time, which only an operator gives, and less.
func TestE2EBatchSlurmTimeLimit(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give a job more time")
	}
	h := newSlurm(t)
	d := h.describeJob("sleep 140; cat \"$PILOT_DEADLINEFILE\"")
	d.Runtime = pilot.Runtime(2 * time.Minute)
	more := submit(t, h.m, d)[0]
	less := submit(t, h.m, h.describeJob("sleep 600"))[0]
	// The change has to be polled, and heard by the agent, before the end there was: within
	// about 45 s. SLURM warns 90 s before its end, and looks every 30 s.
	changed := map[*client.Pilot]time.Duration{more: 4 * time.Minute, less: 3 * time.Minute}
	for p, limit := range changed {
		h.runAsCredential(nil, "scontrol", "update", "jobid="+h.awaitRunning(p).Job.ID, fmt.Sprintf("timelimit=%d", int(limit.Minutes())))
	}
	h.expectEnd(less, pilot.Failed, pilot.RuntimeReached)
	h.expectEnd(more, pilot.Done, pilot.PayloadFinished)
	for p, limit := range changed {
		got, err := p.Get(t.Context())
		if err != nil || got.Deadline.Sub(*got.ActiveAt) != limit {
			t.Errorf("the deadline is %v after its beginning at %v, %v; want %s", got.Deadline, got.ActiveAt, err, limit)
		}
		history, err := p.History(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, e := range history {
			if e.Kind == "deadline" {
				said += e.Message + "\n"
			}
		}
		if strings.Count(said, "\n") != 1 || !strings.Contains(said, "may run for "+limit.String()+" now") {
			t.Errorf("its history says %q; %s", said, h.historyText(p))
		}
	}
	logs, err := more.Logs(t.Context())
	got, _ := more.Get(t.Context())
	if err != nil || logs.Stdout != got.Deadline.UTC().Format(time.RFC3339)+"\n" {
		t.Errorf("the payload read %q, %v; its deadline is %s", logs.Stdout, err, got.Deadline)
	}
	h.expectRanOnce(more, less)
	h.awaitNoJobs()
}

// TestE2EBatchSGETimeLimit: qalter changes what a listing of Grid Engine shows.
func TestE2EBatchSGETimeLimit(t *testing.T) {
	h := newBatchFixture(t, "SGE_ROOT", "generic.sge", "local", "qsub", "qstat", "qacct", "qdel")
	h.startLauncher()
	p := submit(t, h.m, h.describeJob("sleep 600"))[0]
	id := h.awaitRunning(p).Job.ID
	h.runAsJobUser("qalter", "-l", "h_rt=60", id)
	h.expectEnd(p, pilot.Failed, pilot.RuntimeReached)
	if got, err := p.Get(t.Context()); err != nil || got.Deadline.Sub(*got.ActiveAt) != time.Minute {
		t.Errorf("the deadline is %v after its beginning at %v, %v", got.Deadline, got.ActiveAt, err)
	}
	h.expectRanOnce(p)
}
