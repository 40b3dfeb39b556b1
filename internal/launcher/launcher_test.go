package launcher_test

import (
	"slices"
	"strings"
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

func TestPilotRunsToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{})
		f.launch("a")
		k := f.submit("p", pilot.Description{Executable: "sleep", Arguments: []string{"60"}})
		p := f.awaitState(k, pilot.Done)
		want := []events.Kind{"submit", "launching", "pending_active", "active", "done"}
		if got := f.historyKinds(k); !slices.Equal(got, want) {
			t.Errorf("history is %v, want %v", got, want)
		}
		if p.Cause.Code != pilot.PayloadFinished || p.Cause.ExitCode == nil || *p.Cause.ExitCode != 0 {
			t.Errorf("cause is %+v", p.Cause)
		}
		if n := f.batch.Runs(k); n != 1 {
			t.Errorf("the payload ran %d times", n)
		}
	})
}

// TestPolicyHoldsAtLaunch: whoever took the pilot on, what this host's owner
// forbids does not run.
func TestPolicyHoldsAtLaunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{})
		f.launch("a", func(c *launcher.Config) { c.Policy = resource.Policy{Executables: []string{"/bin/sleep"}} })
		k := f.submit("p", pilot.Description{Executable: "sh"})
		p := f.awaitState(k, pilot.Failed)
		if p.Cause.Code != pilot.LaunchError || !strings.Contains(p.Cause.Message, "policy") {
			t.Errorf("cause is %+v", p.Cause)
		}
		if n := f.batch.Runs(k); n != 0 {
			t.Errorf("the payload ran %d times", n)
		}
	})
}

func TestEndsTellTheirCause(t *testing.T) {
	for name, c := range map[string]struct {
		script  adaptortest.Script
		payload string
		state   pilot.State
		cause   pilot.CauseCode
	}{
		"payload fails":       {adaptortest.Script{Exit: 3}, "solve", pilot.Failed, pilot.PayloadFailed},
		"held to the end":     {adaptortest.Script{Hold: true}, "", pilot.Done, pilot.RuntimeReached},
		"payload cut off":     {adaptortest.Script{Hold: true}, "solve", pilot.Failed, pilot.RuntimeReached},
		"agent dies":          {adaptortest.Script{Length: time.Minute, Crash: true}, "solve", pilot.Failed, pilot.AgentLost},
		"bootstrap ends well": {adaptortest.Script{Queue: time.Minute, NeverRuns: true}, "", pilot.Failed, pilot.BootstrapFailed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, adaptortest.Config{Script: func(*adaptor.Spec) adaptortest.Script { return c.script }})
				f.launch("a")
				p := f.awaitState(f.submit("p", pilot.Description{Executable: c.payload}), c.state)
				if p.Cause == nil || p.Cause.Code != c.cause {
					t.Errorf("cause is %+v, want %s", p.Cause, c.cause)
				}
				if p.EndedAt.IsZero() {
					t.Error("there is no time of its end")
				}
			})
		})
	}
}

