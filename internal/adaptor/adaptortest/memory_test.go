package adaptortest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/pilot"
)

// agentHandler answers agents: it grants everything, tells some to stop, and keeps
// what was finished.
type agentHandler struct {
	mu       sync.Mutex
	stop     map[pilot.Key]bool
	refuse   bool
	finished []api.Outcome
}

func (d *agentHandler) handleCall(_ context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (api.AgentReply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if verb == api.Finish {
		d.finished = append(d.finished, *req.Outcome)
	}
	if verb == api.Activate && d.refuse {
		return api.AgentReply{Refused: "another one was first"}, nil
	}
	return api.AgentReply{Stop: d.stop[key] && verb != api.Finish, Grace: api.Duration(time.Second)}, nil
}

func newSpec(uid string, attempt int, executable string) *adaptor.Spec {
	return &adaptor.Spec{
		Key: pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: uid}, Attempt: attempt, Secret: "s",
		Description: pilot.Description{
			Runtime: pilot.Runtime(time.Hour), Cores: 1, Executable: executable,
		},
	}
}

func TestMemoryPassesTheContract(t *testing.T) {
	t.Parallel()
	adaptortest.TestAdaptor(t, func(t *testing.T) adaptortest.Harness {
		d := &agentHandler{stop: map[pilot.Key]bool{}}
		m := adaptortest.NewMemory(adaptortest.Config{Handler: d.handleCall})
		t.Cleanup(m.Close)
		return adaptortest.Harness{
			Open: func() adaptor.Adaptor { return m.Open() },
			Spec: func(uid string, attempt int, held bool) *adaptor.Spec {
				if held {
					return newSpec(uid, attempt, "")
				}
				return newSpec(uid, attempt, "true")
			},
			Stop: func(key pilot.Key) {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.stop[key] = true
			},
			Runs: m.Runs,
		}
	})
}

// runInBubble runs a test over a Memory with a fake clock.
func runInBubble(t *testing.T, config adaptortest.Config, test func(t *testing.T, m *adaptortest.Memory, d *agentHandler)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &agentHandler{stop: map[pilot.Key]bool{}}
		m := adaptortest.NewMemory(config)
		m.SetHandler(d.handleCall)
		test(t, m, d)
		m.Close()
	})
}

