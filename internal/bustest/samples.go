package bustest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// pilotKey names a pilot of manager "m" on this machine.
func pilotKey(uid pilot.UID) pilot.Key {
	return pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: uid}
}

// birthEvent is the birth of a pilot.
func birthEvent(k pilot.Key) *events.Event {
	return &events.Event{
		ID: "born-" + k.Resource + "-" + k.Pilot, Class: events.ClassCommand, Key: k, Kind: events.Submit, Actor: "test",
		Submission: &events.Submission{
			Description: pilot.Description{UID: k.Pilot, Resource: k.Resource, Cores: 1, Runtime: 60_000_000_000},
			Config:      []byte("{}"),
		},
	}
}

// changeEvent is a change that any status may follow: the log does not judge moves.
func changeEvent(k pilot.Key, prev uint64, id string) *events.Event {
	e, ok := events.Moved(k, prev, pilot.Status{State: pilot.Active, FurthestState: pilot.Active}, pilot.KindAdopted, nil)
	if !ok {
		panic("the machine has lost a move")
	}
	e.ID = id
	return &e
}

func noteEvent(k pilot.Key, id string) *events.Event {
	return &events.Event{
		ID: id, Class: events.ClassNote, Key: k, Kind: events.Logged, Note: &events.Note{Text: "a line"},
	}
}

// configEvent is version n of a configuration.
func configEvent(label string, n, prev uint64) *events.Event {
	return &events.Event{
		ID: fmt.Sprintf("%s-v%d", label, n), Class: events.ClassResource, Key: pilot.Key{Resource: label}, Kind: events.Put,
		Prev: prev, Source: &events.Source{Version: n, File: "x.json", Text: []byte("{}")},
	}
}

// managerEvent is the creation of manager "m".
func managerEvent() *events.Event {
	return &events.Event{
		ID: "owner", Class: events.ClassManager, Key: pilot.Key{Manager: "m"}, Kind: events.Created,
		Scope: &events.Scope{Session: "s", State: events.StateOpen},
	}
}

func entryLabel(e *events.Entry) string {
	if e.Mark {
		return fmt.Sprintf("mark at %d", e.Seq)
	}
	return e.ID
}

// must gives a result, or ends the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantCode(t *testing.T, err error, want pilot.Code) {
	t.Helper()
	if pilot.CodeOf(err) != want {
		t.Errorf("got %v (code %q), want code %q", err, pilot.CodeOf(err), want)
	}
}

func wantIDs(t *testing.T, got []events.Event, want []string) {
	t.Helper()
	ids := make([]string, len(got))
	for i := range got {
		ids[i] = got[i].ID
	}
	if !slices.Equal(ids, want) && len(ids)+len(want) > 0 {
		t.Errorf("got %d events %.200q, want %d: %.200q", len(ids), ids, len(want), want)
	}
}