func TestCancelInEveryState(t *testing.T) {
	never := map[events.Kind]bool{"done": true, "failed": true}
	for name, c := range map[string]struct {
		script adaptortest.Script
		slow   time.Duration // append of pending_active takes so long
		state  pilot.State
		force  bool
		runs   int
		noCrew bool
	}{
		"PENDING_LAUNCH": {state: pilot.PendingLaunch, noCrew: true},
		"LAUNCHING":      {script: adaptortest.Script{Queue: time.Hour}, slow: time.Minute, state: pilot.Launching},
		"PENDING_ACTIVE": {script: adaptortest.Script{Queue: time.Hour}, state: pilot.PendingActive},
		"ACTIVE":         {script: adaptortest.Script{Hold: true}, state: pilot.Active, runs: 1},
		"ACTIVE deaf":    {script: adaptortest.Script{Hold: true, IgnoresTerm: true}, state: pilot.Active, runs: 1},
		"ACTIVE forced":  {script: adaptortest.Script{Hold: true, IgnoresTerm: true}, state: pilot.Active, runs: 1, force: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, adaptortest.Config{Script: func(*adaptor.Spec) adaptortest.Script { return c.script }})
				f.log.Faults.Delay = func(e *events.Event) time.Duration {
					if e.Kind == "pending_active" {
						return c.slow
					}
					return 0
				}
				if !c.noCrew {
					f.launch("a")
				}
				k := f.submit("p", pilot.Description{})
				f.awaitState(k, c.state)
				f.cancel(k, c.force)
				if c.noCrew {
					f.launch("a")
				}
				f.awaitState(k, pilot.Canceled)
				time.Sleep(5 * time.Minute)
				if live := f.batch.LiveJobs(); live != 0 {
					t.Errorf("%d jobs are left running", live)
				}
				if n := f.batch.Runs(k); n != c.runs {
					t.Errorf("the payload ran %d times, want %d", n, c.runs)
				}
				if i := slices.IndexFunc(f.historyKinds(k), func(k events.Kind) bool { return never[k] }); i >= 0 {
					t.Errorf("history is %v", f.historyKinds(k))
				}
			})
		})
	}
}

func TestSubmitErrors(t *testing.T) {
	for name, c := range map[string]struct {
		fault adaptortest.Failure
		times int
		state pilot.State
		cause pilot.CauseCode
		jobs  int
	}{
		"rejected":               {adaptortest.Reject, 1, pilot.Failed, pilot.JobRejected, 0},
		"throttled for long":     {adaptortest.Throttle, 20, pilot.Done, pilot.PayloadFinished, 1},
		"not sent twice":         {adaptortest.NotSent, 2, pilot.Done, pilot.PayloadFinished, 1},
		"not sent for long":      {adaptortest.NotSent, 20, pilot.Done, pilot.PayloadFinished, 1},
		"never answered":         {adaptortest.LoseRequest, 1000, pilot.Failed, pilot.RetriesExhausted, 0},
		"never possible":         {adaptortest.Impossible, 1, pilot.Failed, pilot.LaunchError, 0},
		"answer lost, job there": {adaptortest.LoseAnswer, 1, pilot.Done, pilot.PayloadFinished, 1},
		"request lost":           {adaptortest.LoseRequest, 1, pilot.Done, pilot.PayloadFinished, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, adaptortest.Config{
					Settle: 30 * time.Second,
					Inject: func(call adaptortest.Call) adaptortest.Failure {
						if call.Op == adaptortest.Submit && call.N <= c.times {
							return c.fault
						}
						return adaptortest.None
					},
				})
				f.launch("a")
				k := f.submit("p", pilot.Description{Executable: "true"})
				p := f.await(k, "final", func(p *projection.Pilot) bool { return p.State.Final() })
				if p.State != c.state || p.Cause.Code != c.cause {
					t.Errorf("ended %s with %+v, want %s with %s", p.State, p.Cause, c.state, c.cause)
				}
				if n := f.batch.Jobs(k); n != c.jobs {
					t.Errorf("%d jobs were made, want %d", n, c.jobs)
				}
			})
		})
	}
}

// TestLauncherKilled kills the launcher around every append it makes, before
// and after it is stored, and lets another one, or a new life of the same,
// continue.
func TestLauncherKilled(t *testing.T) {
	for _, kind := range []events.Kind{"launching", "pending_active", "active", "done"} {
		for _, after := range []bool{false, true} {
			for _, heir := range []string{"a", "b"} {
				name := string(kind) + " before"
				if after {
					name = string(kind) + " after"
				}
				t.Run(name+" then "+heir, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { killLauncherAt(t, kind, after, heir) })
				})
			}
		}
	}
}

