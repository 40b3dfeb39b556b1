package batch_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/pilot"
)

// listingSources are the ways by which a launcher gets its listings.
var listingSources = map[string]func(*fixture) batch.Lister{
	"own": func(*fixture) batch.Lister { return nil },
	"of another launcher": func(b *fixture) batch.Lister {
		asks := b.openSystem()
		return batch.NewListingCache(func(ctx context.Context) ([]batch.Record, error) {
			jobs, err := asks.QueryJobs(ctx)
			if err != nil {
				return nil, err
			}
			packed, err := batch.PackJobs(jobs)
			if err != nil {
				return nil, err
			}
			return batch.UnpackJobs(packed)
		}, 10*time.Millisecond)
	},
}

// forEachSource runs a test over each system that needs no file and the one of the manual's,
// by listings of both ways; in short, by another launcher's only over two.
func forEachSource(t *testing.T, test func(*testing.T, *fixture)) {
	t.Helper()
	for _, system := range append(fakebatch.Systems(), "oar") {
		for how, lister := range listingSources {
			if testing.Short() && how != "own" && !slices.Contains(protocolSystems, system) {
				continue
			}
			t.Run(system+" "+how, func(t *testing.T) {
				t.Parallel()
				b := newFixture(t, system)
				b.listings = lister(b)
				test(t, b)
			})
		}
	}
}

func inPhase(p adaptor.Phase) func(adaptor.Status) bool {
	return func(st adaptor.Status) bool { return st.Phase == p }
}

// TestRenamedJobs: a job that is called something else is the same one, whether it waits,
// runs or has ended, and for a launcher that has not seen it before.
func TestRenamedJobs(t *testing.T) {
	t.Parallel()
	forEachSource(t, func(t *testing.T, b *fixture) {
		s := b.openSystem()
		b.fake.Stop()
		h := b.submit(s, b.spec("p", 1, "exec sleep 1000"))
		b.fake.Rename(h.Job.ID, "my-analysis")
		for _, each := range []*batch.System{s, b.openSystem(), s} {
			if st := b.poll(each, h); st.Phase != adaptor.Queued {
				t.Errorf("renamed in the queue, it is %+v", st)
			}
		}
		b.fake.Start()
		b.waitUntil(s, h, "running", inPhase(adaptor.Running))
		b.fake.Rename(h.Job.ID, "again")
		if st := b.poll(s, h); st.Phase != adaptor.Running {
			t.Errorf("renamed as it runs, it is %+v", st)
		}
		b.fake.Kill(h.Job.ID, fakebatch.NodeFail)
		if b.system == "cobalt" {
			return // it forgets
		}
		if st := b.waitEnded(s, h); st.Outcome == nil || st.Outcome.Code != pilot.NodeFailed {
			t.Errorf("its end is %+v, %+v", st, st.Outcome)
		}
	})
}

// TestRenamedJobsAreCanceled: a cancel reaches a job under its new name.
func TestRenamedJobsAreCanceled(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]adaptor.Stop{"first": {}, "by force": {Force: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachSource(t, func(t *testing.T, b *fixture) {
				s := b.openSystem()
				runs := b.submit(s, b.spec("runs", 1, "exec sleep 1000"))
				b.waitUntil(s, runs, "running", inPhase(adaptor.Running))
				b.fake.Stop()
				waits := b.submit(s, b.spec("waits", 1, "exec sleep 1000"))
				for _, h := range []adaptor.Handle{runs, waits} {
					b.fake.Rename(h.Job.ID, "my analysis")
					if err := s.Cancel(t.Context(), h, stop); err != nil {
						t.Fatal(err)
					}
					b.fake.WaitState(h.Job.ID, fakebatch.Ended)
				}
				if n := b.countRuns("waits"); n != 0 {
					t.Errorf("canceled in the queue, it ran %d times", n)
				}
			})
		})
	}
}

// TestRenamedIsNotAnother: a job of another attempt that has our id and another name is
// asked, and is neither ours nor ended as ours.
func TestRenamedIsNotAnother(t *testing.T) {
	t.Parallel()
	forEachSource(t, func(t *testing.T, b *fixture) {
		s := b.openSystem()
		b.fake.Stop()
		h := b.submit(s, b.spec("p", 1, "exec sleep 1000"))
		b.fake.Rename(h.Job.ID, "my-analysis")
		other := h
		other.Attempt = 2
		if st := b.poll(s, other); st.Phase != adaptor.Vanished {
			t.Errorf("the id with another token is %+v", st)
		}
		for _, force := range []bool{false, true} {
			if err := s.Cancel(t.Context(), other, adaptor.Stop{Force: force}); err != nil {
				t.Error(err)
			}
		}
		if st := b.poll(s, h); st.Phase != adaptor.Queued {
			t.Errorf("after the cancel of another attempt: %+v", st)
		}
	})
}

