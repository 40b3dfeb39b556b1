package batch_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

// protocolSystems show the token, the one, and a part of the name only, the other.
var protocolSystems = []string{"slurm", "sge"}

// TestLostAnswers: whatever becomes of the answer to a submit, Find gives the one job.
func TestLostAnswers(t *testing.T) {
	for _, system := range protocolSystems {
		for _, kind := range []fakebatch.Kind{fakebatch.QueueThenTimeout, fakebatch.QueueThenGarbage, fakebatch.QueueThenDie} {
			t.Run(system+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				b := newFixture(t, system)
				s, spec := b.openSystem(), b.spec("p", 1, "exit 0")
				b.fake.Inject(fakebatch.Failure{Kind: kind})
				_, err := s.Submit(t.Context(), spec)
				var refusal *adaptor.Error
				if !errors.As(err, &refusal) || refusal.Class != adaptor.Uncertain {
					t.Fatalf("it says %v", err)
				}
				p, ok, err := b.openSystem().Find(t.Context(), spec)
				if !ok || err != nil {
					t.Fatalf("not found: %v; jobs %+v", err, b.fake.Jobs())
				}
				if st := b.waitEnded(s, b.handle(spec, p)); st.Outcome == nil || st.Outcome.Kind != api.OutcomeDone {
					t.Errorf("it ends %+v", st)
				}
				if n, ran := b.fake.SubmitCount(), b.countRuns("p"); n != 1 || ran != 1 {
					t.Errorf("%d submits, %d runs", n, ran)
				}
			})
		}
	}
}

// TestOverwrittenTokens: where a site writes words of its own over the token, the job is
// known by its name. It is neither lost nor submitted again, and can be shown and ended.
func TestOverwrittenTokens(t *testing.T) {
	for _, system := range fakebatch.Systems() {
		for _, words := range []string{"", "checked by the site", "project=x.y.1.z"} {
			t.Run(system+" "+words, func(t *testing.T) {
				t.Parallel()
				b := newFixture(t, system)
				s, spec := b.openSystem(), b.spec("p", 1, "exec sleep 1000")
				b.fake.Stop() // the job's own word is not to be what finds it
				b.fake.Inject(fakebatch.Failure{Kind: fakebatch.QueueThenTimeout})
				if _, err := s.Submit(t.Context(), spec); err == nil {
					t.Fatal("it was answered")
				}
				id := b.fake.Jobs()[0].ID
				b.fake.Relabel(id, words)
				p, ok, err := b.openSystem().Find(t.Context(), spec)
				if !ok || err != nil || p.Job.ID != id {
					t.Fatalf("found %+v, %v, %v", p, ok, err)
				}
				h := b.handle(spec, p)
				b.fake.Start()
				b.waitUntil(s, h, "running", func(st adaptor.Status) bool { return st.Phase == adaptor.Running })
				shown, err := s.ListJobs(t.Context())
				if err != nil || len(shown) != 1 || shown[0].Token != "" || shown[0].Tag != render.Tag(spec.Token()) {
					t.Errorf("shown %+v, %v", shown, err)
				}
				b.stopByForce(s, h)
			})
		}
	}
}

// TestAccountingOfOthers: what accounting shows of others, as sacct does to root, is not
// taken for ours.
func TestAccountingOfOthers(t *testing.T) {
	for _, system := range fakebatch.Systems() {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, system)
			s, spec := b.openSystem(), b.spec("p", 1, "exit 0")
			h := b.submit(s, spec)
			b.waitEnded(s, h)
			b.fake.AddTwin(h.Job.ID)
			b.fake.Purge(h.Job.ID, true)
			if err := os.RemoveAll(h.Sandbox); err != nil {
				t.Fatal(err)
			}
			if p, ok, err := b.openSystem().Find(t.Context(), spec); ok || err != nil {
				t.Errorf("found %+v, %v", p, err)
			}
		})
	}
}

