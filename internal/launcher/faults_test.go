package launcher_test

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// ackLosingQueue is an inbox whose acks are lost, as when the connection is down.
type ackLosingQueue struct{ launcher.CommandQueue }

func (b ackLosingQueue) Receive(ctx context.Context) iter.Seq2[*events.Delivery, error] {
	return func(yield func(*events.Delivery, error) bool) {
		for d, err := range b.CommandQueue.Receive(ctx) {
			if d != nil {
				d.Done = func() error { return errors.New("outbound buffer limit exceeded") }
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

func TestALostAckDoesNotFreezeThePilot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{})
		f.launch("a", func(c *launcher.Config) { c.Queue = ackLosingQueue{c.Queue} })
		k := f.submit("p", pilot.Description{})
		f.awaitState(k, pilot.Active)
		f.cancel(k, false)
		f.awaitState(k, pilot.Canceled)
	})
}

func TestAThrottledPilotWaitsAsLongAsItTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := time.Now().Add(8 * time.Hour)
		f := newFleet(t, adaptortest.Config{Inject: func(c adaptortest.Call) adaptortest.Failure {
			if c.Op == adaptortest.Submit && time.Now().Before(open) {
				return adaptortest.Throttle
			}
			return adaptortest.None
		}})
		f.launch("a")
		f.awaitState(f.submit("p", pilot.Description{Executable: "true"}), pilot.Done)
	})
}

// gatedSystems are Systems to which there is no way before a time.
type gatedSystems struct {
	systemsByName
	opensAt time.Time
	tries   atomic.Int32
}

func (g *gatedSystems) For(cfg *resource.Config) (adaptor.Adaptor, error) {
	g.tries.Add(1)
	if time.Now().Before(g.opensAt) {
		return nil, pilot.Errorf(pilot.Invalid, "ssh configuration: no such file")
	}
	return g.systemsByName.For(cfg)
}

// TestNoWayToABatchSystem: pilots are held, whether they are to be launched or have been,
// and people are told, once; where there will never be a way, they fail.
func TestNoWayToABatchSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{})
		ways := &gatedSystems{systemsByName: systemsByName{"fork": f.batch.Open()}, opensAt: time.Now().Add(3 * time.Hour)}
		gate := func(c *launcher.Config) { c.Systems = ways }
		closed := func(k pilot.Key, state pilot.State) {
			t.Helper()
			time.Sleep(2*time.Hour + 50*time.Minute)
			p := f.get(k)
			history, err := f.log.History(t.Context(), k, 0)
			told := 0
			for _, e := range history {
				if e.Class == events.ClassNote && e.Note.Health != "" {
					told++
				}
			}
			if err != nil || p.State != state || p.Note.Health == "" || told != 1 || ways.tries.Load() > 500 {
				t.Errorf("%s, health %q, told %d times, %d tries", p.State, p.Note.Health, told, ways.tries.Load())
			}
		}
		well := func(p *projection.Pilot) bool { return p.State == pilot.Active && p.Note.Health == "" }
		m := f.launch("a", gate)
		k := f.submit("p", pilot.Description{Runtime: pilot.Runtime(100 * time.Hour)})
		closed(k, pilot.PendingLaunch)
		f.await(k, "well", well)
		f.kill(m)
		ways.opensAt = time.Now().Add(3 * time.Hour)
		f.launch("a", gate)
		f.await(k, "told of", func(p *projection.Pilot) bool { return p.Note.Health != "" })
		f.await(k, "well", well)
		f.cancel(k, false)
		f.awaitState(k, pilot.Canceled)
		never := resource.Config{Label: "local.localhost", JobManagerEndpoint: "slurm://localhost/"}
		p := f.awaitState(f.submitOn("never", pilot.Description{}, &never), pilot.Failed)
		if p.Cause.Code != pilot.LaunchError {
			t.Errorf("without any way: %+v", p.Cause)
		}
	})
}

// TestABatchSystemThatIsAway: nothing is given up within the hour, and people
// are told about the pilots that run.
func TestABatchSystemThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{})
		f.launch("a")
		runs := f.submit("runs", pilot.Description{Runtime: pilot.Runtime(10 * time.Hour)})
		f.awaitState(runs, pilot.Active)
		f.batch.Break(errors.New("connection refused"))
		waits := f.submit("waits", pilot.Description{Executable: "true"})
		f.await(runs, "said to be without care", func(p *projection.Pilot) bool { return p.Note.Health != "" })
		time.Sleep(30 * time.Minute)
		if p := f.get(runs); p.State != pilot.Active {
			t.Errorf("the running pilot is %s", p.State)
		}
		f.batch.Break(nil)
		f.awaitState(waits, pilot.Done)
		f.await(runs, "cared for", func(p *projection.Pilot) bool { return p.Note.Health == "" })
	})
}