// TestDoubtIsNoAbsence: a listed id whose job cannot be asked is unknown, also where the
// listing is another launcher's and does not show it, and a cancel says that it did not
// reach it.
func TestDoubtIsNoAbsence(t *testing.T) {
	t.Parallel()
	for _, system := range []string{"slurm", "sge", "lsf", "oar"} {
		for how, lister := range listingSources {
			t.Run(system+" "+how, func(t *testing.T) {
				t.Parallel()
				b := newFixture(t, system)
				b.listings = lister(b)
				s := b.openSystem()
				b.fake.Stop()
				h := b.submit(s, b.spec("p", 1, "exec sleep 1000"))
				b.fake.Rename(h.Job.ID, "my-analysis")
				b.fake.Inject(fakebatch.Failure{Kind: fakebatch.AskFails, Times: -1})
				if st := b.poll(s, h); st.Phase != adaptor.Unknown {
					t.Errorf("it is %+v", st)
				}
				if err := s.Cancel(t.Context(), h, adaptor.Stop{Force: true}); err == nil {
					t.Error("its cancel is said to have been sent")
				}
				b.fake.ClearFailures()
				if st := b.poll(s, h); st.Phase != adaptor.Queued {
					t.Errorf("asked again, it is %+v", st)
				}
			})
		}
	}
}

// TestRenamedJobsAreAskedOnce: once it has said whose it is, a job goes by its new name.
func TestRenamedJobsAreAskedOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t, "slurm")
	s := b.openSystem()
	b.fake.Stop()
	h := b.submit(s, b.spec("p", 1, "exec sleep 1000"))
	b.fake.Rename(h.Job.ID, "my-analysis")
	var asked []int
	for range 3 {
		if st := b.poll(s, h); st.Phase != adaptor.Queued {
			t.Fatalf("it is %+v", st)
		}
		asked = append(asked, b.fake.CallCounts()["scontrol"])
	}
	if !slices.Equal(asked, []int{1, 1, 1}) {
		t.Errorf("asked %v times", asked)
	}
}

// TestRenamedJobsAreSurveyed: a job that nobody looks after is shown by its token whatever
// it is called, and killed by that token and no other; a user's own jobs are not shown.
func TestRenamedJobsAreSurveyed(t *testing.T) {
	t.Parallel()
	forEachSource(t, func(t *testing.T, b *fixture) {
		s := b.openSystem()
		b.fake.Stop()
		h, kept := b.submit(s, b.spec("p", 1, "exec sleep 1000")), b.submit(s, b.spec("kept", 1, "exec sleep 1000"))
		b.fake.Rename(h.Job.ID, "my analysis")
		var seen adaptor.Job
		sights := func() int {
			t.Helper()
			all, err := b.openSystem().ListJobs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, j := range all {
				if j.ID == h.Job.ID {
					seen, n = j, n+1
				}
			}
			return n
		}
		if n := sights(); n != 1 || seen.Token != h.Token() {
			t.Fatalf("it is shown %d times, as %+v", n, seen)
		}
		other, second := seen, h
		second.Attempt = 2
		other.Token = second.Token()
		if killed, err := s.KillJob(t.Context(), other); killed || err != nil {
			t.Errorf("the id with another token: killed %v, %v", killed, err)
		}
		if st := b.poll(s, h); st.Phase != adaptor.Queued {
			t.Errorf("after that it is %+v", st)
		}
		if killed, err := b.openSystem().KillJob(t.Context(), seen); !killed || err != nil {
			t.Fatalf("killed %v, %v", killed, err)
		}
		b.fake.WaitState(h.Job.ID, fakebatch.Ended)
		if st := b.poll(s, kept); sights() != 0 || st.Phase != adaptor.Queued {
			t.Errorf("it is shown as %+v still, and the other one is %+v", seen, st)
		}
	})
}