func pollSpec(t *testing.T, m *adaptortest.Memory, s *adaptor.Spec) adaptor.Status {
	t.Helper()
	placed, ok, err := m.Find(t.Context(), s)
	if err != nil || !ok {
		t.Fatalf("find: %v %v", ok, err)
	}
	all, err := m.Poll(t.Context(), []adaptor.Handle{{Key: s.Key, Attempt: s.Attempt, Job: placed.Job}}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func TestJobsFollowTheirScript(t *testing.T) {
	t.Parallel()
	long := func(*adaptor.Spec) adaptortest.Script {
		return adaptortest.Script{Queue: time.Hour, Length: 10 * time.Minute, Exit: 3}
	}
	runInBubble(t, adaptortest.Config{Script: long}, func(t *testing.T, m *adaptortest.Memory, d *agentHandler) {
		s := newSpec("p", 1, "x")
		if _, err := m.Submit(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		for _, at := range []struct {
			after time.Duration
			phase adaptor.Phase
		}{{59 * time.Minute, adaptor.Queued}, {5 * time.Minute, adaptor.Running}, {10 * time.Minute, adaptor.Ended}} {
			time.Sleep(at.after)
			synctest.Wait()
			if got := pollSpec(t, m, s); got.Phase != at.phase {
				t.Fatalf("%v, want %v", got.Phase, at.phase)
			}
		}
		if len(d.finished) != 1 || *d.finished[0].ExitCode != 3 {
			t.Fatalf("finished %+v", d.finished)
		}
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for fault, want := range map[adaptortest.Failure]struct {
		class adaptor.Class
		jobs  int
	}{
		adaptortest.Reject:      {adaptor.Rejected, 0},
		adaptortest.Throttle:    {adaptor.Throttled, 0},
		adaptortest.NotSent:     {adaptor.NotSent, 0},
		adaptortest.LoseAnswer:  {adaptor.Uncertain, 1},
		adaptortest.LoseRequest: {adaptor.Uncertain, 0},
	} {
		inject := func(c adaptortest.Call) adaptortest.Failure {
			if c.Op == adaptortest.Submit && c.N == 1 {
				return fault
			}
			return adaptortest.None
		}
		runInBubble(t, adaptortest.Config{Inject: inject}, func(t *testing.T, m *adaptortest.Memory, _ *agentHandler) {
			s := newSpec("p", 1, "true")
			_, err := m.Submit(t.Context(), s)
			var e *adaptor.Error
			if !errors.As(err, &e) || e.Class != want.class || m.Jobs(s.Key) != want.jobs {
				t.Errorf("%s: %v, %d jobs", fault, err, m.Jobs(s.Key))
			}
			if _, err := m.Submit(t.Context(), s); err != nil || m.Jobs(s.Key) != 1 {
				t.Errorf("%s: the second time: %v, %d jobs", fault, err, m.Jobs(s.Key))
			}
		})
	}
}

func TestAgentsWaitForSomebodyWhoAnswers(t *testing.T) {
	t.Parallel()
	runInBubble(t, adaptortest.Config{}, func(t *testing.T, m *adaptortest.Memory, d *agentHandler) {
		m.SetHandler(nil)
		s := newSpec("p", 1, "true")
		if _, err := m.Submit(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		if m.Runs(s.Key) != 0 {
			t.Fatal("it ran and nobody had granted it")
		}
		m.SetHandler(d.handleCall)
		time.Sleep(time.Minute)
		if m.Runs(s.Key) != 1 || len(d.finished) != 1 {
			t.Fatalf("%d runs, finished %+v", m.Runs(s.Key), d.finished)
		}
	})
}

func TestRefusedAgentsRunNothing(t *testing.T) {
	t.Parallel()
	runInBubble(t, adaptortest.Config{}, func(t *testing.T, m *adaptortest.Memory, d *agentHandler) {
		d.refuse = true
		s := newSpec("p", 1, "true")
		if _, err := m.Submit(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := pollSpec(t, m, s); m.Runs(s.Key) != 0 || got.Phase != adaptor.Ended || len(d.finished) != 0 {
			t.Fatalf("%d runs, %+v, finished %+v", m.Runs(s.Key), got, d.finished)
		}
	})
}

func TestEndsOfHeldJobs(t *testing.T) {
	t.Parallel()
	deaf := func(*adaptor.Spec) adaptortest.Script { return adaptortest.Script{Hold: true, IgnoresTerm: true} }
	for name, c := range map[string]struct {
		script func(*adaptor.Spec) adaptortest.Script
		act    func(m *adaptortest.Memory, d *agentHandler, s *adaptor.Spec)
		want   pilot.CauseCode
	}{
		"deadline":       {nil, func(*adaptortest.Memory, *agentHandler, *adaptor.Spec) {}, pilot.RuntimeReached},
		"told by a beat": {nil, func(_ *adaptortest.Memory, d *agentHandler, s *adaptor.Spec) { d.stop[s.Key] = true }, pilot.CanceledByAgent},
		"deaf":           {deaf, func(_ *adaptortest.Memory, d *agentHandler, s *adaptor.Spec) { d.stop[s.Key] = true }, pilot.KilledAfterGrace},
		"term from elsewhere": {nil, func(m *adaptortest.Memory, _ *agentHandler, s *adaptor.Spec) {
			_ = m.Cancel(context.Background(), adaptor.Handle{Key: s.Key, Attempt: 1}, adaptor.Stop{})
		}, pilot.JobCanceledByThem},
		"power failure": {nil, func(m *adaptortest.Memory, _ *agentHandler, s *adaptor.Spec) { m.Kill(s.Key) }, ""},
	} {
		runInBubble(t, adaptortest.Config{Script: c.script}, func(t *testing.T, m *adaptortest.Memory, d *agentHandler) {
			s := newSpec("p", 1, "")
			if _, err := m.Submit(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			d.mu.Lock()
			c.act(m, d, s)
			d.mu.Unlock()
			time.Sleep(2 * time.Hour)
			got := pollSpec(t, m, s)
			var code pilot.CauseCode
			if got.Outcome != nil {
				code = got.Outcome.Code
			}
			if got.Phase != adaptor.Ended || code != c.want || m.LiveJobs() != 0 {
				t.Errorf("%s: %+v, outcome %+v", name, got, got.Outcome)
			}
		})
	}
}

func TestABrokenSystemSaysNothing(t *testing.T) {
	t.Parallel()
	runInBubble(t, adaptortest.Config{}, func(t *testing.T, m *adaptortest.Memory, _ *agentHandler) {
		s := newSpec("p", 1, "")
		m.Break(errors.New("scheduler is down"))
		_, submitErr := m.Submit(t.Context(), s)
		_, _, findErr := m.Find(t.Context(), s)
		_, pollErr := m.Poll(t.Context(), []adaptor.Handle{{Key: s.Key, Attempt: 1}}, time.Time{})
		if submitErr == nil || findErr == nil || pollErr == nil || m.Jobs(s.Key) != 0 {
			t.Fatalf("%v %v %v", submitErr, findErr, pollErr)
		}
		m.Break(nil)
		if _, err := m.Submit(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	})
}