func killLauncherAt(t *testing.T, kind events.Kind, after bool, successor string) {
	f := newFleet(t, adaptortest.Config{})
	reached, once := make(chan struct{}), true
	f.log.Faults.Delay = func(e *events.Event) time.Duration {
		if once && e.Kind == kind && !after {
			once = false
			close(reached)
			return time.Hour // the kill comes first
		}
		return 0
	}
	f.log.Faults.LoseAck = func(e *events.Event) bool {
		if once && e.Kind == kind && after {
			once = false
			close(reached)
			return true
		}
		return false
	}
	first := f.launch("a", func(c *launcher.Config) { c.Limits.EffectTimeout = time.Minute })
	k := f.submit("p", pilot.Description{Executable: "sleep", Arguments: []string{"5"}})
	<-reached
	f.kill(first)
	f.launch(successor)
	f.awaitState(k, pilot.Done)
	if n := f.batch.Runs(k); n != 1 {
		t.Errorf("the payload ran %d times; history %v", n, f.historyKinds(k))
	}
	time.Sleep(time.Minute)
	if live := f.batch.LiveJobs(); live != 0 {
		t.Errorf("%d jobs are left", live)
	}
}

func TestHostThatStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{})
		first := f.launch("a")
		k := f.submit("p", pilot.Description{Runtime: pilot.Runtime(100 * time.Hour)})
		f.awaitState(k, pilot.Active)
		f.batch.SetHandler(nil)
		f.kill(first)
		f.launch("b", onOtherHost(f))
		f.await(k, "unwell", func(p *projection.Pilot) bool { return p.Note.Health != "" })
		p := f.awaitState(k, pilot.Failed)
		if p.Cause.Code != pilot.Lost {
			t.Errorf("cause is %+v", p.Cause)
		}
	})
}

func TestStopLeavesPilotsRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{})
		first := f.launch("a")
		k := f.submit("p", pilot.Description{})
		f.awaitState(k, pilot.Active)
		f.kill(first)
		time.Sleep(10 * time.Minute)
		if p := f.get(k); p.State != pilot.Active || f.batch.LiveJobs() != 1 {
			t.Fatalf("it is %s, %d jobs live", p.State, f.batch.LiveJobs())
		}
		f.launch("b")
		f.await(k, "adopted", func(p *projection.Pilot) bool { return p.Launcher == "b" })
		f.awaitState(k, pilot.Done)
	})
}

func TestForgedAgentsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{})
		m := f.launch("a")
		k := f.submit("p", pilot.Description{})
		before := f.awaitState(k, pilot.Active)
		for _, verb := range []string{"activate", "beat", "finish", "nonsense"} {
			reply, err := m.AnswerAgent(t.Context(), k, api.Verb(verb), forgedRequest(before.Attempt))
			if err != nil || reply.Refused == "" {
				t.Errorf("%s with a forged secret: %+v, %v", verb, reply, err)
			}
		}
		if after := f.get(k); after.Seq != before.Seq {
			t.Error("a forged agent moved the pilot")
		}
		if _, err := m.AnswerAgent(t.Context(), key("nobody"), "activate", forgedRequest(1)); pilot.CodeOf(err) != pilot.Unavailable {
			t.Errorf("an agent of an unknown pilot got %v", err)
		}
	})
}

// TestActiveWithoutItsJob: the agent activated, the launcher died before it
// recorded the job, and the batch system has forgotten it since.
func TestActiveWithoutItsJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finds := 0
		f := newFleet(t, adaptortest.Config{
			Script: func(*adaptor.Spec) adaptortest.Script { return adaptortest.Script{Length: time.Minute, Crash: true} },
			Inject: func(c adaptortest.Call) adaptortest.Failure {
				if c.Op == adaptortest.Find {
					finds++
					return adaptortest.Forget
				}
				return adaptortest.None
			},
		})
		f.log.Faults.Refuse = func(e *events.Event) error {
			if e.Kind == "pending_active" {
				return pilot.Errorf(pilot.Unavailable, "refused")
			}
			return nil
		}
		first := f.launch("a")
		k := f.submit("p", pilot.Description{})
		f.awaitState(k, pilot.Active)
		f.kill(first)
		f.launch("a")
		p := f.awaitState(k, pilot.Failed)
		if p.Cause.Code != pilot.AgentLost {
			t.Errorf("cause is %+v", p.Cause)
		}
		if finds > 1000 {
			t.Errorf("it was looked for %d times in two minutes", finds)
		}
	})
}
