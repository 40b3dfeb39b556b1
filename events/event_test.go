package events_test

import (
	"testing"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

func TestExpectsWhereARaceCanBeLost(t *testing.T) {
	t.Parallel()
	for name, e := range sampleEvents() {
		want := e.Class != events.ClassNote && name != "cmd-cancel"
		if e.Expects() != want {
			t.Errorf("%s: Expects is %v", name, e.Expects())
		}
	}
}

func TestMovedWritesWhatTheMachineSays(t *testing.T) {
	t.Parallel()
	key := pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: "p"}
	from := pilot.Status{State: pilot.Canceling, FurthestState: pilot.PendingActive, WasCanceling: true}
	e, ok := events.Moved(key, 41, from, pilot.KindFailed, func(s *pilot.Status) { s.Stdout = "out" })
	if !ok || e.Kind != "canceled" || e.From != pilot.Canceling || e.Prev != 41 || e.Key != key || e.Class != events.ClassChange {
		t.Fatalf("made %+v, %v", e, ok)
	}
	if e.Status.State != pilot.Canceled || e.Status.Stdout != "out" || from.Stdout != "" {
		t.Errorf("status after is %+v", e.Status)
	}
	if k, moves := e.Move(); !moves || k != pilot.KindCanceled {
		t.Errorf("moves by %v, %v", k, moves)
	}
	if _, ok := events.Moved(key, 41, *e.Status, pilot.KindActive, nil); ok {
		t.Error("moved what has ended")
	}
}