// TestHealthGoesAway: a pilot that is canceled while its batch system is silent says so
// until that answers again, and one that ended meanwhile says nothing.
func TestHealthGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{Script: func(s *adaptor.Spec) adaptortest.Script {
			if s.Key.Pilot == "ends" {
				return adaptortest.Script{Length: 30 * time.Minute}
			}
			return adaptortest.Script{Hold: true, IgnoresTerm: true}
		}})
		f.launch("a")
		ill := func(p *projection.Pilot) bool { return p.Note.Health != "" }
		leaves := f.submit("leaves", pilot.Description{Runtime: pilot.Runtime(10 * time.Hour), Executable: "deaf"})
		ends := f.submit("ends", pilot.Description{Runtime: pilot.Runtime(10 * time.Hour), Executable: "sleep"})
		f.awaitState(leaves, pilot.Active)
		f.awaitState(ends, pilot.Active)
		f.append(leaves, pilot.KindCanceling, func(st *pilot.Status) {
			st.Cancel = &pilot.Cancel{By: "test", Grace: 5 * time.Hour, At: time.Now()}
		})
		f.batch.Break(errors.New("connection refused"))
		f.await(leaves, "ill while it is CANCELING", ill)
		f.await(ends, "ill while it is ACTIVE", ill)
		if p := f.awaitState(ends, pilot.Done); p.Note.Health != "" {
			t.Errorf("it is DONE, health %q", p.Note.Health)
		}
		f.batch.Break(nil)
		f.await(leaves, "cared for", func(p *projection.Pilot) bool { return p.State.IsCanceling() && !ill(p) })
		f.cancel(leaves, true)
		f.awaitState(leaves, pilot.Canceled)
	})
}

// TestHealthIsOfTheTroubleThereIs: a trouble that follows another one is told of in its
// place, and a limit that follows one is no illness.
func TestHealthIsOfTheTroubleThereIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fault atomic.Value
		fault.Store(adaptortest.NotSent)
		f := newFleet(t, adaptortest.Config{Inject: func(c adaptortest.Call) adaptortest.Failure {
			now, _ := fault.Load().(adaptortest.Failure)
			switch {
			case c.Op == adaptortest.Submit:
				return now
			case c.Op == adaptortest.Find && now == adaptortest.LoseAnswer:
				return adaptortest.Fail
			default:
				return adaptortest.None
			}
		}})
		is := func(health string) func(*projection.Pilot) bool {
			return func(p *projection.Pilot) bool { return !p.State.Final() && p.Note.Health == health }
		}
		a := f.launch("a")
		k := f.submit("p", pilot.Description{Runtime: pilot.Runtime(100 * time.Hour)})
		f.await(k, "hindered", is(api.HealthNotLaunched))
		fault.Store(adaptortest.Throttle)
		f.await(k, "throttled and well", func(p *projection.Pilot) bool {
			return p.State == pilot.PendingLaunch && p.Cause.Code == pilot.Throttled && p.Note.Health == ""
		})
		fault.Store(adaptortest.NotSent)
		f.await(k, "hindered again", is(api.HealthNotLaunched))
		fault.Store(adaptortest.LoseAnswer)
		f.await(k, "of a silent batch system while it is LAUNCHING", is(api.HealthSilent))
		fault.Store(adaptortest.None)
		f.awaitState(k, pilot.Active)
		f.await(k, "well", is(""))
		f.batch.Break(errors.New("connection refused"))
		f.await(k, "of a silent batch system", is(api.HealthSilent))
		f.kill(a)
		b := f.launch("b", onOtherHost(f))
		f.await(k, "without its launcher", is(api.HealthAgentHeard))
		f.kill(b)
		f.launch("a")
		f.await(k, "of a silent batch system again", is(api.HealthSilent))
		f.batch.Break(nil)
		f.await(k, "cared for", is(""))
	})
}

func TestACancelThatCannotBeSentStillEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{
			Script: func(*adaptor.Spec) adaptortest.Script { return adaptortest.Script{Length: time.Hour, Crash: true} },
			Inject: func(c adaptortest.Call) adaptortest.Failure {
				if c.Op == adaptortest.Cancel {
					return adaptortest.Fail
				}
				return adaptortest.None
			},
		})
		f.launch("a")
		k := f.submit("p", pilot.Description{Runtime: pilot.Runtime(10 * time.Hour)})
		f.awaitState(k, pilot.Active)
		f.batch.SetHandler(nil)
		f.cancel(k, false)
		f.batch.Kill(k)
		f.awaitState(k, pilot.Canceled)
	})
}

