package launcher_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// limitChanges are changes of the time limit of a job that was asked for an hour.
type limitChanges []struct{ at, limit time.Duration }

// TestALimitThatIsChanged moves the deadline both ways, and the agent keeps to it.
func TestALimitThatIsChanged(t *testing.T) {
	const hour = time.Hour
	for name, c := range map[string]struct {
		changes limitChanges
		want    time.Duration // how long the payload runs
		moves   int
	}{
		"never":                      {nil, hour, 0},
		"longer":                     {limitChanges{{hour / 2, 2 * hour}}, 2 * hour, 1},
		"shorter":                    {limitChanges{{hour / 4, hour / 2}}, hour / 2, 1},
		"longer, and shorter":        {limitChanges{{hour / 4, 3 * hour}, {hour / 2, hour + hour/2}}, hour + hour/2, 2},
		"longer, and back":           {limitChanges{{hour / 4, 3 * hour}, {hour / 2, hour}}, hour, 2},
		"while it waited":            {limitChanges{{0, 2 * hour}}, 2 * hour, 1},
		"not to be told for a while": {limitChanges{{hour / 4, 0}, {hour / 2, hour}}, hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, withScript(adaptortest.Script{Queue: 10 * time.Minute, Hold: true}))
				f.launch("a")
				k := f.submit("p", pilot.Description{Executable: "solve"})
				f.awaitState(k, pilot.PendingActive)
				time.Sleep(time.Minute)
				for _, change := range c.changes {
					if change.at > 0 {
						p := f.awaitState(k, pilot.Active)
						time.Sleep(time.Until(p.ActiveAt.Add(change.at)))
					}
					f.batch.SetLimit(k, change.limit)
				}
				p := f.awaitState(k, pilot.Failed)
				ran := p.EndedAt.Sub(p.ActiveAt).Round(time.Minute)
				if p.Cause.Code != pilot.RuntimeReached || ran != c.want || p.Deadline.Sub(p.ActiveAt) != c.want {
					t.Errorf("ran %s, deadline after %s: %+v; want %s", ran, p.Deadline.Sub(p.ActiveAt), p.Cause, c.want)
				}
				if n := f.deadlineMoves(k); n != c.moves {
					t.Errorf("the deadline was moved %d times: %v", n, f.historyKinds(k))
				}
			})
		})
	}
}

// withScript has every job go by one script.
func withScript(s adaptortest.Script) adaptortest.Config {
	return adaptortest.Config{Script: func(*adaptor.Spec) adaptortest.Script { return s }}
}

// bulkPolledSystem is a system that is asked about all jobs at once, and shows phases.
type bulkPolledSystem struct{ *adaptortest.Endpoint }

func (bulkPolledSystem) MinPollInterval() time.Duration { return 2 * time.Second }

func bulkPolled(f *fleet) func(*launcher.Config) {
	return func(c *launcher.Config) { c.Systems = systemsByName{"fork": bulkPolledSystem{f.batch.Open()}} }
}

// deadlineMoves is how often a pilot's deadline was moved.
func (f *fleet) deadlineMoves(k pilot.Key) int {
	return len(slices.DeleteFunc(f.historyKinds(k), func(k events.Kind) bool { return k != "deadline" }))
}

// TestALimitChangedNearTheEnd: an agent that says that its deadline is near has its launcher
// look at the limit at once, also where another one of the fleet answers it.
func TestALimitChangedNearTheEnd(t *testing.T) {
	for name, other := range map[string]bool{"alone": false, "another one answers": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, withScript(adaptortest.Script{Hold: true}))
				f.launch("a", bulkPolled(f))
				k := f.submit("p", pilot.Description{Executable: "solve"})
				active := f.awaitState(k, pilot.Active).ActiveAt
				if other {
					f.heardBy(f.launch("b", bulkPolled(f)))
				}
				time.Sleep(time.Until(active.Add(time.Hour - 12*time.Second)))
				f.batch.SetLimit(k, 2*time.Hour)
				p := f.awaitState(k, pilot.Failed)
				if ran := p.EndedAt.Sub(p.ActiveAt).Round(time.Minute); ran != 2*time.Hour || f.deadlineMoves(k) != 1 || p.Launcher != "a" {
					t.Errorf("ran %s with %s, %v", ran, p.Launcher, f.historyKinds(k))
				}
			})
		})
	}
}

// TestTheSitesOwnLimit: what a site makes of the runtime at submit moves nothing.
func TestTheSitesOwnLimit(t *testing.T) {
	for name, limit := range map[string]time.Duration{"longer": 5 * time.Hour, "rounded": time.Hour + 59*time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, withScript(adaptortest.Script{Hold: true, Limit: limit}))
				f.launch("a")
				p := f.awaitState(f.submit("p", pilot.Description{Executable: "solve"}), pilot.Failed)
				if ran := p.EndedAt.Sub(p.ActiveAt).Round(time.Minute); ran != time.Hour || f.deadlineMoves(p.Key) != 0 {
					t.Errorf("ran %s, %v", ran, f.historyKinds(p.Key))
				}
			})
		})
	}
}

