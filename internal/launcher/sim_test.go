package launcher_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// TestSimFleet lets a fleet of two launchers live through random trouble:
// appends refused, acknowledgements lost, submits that fail in each of their
// ways, polls that fail, launchers killed and started again at random moments,
// pilots canceled in any state. When the trouble is over every pilot must end,
// with at most one payload run, none if it was canceled before it was ACTIVE,
// and nothing left in the batch system.
func TestSimFleet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := drawScenario(rt)
		synctest.Test(t, func(t *testing.T) {
			if wrong := seed.run(t); wrong != "" {
				rt.Fatalf("%s", wrong)
			}
		})
	})
}

// scenario is one drawn history; all randomness is drawn before the bubble begins.
type scenario struct {
	pilots        []pilotPlan
	faults        []adaptortest.Failure // by the number of a call to the batch system
	refuseAppends []bool                // by the number of an append
	loseAcks      []bool
	findOverlooks bool // Find may overlook a job: only the fence keeps a second one from running
	kills         []launcherKill
}

type pilotPlan struct {
	submitAt time.Duration // submitted
	script   adaptortest.Script
	cancelAt time.Duration // 0: never
	force    bool
}

// launcherKill kills a launcher and, later, starts one under that or a new name.
type launcherKill struct {
	after, down time.Duration
	victim      int
	renamed     bool
}

func drawSeconds(rt *rapid.T, most int, label string) time.Duration {
	return time.Duration(rapid.IntRange(0, most*10).Draw(rt, label)) * 100 * time.Millisecond
}

func drawScenario(rt *rapid.T) *scenario {
	s := &scenario{
		faults: rapid.SliceOfN(rapid.SampledFrom([]adaptortest.Failure{
			adaptortest.None, adaptortest.None, adaptortest.None, adaptortest.Throttle, adaptortest.NotSent,
			adaptortest.LoseAnswer, adaptortest.LoseRequest, adaptortest.Forget,
		}), 0, 30).Draw(rt, "faults"),
		refuseAppends: rapid.SliceOfN(rapid.Bool(), 0, 20).Draw(rt, "refuse"),
		loseAcks:      rapid.SliceOfN(rapid.Bool(), 0, 40).Draw(rt, "lose"),
		findOverlooks: rapid.Bool().Draw(rt, "blind"),
	}
	for range rapid.IntRange(1, 6).Draw(rt, "pilots") {
		a := pilotPlan{
			submitAt: drawSeconds(rt, 20, "at"),
			script: adaptortest.Script{
				Queue: drawSeconds(rt, 20, "queue"), Length: drawSeconds(rt, 30, "length"),
				Exit: rapid.IntRange(0, 1).Draw(rt, "exit"), IgnoresTerm: rapid.Bool().Draw(rt, "deaf"),
				Crash: rapid.IntRange(0, 9).Draw(rt, "crash") == 0, NeverRuns: rapid.IntRange(0, 9).Draw(rt, "never") == 0,
			},
			force: rapid.Bool().Draw(rt, "force"),
		}
		if rapid.Bool().Draw(rt, "canceled") {
			a.cancelAt = a.submitAt + drawSeconds(rt, 40, "cancel")
		}
		s.pilots = append(s.pilots, a)
	}
	for range rapid.IntRange(0, 5).Draw(rt, "strikes") {
		s.kills = append(s.kills, launcherKill{
			after: drawSeconds(rt, 15, "strike"), down: drawSeconds(rt, 30, "down"),
			victim: rapid.IntRange(0, 1).Draw(rt, "victim"), renamed: rapid.Bool().Draw(rt, "renamed"),
		})
	}
	return s
}

