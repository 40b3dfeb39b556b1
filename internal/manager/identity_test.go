package manager_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/pilot"
)

// TestWhoDidItIsKept: of all that users change, and on whose behalf they said they did.
func TestWhoDidItIsKept(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	long := strings.Repeat("b", 300)
	anna, ben := manager.Call{Actor: "anna", OnBehalfOf: "team@login"}, manager.Call{Actor: "ben", OnBehalfOf: long}
	if err := trySubmit(m, of, anna, []pilot.Description{validPilot("p")}); err != nil {
		t.Fatal(err)
	}
	mustMove(t, log, of, "p", pilot.KindLaunching)
	if _, err := m.CancelPilots(t.Context(), api.CancelRequest{Manager: of}, ben); err != nil {
		t.Fatal(err)
	}
	long = long[:256] // a name that anybody may send is kept as far as that
	got, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of}, user)
	if err != nil {
		t.Fatal(err)
	}
	if p := got.Pilots[0]; p.SubmittedBy != "anna" || p.OnBehalfOf != "team@login" || p.Cancel.By != "ben" || p.Cancel.OnBehalfOf != long {
		t.Errorf("the pilot is %+v, canceled %+v", p, p.Cancel)
	}
	past, err := m.GetHistory(t.Context(), api.PilotRequest{Manager: of, UID: "p"}, user)
	if err != nil {
		t.Fatal(err)
	}
	var by []string
	for _, e := range past.Events {
		if e.Kind == events.Submit || e.Kind == "canceling" || e.Kind == events.Cancel {
			by = append(by, api.Who(e.Actor, e.OnBehalfOf))
		}
	}
	if want := []string{"anna for team@login", "ben for " + long, "ben for " + long}; !slices.Equal(by, want) {
		t.Errorf("history says %q, want %q", by, want)
	}
	lines, err := m.GetLogs(t.Context(), api.PilotRequest{Manager: of, UID: "p"}, user)
	if err != nil || lines.Lines[0].Message != "submitted by anna for team@login" {
		t.Errorf("the lines are %+v, %v", lines.Lines, err)
	}
	put := api.PutResourceRequest{Label: "a.b", Text: `{"job_manager_endpoint":"fork://localhost/"}`}
	if _, err := m.PutResource(t.Context(), put, anna); err != nil {
		t.Fatal(err)
	}
	r, err := m.GetResource(t.Context(), api.ResourceRequest{Label: "a.b"}, user)
	if err != nil || r.Source.Actor != "anna" || r.Source.OnBehalfOf != "team@login" {
		t.Errorf("the resource is put by %+v, %v", r.Source, err)
	}
}

// TestWhoEndsPilotsOfWhatAnotherClosedIsKept: another replica ends them, and names who
// wanted that, not who had closed the manager before.
func TestWhoEndsPilotsOfWhatAnotherClosedIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := bustest.NewMemory()
		log.Faults.Refuse = func(e *events.Event) error { // ben's replica writes that they are to end, and no more
			if e.Actor == "ben" && e.Scope == nil {
				return pilot.Errorf(pilot.Invalid, "not by ben")
			}
			return nil
		}
		m := startReplica(t.Context(), t, log)
		defer m.stop()
		of := createManager(t, m)
		mustSubmit(t, m, of, validPilot("p"))
		if _, err := m.CloseManager(t.Context(), api.CloseRequest{UID: of}, manager.Call{Actor: "anna"}); err != nil {
			t.Fatal(err)
		}
		ben := manager.Call{Actor: "ben", OnBehalfOf: "team@login"}
		_, _ = m.CloseManager(t.Context(), api.CloseRequest{UID: of, Terminate: true}, ben) // refused, or beaten by the replica itself
		time.Sleep(time.Minute)
		synctest.Wait()
		got, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of}, user)
		if err != nil || got.Pilots[0].Cancel == nil || got.Pilots[0].Cancel.By != "ben" || got.Pilots[0].Cancel.OnBehalfOf != "team@login" {
			t.Errorf("the pilot: %+v, canceled %+v, %v", got.Pilots, got.Pilots[0].Cancel, err)
		}
		a, err := m.GetManager(t.Context(), api.ScopeRequest{UID: of}, user)
		if err != nil || a.Manager.ClosedBy != "anna" {
			t.Errorf("the manager: %+v, %v", a.Manager, err)
		}
	})
}

// TestWhoClosedItIsKept: he who did so first.
func TestWhoClosedItIsKept(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("p"))
	anna, ben := manager.Call{Actor: "anna", OnBehalfOf: "team@login"}, manager.Call{Actor: "ben"}
	want := func(what string, got *api.Manager, err error) {
		t.Helper()
		if err != nil || got.ClosedBy != "anna" || got.ClosedFor != "team@login" || got.State != events.StateClosed {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	a, err := m.CloseSession(t.Context(), api.CloseRequest{UID: "default"}, anna)
	want("the session", a.Session, err)
	a, err = m.CloseManager(t.Context(), api.CloseRequest{UID: of, Terminate: true}, ben)
	want("its manager, whose pilots ben ends", a.Manager, err)
	got, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of}, user)
	if err != nil || got.Pilots[0].Cancel.By != "ben" {
		t.Errorf("the pilot: %+v, canceled %+v, %v", got.Pilots, got.Pilots[0].Cancel, err)
	}
	listed, err := m.ListSessions(t.Context(), api.ScopesRequest{}, user)
	want("the list", &listed.Sessions[0], err)

	createManager(t, m) // opens the session anew
	again, err := m.GetSession(t.Context(), api.ScopeRequest{UID: "default"}, user)
	if err != nil || again.Session.ClosedBy != "" || again.Session.State != events.StateOpen {
		t.Errorf("open again: %+v, %v", again.Session, err)
	}
}