// TestALimitChangedWhileNobodyLooks: the launcher that comes after it, the same one or
// another, knows what the limit was at first by the note of the one before.
func TestALimitChangedWhileNobodyLooks(t *testing.T) {
	for _, heir := range []string{"a", "b"} {
		t.Run(heir, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, withScript(adaptortest.Script{Hold: true}))
				a := f.launch("a", bulkPolled(f))
				k := f.submit("p", pilot.Description{Executable: "solve"})
				f.await(k, "seen running", func(p *projection.Pilot) bool { return p.Note.Phase == "running" })
				f.kill(a)
				f.batch.SetLimit(k, 2*time.Hour)
				time.Sleep(time.Minute)
				f.launch(heir, bulkPolled(f))
				p := f.awaitState(k, pilot.Failed)
				if ran := p.EndedAt.Sub(p.ActiveAt).Round(time.Minute); ran != 2*time.Hour || f.deadlineMoves(k) != 1 {
					t.Errorf("ran %s, %v", ran, f.historyKinds(k))
				}
			})
		})
	}
}

// TestAnAdoptedAgentKeepsItsDeadline: who looks after a pilot later tells it the moved one.
func TestAnAdoptedAgentKeepsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, withScript(adaptortest.Script{Hold: true}))
		a := f.launch("a")
		k := f.submit("p", pilot.Description{Executable: "solve"})
		f.awaitState(k, pilot.Active)
		time.Sleep(time.Minute)
		f.batch.SetLimit(k, 2*time.Hour)
		f.await(k, "moved", func(p *projection.Pilot) bool { return p.Limit == 2*time.Hour })
		f.kill(a)
		f.launch("b")
		p := f.awaitState(k, pilot.Failed)
		if ran := p.EndedAt.Sub(p.ActiveAt).Round(time.Minute); ran != 2*time.Hour || f.deadlineMoves(k) != 1 || p.Launcher != "b" {
			t.Errorf("ran %s with %s, %v", ran, p.Launcher, f.historyKinds(k))
		}
	})
}

// TestDeadlinesAmongVersions: a launcher of an earlier version carries on a status without
// the limit, and the deadline of the beginning; an agent of one heeds no other.
func TestDeadlinesAmongVersions(t *testing.T) {
	t.Run("launcher", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, withScript(adaptortest.Script{Hold: true}))
			f.launch("a")
			k := f.submit("p", pilot.Description{Executable: "solve"})
			first := f.awaitState(k, pilot.Active)
			time.Sleep(time.Minute)
			f.batch.SetLimit(k, 2*time.Hour)
			f.await(k, "moved", func(p *projection.Pilot) bool { return p.Limit == 2*time.Hour })
			f.append(k, pilot.KindAdopted, func(st *pilot.Status) { st.Launcher, st.Limit, st.Deadline = "earlier", 0, first.Deadline })
			p := f.awaitState(k, pilot.Failed)
			if ran := p.EndedAt.Sub(p.ActiveAt).Round(time.Minute); ran != 2*time.Hour || p.Deadline.Sub(p.ActiveAt) != 2*time.Hour {
				t.Errorf("ran %s, deadline %s, %v", ran, p.Deadline.Sub(p.ActiveAt), f.historyKinds(k))
			}
		})
	})
	t.Run("agent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, withScript(adaptortest.Script{Hold: true, FixedDeadline: true}))
			f.launch("a")
			k := f.submit("p", pilot.Description{Executable: "solve"})
			f.awaitState(k, pilot.Active)
			time.Sleep(time.Minute)
			f.batch.SetLimit(k, 2*time.Hour)
			p := f.awaitState(k, pilot.Failed)
			if ran := p.EndedAt.Sub(p.ActiveAt).Round(time.Minute); ran != time.Hour || p.Cause.Code != pilot.RuntimeReached {
				t.Errorf("ran %s: %+v", ran, p.Cause)
			}
		})
	})
}

// TestLimitsOfBatchSystems: each shows a limit that was changed. Agents that no launcher
// reaches are not told of more time, and a shorter one is kept by their system.
func TestLimitsOfBatchSystems(t *testing.T) {
	atSites(t, func(s *site) {
		if s.system == "cobalt" {
			s.t.Skip("it changes no job that runs")
		}
		k := s.startRunning()
		s.fake.SetLimit(s.onlyJob().ID, 20*time.Hour)
		time.Sleep(5 * time.Minute)
		s.fake.SetLimit(s.onlyJob().ID, 5*time.Hour)
		p := s.await(k, "limited", func(p *projection.Pilot) bool { return p.Limit != 0 })
		if p.Limit != 5*time.Hour || p.Deadline.Sub(p.ActiveAt) != 5*time.Hour || s.deadlineMoves(k) != 1 {
			s.t.Errorf("limit %s, deadline %s, %v", p.Limit, p.Deadline.Sub(p.ActiveAt), s.historyKinds(k))
		}
		s.releasePayload(k)
		s.awaitState(k, pilot.Done)
	})
}