// TestRenamedJobsAreFound: a job whose submit's answer was lost, and that its user called
// something else at once, is found by the token that it was submitted with; another attempt
// is not found in it.
func TestRenamedJobsAreFound(t *testing.T) {
	t.Parallel()
	forEachSource(t, func(t *testing.T, b *fixture) {
		s, spec := b.openSystem(), b.spec("p", 1, "exit 0")
		b.fake.Stop()
		b.fake.Inject(fakebatch.Failure{Kind: fakebatch.QueueThenRename})
		if _, err := s.Submit(t.Context(), spec); err == nil {
			t.Fatal("it was answered")
		}
		id := b.fake.Jobs()[0].ID
		for _, each := range []*batch.System{s, b.openSystem(), s} {
			if p, ok, err := each.Find(t.Context(), spec); !ok || err != nil || p.Job.ID != id {
				t.Fatalf("found %+v, %v, %v; want %s", p, ok, err, id)
			}
		}
		second := *spec
		second.Attempt = 2
		if p, ok, err := s.Find(t.Context(), &second); ok || err != nil {
			t.Errorf("another attempt is found: %+v, %v", p, err)
		}
		p, _, _ := s.Find(t.Context(), spec)
		b.fake.Start()
		if st := b.waitEnded(s, b.handle(spec, p)); st.Outcome == nil || st.Outcome.Kind != api.OutcomeDone {
			t.Errorf("it ends %+v", st)
		}
		if n, ran := b.fake.SubmitCount(), b.countRuns("p"); n != 1 || ran != 1 {
			t.Errorf("%d submits, %d runs", n, ran)
		}
	})
}

// TestFindInDoubt: while a job under another name cannot be asked, it is not known whether
// there is one of the attempt.
func TestFindInDoubt(t *testing.T) {
	t.Parallel()
	for _, system := range []string{"slurm", "sge", "lsf", "oar"} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, system)
			s, spec := b.openSystem(), b.spec("p", 1, "exit 0")
			b.fake.Stop()
			b.fake.Inject(fakebatch.Failure{Kind: fakebatch.QueueThenRename}, fakebatch.Failure{Kind: fakebatch.AskFails, Times: -1})
			if _, err := s.Submit(t.Context(), spec); err == nil {
				t.Fatal("it was answered")
			}
			for range 2 {
				if p, ok, err := s.Find(t.Context(), spec); ok || err == nil {
					t.Errorf("found %+v, %v, %v", p, ok, err)
				}
			}
			b.fake.ClearFailures()
			if _, ok, err := s.Find(t.Context(), spec); !ok || err != nil {
				t.Errorf("asked again: found %v, %v", ok, err)
			}
		})
	}
}

// TestFindOfPilotsThatEnd: a sandbox that cannot be read is no reason to wait where no job
// lives, and is one where a job lives, whatever it is called.
func TestFindOfPilotsThatEnd(t *testing.T) {
	t.Parallel()
	for _, system := range fakebatch.Systems() {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, system)
			s, spec := b.openSystem(), b.spec("p", 1, "exit 0")
			b.fake.Stop()
			b.fake.Inject(fakebatch.Failure{Kind: fakebatch.QueueThenRename})
			if _, err := s.Submit(t.Context(), spec); err == nil {
				t.Fatal("it was answered")
			}
			unread := *spec
			unread.Config.DefaultRemoteWorkdir = "~nobody-here/x"
			unread.LiveOnly = true
			if _, ok, err := b.openSystem().Find(t.Context(), &unread); ok || err == nil {
				t.Errorf("a job lives: found %v, %v", ok, err)
			}
			unread.Attempt = 2
			if _, ok, err := b.openSystem().Find(t.Context(), &unread); ok || err != nil {
				t.Errorf("none lives: found %v, %v", ok, err)
			}
		})
	}
}

// TestRenamedJobsOfFilesWithoutTokens: what docs/batch-systems.md says of a system of a file
// that has no such question. A job that was renamed before its id was known is not found;
// what is submitted in its place runs, and it does not. One that is known is in doubt.
func TestRenamedJobsOfFilesWithoutTokens(t *testing.T) {
	t.Parallel()
	b := newFixture(t, "oar")
	b.mute = true
	mum := declaredOAR.Dialect
	mum.Tokens = nil
	b.dialect = &mum
	s, spec := b.openSystem(), b.spec("p", 1, "exit 0")
	b.fake.Stop()
	b.fake.Inject(fakebatch.Failure{Kind: fakebatch.QueueThenRename})
	if _, err := s.Submit(t.Context(), spec); err == nil {
		t.Fatal("it was answered")
	}
	if p, ok, err := s.Find(t.Context(), spec); ok || err != nil {
		t.Errorf("found %+v, %v", p, err)
	}
	next := b.submit(s, b.spec("p", 2, "exit 0"))
	b.fake.Rename(next.Job.ID, "my-analysis")
	if st := b.poll(s, next); st.Phase != adaptor.Unknown {
		t.Errorf("renamed, it is %+v", st)
	}
	b.fake.Start()
	for _, j := range b.fake.Jobs() {
		b.fake.WaitState(j.ID, fakebatch.Ended)
	}
	if n, ran := b.fake.SubmitCount(), b.countRuns("p"); n != 2 || ran != 1 {
		t.Errorf("%d submits, %d runs", n, ran)
	}
}