// TestFindWithoutHistory: where no accounting is kept, what the queue and the marks do
// not show is not there; where it only fails to answer, nobody knows.
func TestFindWithoutHistory(t *testing.T) {
	for _, system := range []string{"slurm", "sge", "pbspro"} {
		for kind, known := range map[fakebatch.Kind]bool{fakebatch.HistoryOff: true, fakebatch.HistoryFails: false} {
			t.Run(system+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				b := newFixture(t, system)
				b.fake.Inject(fakebatch.Failure{Kind: kind})
				for range 2 { // the second time it answers
					if _, ok, err := b.openSystem().Find(t.Context(), b.spec("p", 1, "exit 0")); ok || (err == nil) != known {
						t.Errorf("found %v, %v", ok, err)
					}
					known = true
				}
			})
		}
	}
}

// TestRefusedSubmits: nothing is there, and it is said whether it may be tried again.
func TestRefusedSubmits(t *testing.T) {
	for _, system := range protocolSystems {
		for kind, class := range map[fakebatch.Kind]adaptor.Class{
			fakebatch.Reject: adaptor.Rejected, fakebatch.Throttle: adaptor.Throttled, fakebatch.Unreachable: adaptor.NotSent,
		} {
			t.Run(system+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				b := newFixture(t, system)
				s, spec := b.openSystem(), b.spec("p", 1, "exit 0")
				b.fake.Inject(fakebatch.Failure{Kind: kind})
				_, err := s.Submit(t.Context(), spec)
				var refusal *adaptor.Error
				if !errors.As(err, &refusal) || refusal.Class != class {
					t.Fatalf("it says %v, want %s", err, class)
				}
				if n := len(b.fake.Jobs()); n != 0 {
					t.Errorf("%d jobs", n)
				}
			})
		}
	}
}

// TestListingsThatLie: no answer of a listing ends a job that runs.
func TestListingsThatLie(t *testing.T) {
	for _, system := range protocolSystems {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, system)
			s, spec := b.openSystem(), b.spec("p", 1, "exec sleep 1000")
			h := b.submit(s, spec)
			running := func(st adaptor.Status) bool { return st.Phase == adaptor.Running }
			b.waitUntil(s, h, "running", running)
			for _, kind := range []fakebatch.Kind{
				fakebatch.ListFails, fakebatch.ListEmpty, fakebatch.ListPartial, fakebatch.ListError, fakebatch.Unreachable,
			} {
				b.fake.Inject(fakebatch.Failure{Kind: kind})
				if all, err := s.Poll(t.Context(), []adaptor.Handle{h}, time.Now()); err == nil && all[0].Phase == adaptor.Ended {
					t.Errorf("%s: %+v", kind, all[0])
				}
				b.fake.ClearFailures()
				b.waitUntil(s, h, "running after "+string(kind), running)
			}
			b.stopByForce(s, h)
		})
	}
}

// TestForgottenJobs: a job that only the accounting believes to run is not shown.
func TestForgottenJobs(t *testing.T) {
	for _, system := range protocolSystems {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, system)
			s, spec := b.openSystem(), b.spec("p", 1, "exec sleep 1000")
			h := b.submit(s, spec)
			b.waitUntil(s, h, "running", func(st adaptor.Status) bool { return st.Phase == adaptor.Running })
			b.fake.Inject(fakebatch.Failure{Kind: fakebatch.ListForgets, Times: -1})
			b.waitUntil(s, h, "forgotten", func(st adaptor.Status) bool { return st.Phase == adaptor.Vanished })
			b.fake.ClearFailures()
			b.waitUntil(s, h, "shown again", func(st adaptor.Status) bool { return st.Phase == adaptor.Running })
			b.stopByForce(s, h)
		})
	}
}

// TestIDsOfOthers: a job that has our id and not our token is not ours.
func TestIDsOfOthers(t *testing.T) {
	for _, system := range protocolSystems {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, system)
			s, spec := b.openSystem(), b.spec("p", 1, "exec sleep 1000")
			h := b.submit(s, spec)
			b.waitUntil(s, h, "running", func(st adaptor.Status) bool { return st.Phase == adaptor.Running })
			other := h
			other.Attempt = 2
			if st := b.poll(s, other); st.Phase != adaptor.Vanished {
				t.Errorf("the id with another token is %+v", st)
			}
			if err := s.Cancel(t.Context(), other, adaptor.Stop{Force: true}); err != nil {
				t.Error(err)
			}
			if st := b.poll(s, h); st.Phase != adaptor.Running {
				t.Errorf("after the cancel of another attempt: %+v", st)
			}
			b.stopByForce(s, h)
		})
	}
}

