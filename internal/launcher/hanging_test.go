package launcher_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/pilot"
)

// hangingSystem is a batch system whose commands of one kind do their work, and then never end by
// themselves.
type hangingSystem struct {
	*adaptortest.Endpoint
	hangingOp adaptortest.Op
}

func (h hangingSystem) hangIn(ctx context.Context, op adaptortest.Op) {
	if op == h.hangingOp {
		<-ctx.Done()
	}
}

// Submit makes the job, and hangs.
func (h hangingSystem) Submit(ctx context.Context, spec *adaptor.Spec) (adaptor.SubmittedJob, error) {
	placed, err := h.Endpoint.Submit(ctx, spec)
	h.hangIn(ctx, adaptortest.Submit)
	if ctx.Err() != nil {
		return adaptor.SubmittedJob{}, &adaptor.Error{Class: adaptor.Uncertain, Err: ctx.Err()}
	}
	return placed, err
}

// Find hangs, and finds nothing out.
func (h hangingSystem) Find(ctx context.Context, spec *adaptor.Spec) (adaptor.SubmittedJob, bool, error) {
	h.hangIn(ctx, adaptortest.Find)
	return h.Endpoint.Find(ctx, spec)
}

// Cancel hangs: the job hears nothing.
func (h hangingSystem) Cancel(ctx context.Context, job adaptor.Handle, stop adaptor.Stop) error {
	h.hangIn(ctx, adaptortest.Cancel)
	return h.Endpoint.Cancel(ctx, job, stop)
}

// countUnanswered makes a fleet count the questions of agents that it leaves without an answer.
func (f *fleet) countUnanswered() (unanswered func() int) {
	var mu sync.Mutex
	n := 0
	f.batch.SetHandler(func(ctx context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (api.AgentReply, error) {
		reply, err := f.answerAgent(ctx, key, verb, req)
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			n++
		}
		return reply, err
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// launchHanging starts a launcher on a batch system whose commands of a kind hang.
func (f *fleet) launchHanging(op adaptortest.Op) *member {
	f.t.Helper()
	return f.launch("a", func(cfg *launcher.Config) {
		cfg.Systems, cfg.Limits.Effects = systemsByName{"fork": hangingSystem{f.batch.Open(), op}}, 2
	})
}

// checkStateWithin awaits a state and says if it came late, or if an agent got no answer.
func (f *fleet) checkStateWithin(most time.Duration, k pilot.Key, state pilot.State, unanswered func() int) {
	f.t.Helper()
	begun := time.Now()
	p := f.awaitState(k, state)
	if took := p.ChangedAt.Sub(begun); took > most || unanswered() != 0 {
		f.t.Errorf("%s is %s after %s; %d questions of agents were not answered", k.Pilot, p.State, took, unanswered())
	}
}

// TestAgentsAreAnsweredWhileCommandsHang: what agents ask for and report is in the log at
// once, though a command about the same pilot hangs, and though commands about others
// have all the slots.
func TestAgentsAreAnsweredWhileCommandsHang(t *testing.T) {
	payload := pilot.Description{Executable: "sleep", Arguments: []string{"15"}}
	for name, test := range map[string]func(f *fleet, unanswered func() int){
		"its submit": func(f *fleet, unanswered func() int) {
			f.launchHanging(adaptortest.Submit)
			f.checkStateWithin(20*time.Second, f.submit("p", payload), pilot.Done, unanswered)
		},
		"its cancel": func(f *fleet, unanswered func() int) {
			f.launchHanging(adaptortest.Cancel)
			k := f.submit("p", payload)
			f.awaitState(k, pilot.Active)
			f.cancel(k, false)
			f.checkStateWithin(10*time.Second, k, pilot.Canceled, unanswered)
		},
		"submits of others": func(f *fleet, unanswered func() int) {
			first := f.launch("a")
			k := f.submit("p", payload)
			f.awaitState(k, pilot.Active)
			f.kill(first)
			f.launchHanging(adaptortest.Submit)
			for i := range 4 {
				f.submit(fmt.Sprintf("other-%d", i), payload)
			}
			f.checkStateWithin(20*time.Second, k, pilot.Done, unanswered)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, adaptortest.Config{Beat: 5 * time.Second})
				test(f, f.countUnanswered())
			})
		})
	}
}

// lateSystem is a batch system that answers a submit a second after the job has begun.
type lateSystem struct{ *adaptortest.Endpoint }

// Submit answers late.
func (l lateSystem) Submit(ctx context.Context, spec *adaptor.Spec) (adaptor.SubmittedJob, error) {
	placed, err := l.Endpoint.Submit(ctx, spec)
	time.Sleep(time.Second) // of a bubble
	return placed, err
}

// TestAnAgentQuickerThanItsSubmitWaits: the log tells PENDING_ACTIVE before ACTIVE, and
// neither is tried in vain.
func TestAnAgentQuickerThanItsSubmitWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{})
		tried := []events.Kind{}
		f.log.Faults.Refuse = func(e *events.Event) error {
			if e.Class == events.ClassChange {
				tried = append(tried, e.Kind)
			}
			return nil
		}
		f.launch("a", func(cfg *launcher.Config) { cfg.Systems = systemsByName{"fork": lateSystem{f.batch.Open()}} })
		f.awaitState(f.submit("p", pilot.Description{Executable: "true"}), pilot.Done)
		if want := []events.Kind{"launching", "pending_active", "active", "done"}; !slices.Equal(tried, want) {
			t.Errorf("the launcher wrote %q, want %q", tried, want)
		}
	})
}

// TestAgentsAreAnsweredWhileTheirJobIsLookedFor: a launcher that started anew does not
// know the job, and the batch system does not show it; its agent goes on all the same.
func TestAgentsAreAnsweredWhileTheirJobIsLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{Script: func(*adaptor.Spec) adaptortest.Script {
			return adaptortest.Script{Queue: time.Minute, Length: time.Minute}
		}})
		first := f.launchHanging(adaptortest.Submit)
		k := f.submit("p", pilot.Description{Executable: "sleep", Arguments: []string{"60"}})
		f.awaitState(k, pilot.Launching)
		f.kill(first)
		unanswered := f.countUnanswered()
		f.launchHanging(adaptortest.Find)
		f.checkStateWithin(3*time.Minute, k, pilot.Done, unanswered)
	})
}
