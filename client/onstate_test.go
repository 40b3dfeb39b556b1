package client_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// recordingHandler gives a handler that passes on the states it is told.
func recordingHandler(n int) (client.Handler, <-chan pilot.State) {
	states := make(chan pilot.State, n)
	return func(_ context.Context, ch client.Change) error {
		states <- ch.Pilot.State
		return nil
	}, states
}

func nextStates(states <-chan pilot.State, n int) []pilot.State {
	got := make([]pilot.State, n)
	for i := range got {
		got[i] = <-states
	}
	return got
}

func TestOnStateTellsWhatItsReplaySays(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		replay client.Replay
		want   []pilot.State
	}{
		"none":    {client.ReplayNone, []pilot.State{pilot.Active}},
		"current": {client.ReplayCurrent, []pilot.State{pilot.PendingActive, pilot.Active}},
		"all":     {client.ReplayAll, []pilot.State{pilot.PendingLaunch, pilot.Launching, pilot.PendingActive, pilot.Active}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, h := unservedClient(t)
			k := pilotKey("m", "p")
			h.submitPilot(k)
			h.movePilot(k, pilot.KindLaunching, pilot.KindPendingActive)
			h.noteHealth(k, "moves nothing")
			handler, states := recordingHandler(10)
			handling, err := c.Handle("m").Pilot("p").OnState(t.Context(), handler, client.HandlerOptions{Replay: x.replay})
			if err != nil {
				t.Fatal(err)
			}
			defer handling.Stop()
			h.movePilot(k, pilot.KindActive)
			if got := nextStates(states, len(x.want)); !slices.Equal(got, x.want) {
				t.Errorf("got %v, want %v", got, x.want)
			}
		})
	}
}

func TestABadHandlerHurtsNobodyElse(t *testing.T) {
	t.Parallel()
	c, h := unservedClient(t)
	k := pilotKey("m", "p")
	m := c.Handle("m")
	var failures atomic.Int32
	count := client.HandlerOptions{OnError: func(error) { failures.Add(1) }}
	stuck := make(chan struct{})
	for _, bad := range []client.Handler{
		func(context.Context, client.Change) error { return errors.New("no") },
		func(context.Context, client.Change) error { panic("no") },
		func(ctx context.Context, _ client.Change) error { close(stuck); <-ctx.Done(); return nil },
	} {
		handling, err := m.OnState(t.Context(), bad, count)
		if err != nil {
			t.Fatal(err)
		}
		defer handling.Stop()
	}
	handler, states := recordingHandler(10)
	handling, err := m.OnState(t.Context(), handler, client.HandlerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h.submitPilot(k)
	h.movePilot(k, pilot.KindLaunching, pilot.KindPendingActive, pilot.KindActive, pilot.KindDone)
	<-stuck
	want := []pilot.State{pilot.PendingLaunch, pilot.Launching, pilot.PendingActive, pilot.Active, pilot.Done}
	if got := nextStates(states, len(want)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	handling.Stop()
	<-handling.Done()
	c.Close() // ends the others, of which two have been told or will be told
	if n := failures.Load(); n > 10 {
		t.Errorf("%d failures of 10 calls", n)
	}
}

func TestErrorsOfAHandlerReachItsOwner(t *testing.T) {
	t.Parallel()
	c, h := unservedClient(t)
	why := errors.New("no")
	got := make(chan error, 2)
	calls := 0
	_, err := c.Handle("m").OnState(t.Context(), func(context.Context, client.Change) error {
		if calls++; calls == 1 {
			return why
		}
		panic("worse")
	}, client.HandlerOptions{OnError: func(err error) { got <- err }})
	if err != nil {
		t.Fatal(err)
	}
	h.submitPilot(pilotKey("m", "p"))
	h.submitPilot(pilotKey("m", "q"))
	if err := <-got; !errors.Is(err, why) {
		t.Errorf("got %v, want what the handler returned", err)
	}
	if err := <-got; pilot.CodeOf(err) != pilot.Internal {
		t.Errorf("got %v, want the panic", err)
	}
}

func TestStopDoesNotWaitAndDoneDoes(t *testing.T) {
	t.Parallel()
	c, h := unservedClient(t)
	var ended atomic.Bool
	running, release := make(chan struct{}), make(chan struct{})
	handling, err := c.Handle("m").OnState(t.Context(), func(ctx context.Context, _ client.Change) error {
		close(running)
		<-ctx.Done()
		<-release
		ended.Store(true)
		return nil
	}, client.HandlerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h.submitPilot(pilotKey("m", "p"))
	<-running
	handling.Stop() // would never return if it waited for the handler
	select {
	case <-handling.Done():
		t.Error("it is done while the handler is running")
	default:
	}
	close(release)
	<-handling.Done()
	if !ended.Load() {
		t.Error("it was done before the handler had returned")
	}
	handling.Stop()
}

func TestStopFromInsideMakesTheCallTheLast(t *testing.T) {
	t.Parallel()
	c, h := unservedClient(t)
	var handling *client.Registration
	ready, once := make(chan struct{}), make(chan struct{})
	handling, err := c.Handle("m").OnState(t.Context(), func(context.Context, client.Change) error {
		<-ready
		handling.Stop()
		close(once) // a second call would panic
		return nil
	}, client.HandlerOptions{OnError: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	close(ready)
	h.submitPilot(pilotKey("m", "p"))
	h.submitPilot(pilotKey("m", "q"))
	<-once
	<-handling.Done()
}

func TestAClosedClientTakesNoHandlers(t *testing.T) {
	t.Parallel()
	c, _ := unservedClient(t)
	m := c.Handle("m")
	c.Close()
	handler, _ := recordingHandler(0)
	if _, err := m.OnState(t.Context(), handler, client.HandlerOptions{}); pilot.CodeOf(err) != pilot.Closed {
		t.Errorf("got %v, want closed", err)
	}
}