// run lives through the plot and says what was wrong at its end.
func (s *scenario) run(t *testing.T) string {
	scripts := map[pilot.UID]adaptortest.Script{}
	var calls atomic.Int64
	appends := 0 // the log asks its faults one at a time
	f := newFleet(t, adaptortest.Config{
		Settle: 5 * time.Second,
		Script: func(sp *adaptor.Spec) adaptortest.Script { return scripts[sp.Key.Pilot] },
		Inject: func(c adaptortest.Call) adaptortest.Failure {
			n := int(calls.Add(1))
			switch {
			case s.findOverlooks && c.Op == adaptortest.Find && n%2 == 0:
				return adaptortest.Forget
			case n > len(s.faults) || c.Op == adaptortest.Find && s.faults[n-1] == adaptortest.Forget:
				return adaptortest.None
			}
			return s.faults[n-1]
		},
	})
	f.log.Faults.Refuse = func(e *events.Event) error {
		appends++
		if e.Actor != "" && appends <= len(s.refuseAppends) && s.refuseAppends[appends-1] {
			return pilot.Errorf(pilot.Unavailable, "refused, as drawn")
		}
		return nil
	}
	f.log.Faults.LoseAck = func(e *events.Event) bool {
		return e.Actor != "" && appends <= len(s.loseAcks) && s.loseAcks[max(0, appends-1)]
	}
	var keys []pilot.Key
	for i, a := range s.pilots {
		scripts[fmt.Sprintf("p%d", i)] = a.script
		keys = append(keys, key(fmt.Sprintf("p%d", i)))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.killLaunchers(f)
	}()
	s.submitAndCancel(f, keys)
	<-done
	return s.check(f, keys)
}

// submitAndCancel submits and cancels at the drawn times.
func (s *scenario) submitAndCancel(f *fleet, keys []pilot.Key) {
	for now := time.Duration(0); now <= time.Minute+time.Second; now += 100 * time.Millisecond {
		for i, a := range s.pilots {
			if a.submitAt == now {
				f.submit(keys[i].Pilot, pilot.Description{})
			}
			if a.cancelAt == now && now > 0 {
				f.cancel(keys[i], a.force)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// killLaunchers kills and starts launchers at the drawn times; two live at the end.
func (s *scenario) killLaunchers(f *fleet) {
	crew := [2]*member{f.launch("a"), f.launch("b")}
	names := [2]string{"a", "b"}
	for i, hit := range s.kills {
		time.Sleep(hit.after)
		f.kill(crew[hit.victim])
		time.Sleep(hit.down)
		if hit.renamed {
			names[hit.victim] = fmt.Sprintf("%c%d", 'a'+hit.victim, i)
		}
		crew[hit.victim] = f.launch(names[hit.victim])
	}
}

func (s *scenario) check(f *fleet, keys []pilot.Key) string {
	limit := time.Now().Add(2 * time.Hour)
	for ; time.Now().Before(limit); time.Sleep(5 * time.Second) {
		if v := f.foldView(); v.CountLive("m") == 0 {
			break
		}
	}
	time.Sleep(time.Minute)
	if live := f.batch.LiveJobs(); live != 0 {
		return fmt.Sprintf("%d jobs are left in the batch system", live)
	}
	for i, k := range keys {
		if wrong := s.pilots[i].check(f, f.get(k)); wrong != "" {
			return fmt.Sprintf("%s: %s; history %v", k.Pilot, wrong, f.historyKinds(k))
		}
		if jobs := f.batch.Jobs(k); jobs > 1 && !s.findOverlooks {
			return fmt.Sprintf("%s: %d jobs were made; history %v", k.Pilot, jobs, f.historyKinds(k))
		}
	}
	return ""
}

func (a *pilotPlan) check(f *fleet, p projection.Pilot) string {
	runs := f.batch.Runs(p.Key)
	switch {
	case !p.State.Final():
		return fmt.Sprintf("is %s for ever", p.State)
	case p.Cause == nil || p.Cause.Code == "":
		return fmt.Sprintf("is %s without a cause", p.State)
	case runs > 1:
		return fmt.Sprintf("its payload ran %d times", runs)
	case p.State == pilot.Done && runs != 1:
		return "is DONE and never ran"
	case p.State == pilot.Canceled && runs > 0 && !p.Reached(pilot.Active):
		return "was canceled before it was ACTIVE, and ran"
	case p.State == pilot.Canceled && a.cancelAt == 0:
		return "is CANCELED, and nobody asked"
	case p.State == pilot.Failed && a.cancelAt == 0 && a.endsWell() && runs == 1 && p.Cause.Code != pilot.JobVanished:
		return fmt.Sprintf("is FAILED with %+v, but its payload did well", p.Cause)
	}
	return ""
}

func (a *pilotPlan) endsWell() bool {
	return a.script.Exit == 0 && !a.script.Crash && !a.script.NeverRuns
}
