package launcher_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// startStrayJob puts a job into the batch system that no launcher knows of.
func (f *fleet) startStrayJob(k pilot.Key, attempt int) string {
	f.t.Helper()
	p, _ := f.foldView().Get(k.Manager, k.Pilot)
	spec := adaptor.Spec{Key: k, Attempt: attempt, SubmittedAt: p.SubmittedAt, Description: pilot.Description{Runtime: pilot.Runtime(24 * time.Hour)}}
	placed, err := f.batch.Open().Submit(f.t.Context(), &spec)
	if err != nil {
		f.t.Fatal(err)
	}
	return placed.Job.ID
}

func (f *fleet) listOrphans(m *member, r api.OrphansRequest) api.OrphansAnswer {
	f.t.Helper()
	answer, err := m.ListOrphans(context.Background(), r)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer
}

func orphanReasons(a api.OrphansAnswer) map[string]api.OrphanReason {
	out := map[string]api.OrphanReason{}
	for _, o := range a.Orphans {
		out[o.Pilot+"."+string(rune('0'+o.Attempt))] = o.Reason
	}
	return out
}

// TestOrphansAreFoundAndKilled: of all jobs of the resource's batch systems those
// of nobody are shown, foreign ones are spared, and only what was named is killed.
func TestOrphansAreFoundAndKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{Script: func(s *adaptor.Spec) adaptortest.Script {
			return adaptortest.Script{Hold: s.Key.Pilot != "done"}
		}})
		m := f.launch("a")
		f.awaitState(f.submit("done", pilot.Description{}), pilot.Done)
		f.awaitState(f.submit("lives", pilot.Description{}), pilot.Active)
		time.Sleep(10 * time.Minute)
		f.batch.SetHandler(nil) // so that no stray job is told by its agent's answers to end
		late, other := f.startStrayJob(key("done"), 2), f.startStrayJob(key("ghost"), 1)
		f.startStrayJob(pilot.Key{Manager: "other", Pilot: "p"}, 1)
		got := f.listOrphans(m, api.OrphansRequest{})
		if len(got.Systems) != 1 || got.Systems[0].Jobs != 4 || got.Systems[0].Error != "" {
			t.Fatalf("asked %+v", got.Systems)
		}
		want := map[string]api.OrphanReason{"done.2": api.UnknownAttempt, "ghost.1": api.UnknownManager, "p.1": api.UnknownManager}
		if r := orphanReasons(got); len(r) != len(want) || r["done.2"] != want["done.2"] || r["ghost.1"] != want["ghost.1"] || r["p.1"] != want["p.1"] {
			t.Fatalf("orphans %v", r)
		}
		var named []api.OrphanName
		for _, o := range got.Orphans {
			if o.ID == late || o.ID == other {
				named = append(named, o.OrphanName)
			}
		}
		for _, o := range f.listOrphans(m, api.OrphansRequest{Kill: named}).Orphans {
			if want := map[bool]api.OrphanFate{true: api.OrphanKept}[o.ID == late || o.ID == other]; o.Fate != want {
				t.Errorf("%s: %q, want %q", o.Token, o.Fate, want)
			}
		}
		if n := f.batch.LiveJobs(); n != 4 {
			t.Fatalf("%d jobs live", n)
		}
		for _, o := range f.listOrphans(m, api.OrphansRequest{Kill: named, Foreign: true}).Orphans {
			if want := map[bool]api.OrphanFate{true: api.OrphanKilled}[o.ID == late || o.ID == other]; o.Fate != want {
				t.Errorf("%s: %q, want %q", o.Token, o.Fate, want)
			}
		}
		if n := f.batch.LiveJobs(); n != 2 {
			t.Fatalf("%d jobs live", n)
		}
	})
}