// TestALauncherThatDiesOfAPilot: a pilot whose every launcher dies in the
// middle of launching it is given up.
func TestALauncherThatDiesOfAPilot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{Inject: func(c adaptortest.Call) adaptortest.Failure {
			if c.Op == adaptortest.Find {
				return adaptortest.Forget // what it died of left nothing behind
			}
			return adaptortest.None
		}})
		began := make(chan struct{}, 1)
		f.log.Faults.Delay = func(e *events.Event) time.Duration {
			if e.Kind == "pending_active" {
				began <- struct{}{}
				return time.Hour
			}
			return 0
		}
		f.batch.SetHandler(nil)
		k := f.submit("p", pilot.Description{})
		lives := 0
		for ; lives < 20 && !f.get(k).State.Final(); lives++ {
			m := f.launch("a", func(c *launcher.Config) { c.Limits.Crashes, c.Limits.EffectTimeout = 3, time.Second })
			select {
			case <-began:
			case <-time.After(time.Minute):
			}
			f.kill(m)
		}
		if p := f.get(k); p.State != pilot.Failed || p.Cause.Code != pilot.RetriesExhausted || lives > 6 {
			t.Errorf("after %d lives it is %s with %+v", lives, p.State, p.Cause)
		}
	})
}

// TestAJobOfAPilotThatEndedIsKilled: while a submit is under way somebody ends the
// pilot, so that nobody would look after its job.
func TestAJobOfAPilotThatEndedIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{Script: func(*adaptor.Spec) adaptortest.Script { return adaptortest.Script{Queue: time.Hour} }})
		f.log.Faults.Delay = func(e *events.Event) time.Duration {
			if e.Kind == "pending_active" {
				return time.Minute
			}
			return 0
		}
		f.launch("a")
		k := f.submit("p", pilot.Description{})
		f.await(k, "submitted", func(*projection.Pilot) bool { return f.batch.LiveJobs() == 1 })
		f.append(k, pilot.KindFailed, func(st *pilot.Status) { st.Cause = &pilot.Cause{Code: pilot.LaunchError} })
		time.Sleep(2 * time.Minute)
		if live := f.batch.LiveJobs(); live != 0 {
			t.Errorf("%d jobs are left", live)
		}
	})
}

// TestAnHeirWaitsForWhatTheDeadSent: a submit that was under way when its launcher
// died may have arrived for as long after that as any other.
func TestAnHeirWaitsForWhatTheDeadSent(t *testing.T) {
	for _, heir := range []string{"a", "b"} {
		t.Run(heir, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, adaptortest.Config{Settle: adaptor.DefaultSettleTime, Inject: func(c adaptortest.Call) adaptortest.Failure {
					if c.Op == adaptortest.Find {
						return adaptortest.Forget
					}
					return adaptortest.None
				}})
				f.log.Faults.Delay = func(e *events.Event) time.Duration {
					if e.Kind == "pending_active" && e.Status.Attempt == 1 {
						return time.Hour
					}
					return 0
				}
				f.batch.SetHandler(nil)
				m := f.launch("a", func(c *launcher.Config) { c.Limits.EffectTimeout = 2 * time.Minute })
				k := f.submit("p", pilot.Description{})
				time.Sleep(5 * time.Minute) // its submit took long
				f.kill(m)
				died := time.Now()
				f.launch(heir)
				p := f.await(k, "claimed again", func(p *projection.Pilot) bool { return p.Attempt == 2 })
				if p.ChangedAt.Sub(died) < adaptor.DefaultSettleTime {
					t.Errorf("claimed again %s after the death", p.ChangedAt.Sub(died))
				}
			})
		})
	}
}

// TestAPilotThatCannotBeReadEnds: its command is put aside by the queue, so
// nothing but the log tells of it.
func TestAPilotThatCannotBeReadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{})
		f.launch("a")
		f.log.Put("pilots.cmd.local.localhost.m.bad.submit", []byte("garbage"))
		time.Sleep(time.Minute)
		last, ok, err := f.log.Last(t.Context(), events.Event{Class: events.ClassChange, Key: key("bad")})
		if err != nil || !ok || last.Status.State != pilot.Failed || last.Status.Cause.Code != pilot.LaunchError {
			t.Errorf("its last change is %+v (%v), %v", last, ok, err)
		}
	})
}
