package manager_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// TestNoAnswerSaysThatADonePilotIsIll: also where an earlier version left such notes in
// the log, and to a replica that starts with them.
func TestNoAnswerSaysThatADonePilotIsIll(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	m := openReplica(t, log)
	of := createManager(t, m)
	mustSubmit(t, m, of, validPilot("p"))
	note := func(id string, kind events.Kind) {
		t.Helper()
		_, err := log.Append(t.Context(), &events.Event{
			ID: id, Class: events.ClassNote, Kind: kind, Key: pilot.Key{Resource: "local.localhost", Manager: of, Pilot: "p"},
			Note: &events.Note{Text: "its batch system cannot be asked", Health: "batch system silent"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	mustMove(t, log, of, "p", pilot.KindLaunching, pilot.KindPendingActive, pilot.KindActive)
	note("ill", events.Health)
	healthOf := func(m replica, at *time.Time) string {
		t.Helper()
		a, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of, UIDs: []pilot.UID{"p"}, At: at}, user)
		if err != nil {
			t.Fatal(err)
		}
		return a.Pilots[0].Health
	}
	eventually(t, "ill while it runs", func() bool { return healthOf(m, nil) == "batch system silent" })
	time.Sleep(2 * time.Millisecond) // the log's clock must go on
	while := time.Now()
	time.Sleep(2 * time.Millisecond)
	mustMove(t, log, of, "p", pilot.KindDone)
	note("late", events.Late)
	for _, m := range []replica{m, openReplica(t, log)} {
		eventually(t, "well once it is DONE", func() bool { return healthOf(m, nil) == "" })
		if got := healthOf(m, &while); got != "batch system silent" {
			t.Errorf("while it ran its health was %q", got)
		}
		l, err := m.ListPilots(t.Context(), api.ListRequest{Manager: of}, user)
		if err != nil || l.Pilots[0].Health != "" {
			t.Errorf("listed as %+v, %v", l.Pilots, err)
		}
		e, err := m.ExplainPilot(t.Context(), api.PilotRequest{Manager: of, UID: "p"}, user)
		if err != nil || e.Pilot.Health != "" || strings.Contains(strings.Join(e.Hints, " "), "batch system") {
			t.Errorf("explained as %+v, %v", e, err)
		}
	}
}
