package fakebatch_test

import (
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// submitClass is what the protocol makes of a submit that did not exit with 0.
func (b *fixture) submitClass(r runner.Result) adaptor.Class {
	_, class := b.d.ClassifySubmit(r)
	return class
}

// TestSubmitFaults: whatever queued a job is never taken for a refusal, and what
// was refused has queued none.
func TestSubmitFaults(t *testing.T) {
	t.Parallel()
	forEachSystem(t, func(t *testing.T, b *fixture) {
		b.Stop()
		for kind, want := range map[fakebatch.Kind]adaptor.Class{
			fakebatch.QueueThenTimeout: adaptor.Uncertain,
			fakebatch.QueueThenDie:     adaptor.Uncertain,
			fakebatch.Reject:           adaptor.Rejected,
			fakebatch.Throttle:         adaptor.Throttled,
			fakebatch.Unreachable:      adaptor.NotSent,
		} {
			before := b.SubmitCount()
			b.Inject(fakebatch.Failure{Kind: kind})
			if got := b.submitClass(b.submitScript(1, "true")); got != want {
				t.Errorf("%s is %s, not %s", kind, got, want)
			}
			queued := want == adaptor.Uncertain
			if b.SubmitCount() > before != queued {
				t.Errorf("%s: queued is %v", kind, !queued)
			}
		}
		b.Inject(fakebatch.Failure{Kind: fakebatch.QueueThenGarbage})
		r := b.submitScript(2, "true")
		if ref, ok := b.d.ParseSubmit(r); ok || r.Code != 0 {
			t.Errorf("an id in garbage: %v of %q", ref, r.Stdout)
		}
		b.Inject(fakebatch.Failure{Kind: fakebatch.QueueLoudly})
		if ref, ok := b.d.ParseSubmit(b.submitScript(3, "true")); !ok || ref.ID != b.Jobs()[b.SubmitCount()-1].ID {
			t.Errorf("between other lines: %v", ref)
		}
		found := 0
		for _, j := range b.listJobs() {
			if hasTokenOf(j, 1) || hasTokenOf(j, 2) || hasTokenOf(j, 3) {
				found++
			}
		}
		if found != b.SubmitCount() {
			t.Errorf("of %d jobs %d can be found", b.SubmitCount(), found)
		}
	})
}

// TestListFaults: a listing that is not whole tells of no job.
func TestListFaults(t *testing.T) {
	t.Parallel()
	forEachSystem(t, func(t *testing.T, b *fixture) {
		b.Stop()
		for n := range 3 {
			b.submitForID(n+1, "true")
		}
		kinds := []fakebatch.Kind{fakebatch.ListFails, fakebatch.ListPartial, fakebatch.ListCode, fakebatch.ListError}
		if b.d.Name != "cobalt" && b.d.Name != "oar" { // of these, nothing is an answer
			kinds = append(kinds, fakebatch.ListEmpty)
		}
		for _, kind := range kinds {
			b.Inject(fakebatch.Failure{Kind: kind})
			if jobs, err := b.runQuery(b.d.List()); err == nil {
				t.Errorf("%s: taken for an answer: %d jobs", kind, len(jobs))
			}
			b.ClearFailures()
			if n := len(b.listJobs()); n != 3 {
				t.Errorf("after %s: %d jobs", kind, n)
			}
		}
	})
}

// TestEnds: why a job ended, by the system's own words.
func TestEnds(t *testing.T) {
	t.Parallel()
	forEachSystem(t, func(t *testing.T, b *fixture) {
		if b.d.Name == "cobalt" {
			t.Skip("it has no words for it")
		}
		b.ForgetEnded()
		for why, want := range map[fakebatch.EndReason]pilot.CauseCode{
			fakebatch.Overtime: pilot.RuntimeReached, fakebatch.Memory: pilot.OutOfMemory, fakebatch.NodeFail: pilot.NodeFailed,
			fakebatch.Canceled: pilot.JobCanceledByThem, fakebatch.Preempted: pilot.Preempted,
		} {
			switch {
			case why == fakebatch.Preempted && (b.d.Name == "sge" || b.d.Name == "torque" || b.d.Name == "oar"):
				continue // they put a job that had to go back into the queue, or cancel it
			case why == fakebatch.Memory && b.d.Name == "oar":
				continue // it watches none
			}
			id := b.submitForID(1, "exec sleep 600")
			b.Kill(id, why)
			if b.d.History == nil {
				continue
			}
			if r := b.lastRecord(id); r.Phase != adaptor.Ended || r.Cause != want {
				t.Errorf("%s: %+v", why, r)
			}
		}
	})
}

// TestPhases: what befalls a job that has not ended is no end.
func TestPhases(t *testing.T) {
	t.Parallel()
	forEachSystem(t, func(t *testing.T, b *fixture) {
		id := b.submitForID(1, "exec sleep 600")
		b.Suspend(id)
		if r := b.onlyJob(); r.Phase != adaptor.Suspended {
			t.Errorf("suspended: %+v", r)
		}
		b.Resume(id)
		if r := b.onlyJob(); r.Phase != adaptor.Running {
			t.Errorf("resumed: %+v", r)
		}
		b.Stop()
		b.Requeue(id)
		if r := b.onlyJob(); r.Phase != adaptor.Queued || r.ID != id {
			t.Errorf("requeued: %+v", r)
		}
		b.Start()
		if r := b.onlyJob(); r.Phase != adaptor.Running || r.ID != id {
			t.Errorf("begun again: %+v", r)
		}
		b.RecycleID(id)
		for _, r := range b.listJobs() {
			if hasTokenOf(r, 1) {
				t.Errorf("another user's job is taken for ours: %+v", r)
			}
		}
	})
}

// TestAccounting: without it, or where it is late, a job that is gone is not an end.
func TestAccounting(t *testing.T) {
	t.Parallel()
	forEachSystem(t, func(t *testing.T, b *fixture) {
		if b.d.History == nil {
			t.Skip("it keeps none")
		}
		b.ForgetEnded()
		id := b.submitForID(1, "true")
		b.WaitState(id, fakebatch.Ended)
		if jobs := b.listJobs(); len(jobs) != 0 {
			t.Fatalf("it is shown: %+v", jobs)
		}
		history := func() ([]batch.Record, error) {
			q := b.d.History([]batch.Ref{{ID: id}}, time.Now().Add(-time.Hour))
			return q.Read(b.runCommand(runner.Command{Argv: q.Argv}))
		}
		b.Inject(fakebatch.Failure{Kind: fakebatch.HistoryLags})
		if jobs, err := history(); err != nil || len(jobs) != 0 {
			t.Errorf("late: %+v, %v", jobs, err)
		}
		b.Inject(fakebatch.Failure{Kind: fakebatch.HistoryFails})
		if jobs, err := history(); err == nil {
			t.Errorf("it fails: %+v", jobs)
		}
		if r := b.lastRecord(id); r.Phase != adaptor.Ended || !r.Exited || r.ExitCode != 0 {
			t.Errorf("in the end: %+v", r)
		}
	})
}