// TestLaunchingIsNoOrphan: while a submit is under way, and after it was lost, its
// job belongs to its pilot; the job of an attempt that was given up does not.
func TestLaunchingIsNoOrphan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{
			Settle: 10 * time.Second,
			Script: func(*adaptor.Spec) adaptortest.Script { return adaptortest.Script{Queue: time.Hour, Hold: true} },
			Inject: func(c adaptortest.Call) adaptortest.Failure {
				switch {
				case c.Op == adaptortest.Submit && c.N == 1:
					return adaptortest.LoseAnswer
				case c.Op == adaptortest.Find:
					return adaptortest.Forget // as a system that shows the job too late
				}
				return adaptortest.None
			},
		})
		m := f.launch("a")
		k := f.submit("p", pilot.Description{})
		for p := f.awaitState(k, pilot.Launching); p.Attempt == 1 && p.State == pilot.Launching; p = f.get(k) {
			if got := f.listOrphans(m, api.OrphansRequest{}); len(got.Orphans) != 0 {
				t.Fatalf("while its pilot is %s: %+v", p.State, got.Orphans)
			}
			time.Sleep(time.Second)
		}
		f.await(k, "queued again", func(p *projection.Pilot) bool { return p.State == pilot.PendingActive && p.Attempt == 2 })
		time.Sleep(2 * time.Minute)
		got := f.listOrphans(m, api.OrphansRequest{})
		if len(got.Orphans) != 1 {
			t.Fatalf("orphans %+v", got.Orphans)
		}
		if o := got.Orphans[0]; o.Reason != api.AttemptSuperseded || o.Attempt != 1 || o.Foreign {
			t.Errorf("the orphan is %+v", o)
		}
	})
}

// TestLostJobsOfEndedPilots: the job that outlives its pilot is killed, but not
// within the first minute; a system that cannot be asked is told of.
func TestLostJobsOfEndedPilots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{Script: func(s *adaptor.Spec) adaptortest.Script {
			return adaptortest.Script{Queue: time.Hour, Hold: true}
		}, Inject: func(c adaptortest.Call) adaptortest.Failure {
			if c.Op == adaptortest.Poll {
				return adaptortest.Forget
			}
			return adaptortest.None
		}})
		m := f.launch("a")
		f.awaitState(f.submit("p", pilot.Description{}), pilot.Failed) // job_vanished: the system lied
		if got := f.listOrphans(m, api.OrphansRequest{}); len(got.Orphans) != 0 {
			t.Fatalf("at once: %+v", got.Orphans)
		}
		time.Sleep(2 * time.Minute)
		got := f.listOrphans(m, api.OrphansRequest{})
		if len(got.Orphans) != 1 || got.Orphans[0].Reason != api.PilotEnded || got.Orphans[0].Foreign {
			t.Fatalf("orphans %+v", got.Orphans)
		}
		name := got.Orphans[0].OrphanName
		for _, wrong := range []api.OrphanName{
			{System: name.System, ID: name.ID, Token: "m.p.2"}, {System: "slurm://x/", ID: name.ID, Token: name.Token},
		} {
			if got := f.listOrphans(m, api.OrphansRequest{Kill: []api.OrphanName{wrong}}); got.Orphans[0].Fate != "" {
				t.Fatalf("%+v was taken for %+v", wrong, name)
			}
		}
		f.batch.Break(errors.New("connection refused"))
		if got := f.listOrphans(m, api.OrphansRequest{Kill: []api.OrphanName{name}}); got.Systems[0].Error == "" || len(got.Orphans) != 0 {
			t.Fatalf("it cannot be asked: %+v", got)
		}
		f.batch.Break(nil)
		if got := f.listOrphans(m, api.OrphansRequest{Kill: []api.OrphanName{name}}); got.Orphans[0].Fate != api.OrphanKilled {
			t.Fatalf("killed: %+v", got.Orphans)
		}
		if n := f.batch.LiveJobs(); n != 0 || len(f.listOrphans(m, api.OrphansRequest{}).Orphans) != 0 {
			t.Errorf("%d jobs live", n)
		}
		if !slices.Contains(f.historyKinds(key("p")), "failed") {
			t.Errorf("its pilot is %v", f.historyKinds(key("p")))
		}
	})
}