// TestCancelsShareListings: many jobs at work are told to end for one listing, and one
// that it does not show costs another.
func TestCancelsShareListings(t *testing.T) {
	for _, system := range protocolSystems {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, system)
			var all []adaptor.Handle
			first := b.openSystem()
			for _, uid := range []string{"a", "b", "c"} {
				h := b.submit(first, b.spec(uid, 1, "exec sleep 1000"))
				b.waitUntil(first, h, "running", func(st adaptor.Status) bool { return st.Phase == adaptor.Running })
				all = append(all, h)
			}
			asked := 0
			ask := func(ctx context.Context) ([]batch.Record, error) {
				asked++
				return first.QueryJobs(ctx)
			}
			b.floor, b.listings = time.Hour, batch.NewListingCache(ask, 0)
			s := b.openSystem()
			for _, h := range all {
				if err := s.Cancel(t.Context(), h, adaptor.Stop{}); err != nil {
					t.Fatal(err)
				}
			}
			if asked != 1 {
				t.Errorf("%d listings for %d cancels", asked, len(all))
			}
			stranger := all[0]
			stranger.Attempt = 2
			if err := s.Cancel(t.Context(), stranger, adaptor.Stop{}); err != nil || asked != 2 {
				t.Errorf("one that is not shown: %v, %d listings", err, asked)
			}
			for _, h := range all {
				b.waitEnded(first, h)
			}
		})
	}
}

// TestMuteAgents: an agent that reaches nobody is known by its marks.
func TestMuteAgents(t *testing.T) {
	t.Parallel()
	b := newFixture(t, "slurm")
	b.mute = true
	s, spec := b.openSystem(), b.spec("p", 1, "until [ -e go ]; do sleep 0.05; done; exit 3")
	h := b.submit(s, spec)
	st := b.waitUntil(s, h, "its beginning", func(st adaptor.Status) bool { return st.AgentStart != nil })
	if st.Phase != adaptor.Running || st.AgentStart.Instance == "" {
		t.Errorf("begun as %+v", st)
	}
	createFile(t, h.Sandbox+"/go")
	st = b.waitEnded(s, h)
	if out := st.Outcome; out == nil || out.Code != pilot.PayloadFailed || out.ExitCode == nil || *out.ExitCode != 3 {
		t.Errorf("it ends %+v", st.Outcome)
	}
	if secret := b.LastSecret("p"); secret != "" {
		t.Error("its agent asked")
	}
}

// TestLateJobsOfMuteAgents: a job that shows up after its attempt was given up runs
// nothing, though its agent can ask nobody.
func TestLateJobsOfMuteAgents(t *testing.T) {
	t.Parallel()
	b := newFixture(t, "slurm")
	b.mute = true
	s := b.openSystem()
	b.fake.Stop()
	late, next := b.submit(s, b.spec("p", 1, "exit 0")), b.submit(s, b.spec("p", 2, "exit 0"))
	b.fake.Start()
	for h, kind := range map[*adaptor.Handle]api.OutcomeKind{&late: api.OutcomeFailed, &next: api.OutcomeDone} {
		if st := b.waitEnded(s, *h); st.Outcome == nil || st.Outcome.Kind != kind {
			b.Errorf("attempt %d ends %+v, %+v", h.Attempt, st, st.Outcome)
		}
	}
	if n := b.countRuns("p"); n != 1 {
		b.Errorf("the payload ran %d times", n)
	}
}

// stopByForce ends a job and sees that it ended so.
func (b *fixture) stopByForce(s *batch.System, h adaptor.Handle) {
	b.Helper()
	if err := s.Cancel(b.Context(), h, adaptor.Stop{Force: true}); err != nil {
		b.Fatal(err)
	}
	if st := b.waitEnded(s, h); st.Outcome == nil || st.Outcome.Kind != api.OutcomeCanceled {
		b.Errorf("killed, it is %+v", st)
	}
}
