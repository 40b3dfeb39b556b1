package manager_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

func scopeState(t testing.TB, m replica, of pilot.UID) events.ScopeState {
	t.Helper()
	a, err := m.GetManager(t.Context(), api.ScopeRequest{UID: of}, user)
	if err != nil {
		t.Fatal(err)
	}
	return a.Manager.State
}

func TestCloseKeepsThePilots(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("a"))
	for range 2 { // closing again changes nothing
		a, err := m.CloseManager(t.Context(), api.CloseRequest{UID: of, Reason: "tidy"}, user)
		if err != nil || a.Manager.State != events.StateClosed || len(a.Canceling) != 0 || a.Canceling == nil || a.Manager.Reason != "tidy" {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	got, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of}, user)
	if err != nil || got.Pilots[0].State != pilot.PendingLaunch {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = m.SubmitPilots(t.Context(), api.SubmitRequest{Manager: of, Pilots: validPilots(1)}, user)
	wantCode(t, err, pilot.Closed)

	a, err := m.CloseManager(t.Context(), api.CloseRequest{UID: of, Terminate: true}, user)
	if err != nil || !slices.Equal(a.Canceling, []pilot.UID{"a"}) || a.Manager.Pilots["CANCELED"] != 1 {
		t.Fatalf("closed once more, to terminate: %+v, %v", a, err)
	}
	_, err = m.CloseManager(t.Context(), api.CloseRequest{UID: "nobody"}, user)
	wantCode(t, err, pilot.NotFound)
}

func TestCloseEndsWhatNobodyClaimed(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("a"), validPilot("b"))
	a, err := m.CloseManager(t.Context(), api.CloseRequest{UID: of, Terminate: true}, user)
	if err != nil || a.Manager.State != events.StateClosed || a.Manager.Pilots["CANCELED"] != 2 ||
		!slices.Equal(a.Canceling, []pilot.UID{"a", "b"}) || a.Manager.ClosedAt == nil {
		t.Fatalf("%+v, %v", a, err)
	}
}

func TestCloseIsOverWithTheLastPilot(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	m := startReplica(t.Context(), t, log)
	other := openReplica(t, log)
	of := createManager(t, m)
	mustSubmit(t, m, of, validPilot("a"), validPilot("b"))
	mustMove(t, log, of, "a", pilot.KindLaunching)
	a, err := m.CloseManager(t.Context(), api.CloseRequest{UID: of, Terminate: true}, user)
	if err != nil || a.Manager.State != events.StateClosing || a.Manager.Pilots["CANCELING"] != 1 || a.Manager.Pilots["CANCELED"] != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	_, err = m.SubmitPilots(t.Context(), api.SubmitRequest{Manager: of, Pilots: validPilots(1)}, user)
	wantCode(t, err, pilot.Closed)
	m.stop() // who began is gone
	mustMove(t, log, of, "a", pilot.KindCanceled)
	eventually(t, "the other replica ends it", func() bool { return scopeState(t, other, of) == events.StateClosed })
}

// TestCloseGoesOnWhereItStopped: whatever a replica had got to when it died, of
// the appends that closing a session needs, the others bring it to an end; and
// what was born meanwhile ends too.
func TestCloseGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	for allowed := range 8 {
		synctest.Test(t, func(t *testing.T) {
			log := bustest.NewMemory()
			ctx, die := context.WithCancel(t.Context())
			var armed atomic.Bool
			left := allowed
			log.Faults.Refuse = func(e *events.Event) error {
				if !armed.Load() || e.Actor != "ada" {
					return nil
				}
				if left--; left < 0 {
					die()
					return pilot.Errorf(pilot.Unavailable, "dead")
				}
				return nil
			}
			dying, other := startReplica(t.Context(), t, log), startReplica(t.Context(), t, log)
			of := map[pilot.UID]pilot.UID{"a": createManager(t, dying), "b": createManager(t, dying)}
			for uid, in := range of {
				mustSubmit(t, dying, in, validPilot(uid))
				mustMove(t, log, in, uid, pilot.KindLaunching)
			}
			synctest.Wait()
			armed.Store(true)
			_, err := dying.CloseSession(ctx, api.CloseRequest{UID: "default", Terminate: true}, user)
			dying.stop()
			die()
			if allowed == 0 {
				wantCode(t, err, pilot.Unavailable)
				other.stop()
				return
			}
			born := appendLateSubmit(t, log, of["a"])
			time.Sleep(10 * time.Second)
			synctest.Wait()
			for uid, in := range of {
				mustMove(t, log, in, uid, pilot.KindCanceled)
			}
			time.Sleep(10 * time.Second)
			s, err := other.GetSession(t.Context(), api.ScopeRequest{UID: "default"}, user)
			if err != nil || s.Session.State != events.StateClosed || s.Session.Pilots["CANCELED"] != 3 || s.Session.ClosedBy != "ada" {
				t.Errorf("after %d appends: %+v, %v (%s)", allowed, s, err, born)
			}
			for _, in := range of {
				a, err := other.GetManager(t.Context(), api.ScopeRequest{UID: in}, user)
				if err != nil || a.Manager.State != events.StateClosed || a.Manager.ClosedBy != "ada" {
					t.Errorf("after %d appends: manager is %+v, %v", allowed, a.Manager, err)
				}
			}
			checkCanceledByAda(t, other, of["a"], "a", born)
			other.stop()
		})
	}
}

// checkCanceledByAda checks who wanted the end of pilots, whoever wrote it down.
func checkCanceledByAda(t testing.TB, m replica, of pilot.UID, uids ...pilot.UID) {
	t.Helper()
	got, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of, UIDs: uids}, user)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got.Pilots {
		if p.Cancel == nil || p.Cancel.By != "ada" {
			t.Errorf("%s is canceled by %+v", p.UID, p.Cancel)
		}
	}
}

// appendLateSubmit writes a birth as a replica would that does not know of the close yet.
func appendLateSubmit(t testing.TB, log *bustest.Memory, of pilot.UID) pilot.UID {
	t.Helper()
	d := validPilot("late")
	_, err := log.Append(context.Background(), &events.Event{
		ID: "late", Class: events.ClassCommand, Kind: events.Submit, Submission: &events.Submission{Description: d},
		Key: pilot.Key{Resource: d.Resource, Manager: of, Pilot: d.UID},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d.UID
}

func TestCloseASession(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	m := openReplica(t, log)
	of, empty := createManager(t, m), createManager(t, m)
	mustSubmit(t, m, of, validPilot("a"))
	mustMove(t, log, of, "a", pilot.KindLaunching, pilot.KindActive)
	a, err := m.CloseSession(t.Context(), api.CloseRequest{UID: "default"}, user)
	if err != nil || a.Session.State != events.StateClosed || a.Session.Pilots["ACTIVE"] != 1 || len(a.Canceling) != 0 {
		t.Fatalf("closed: %+v, %v", a, err)
	}
	if scopeState(t, m, of) != events.StateClosed || scopeState(t, m, empty) != events.StateClosed {
		t.Fatal("its managers are not closed")
	}
	a, err = m.CloseSession(t.Context(), api.CloseRequest{UID: "default", Terminate: true}, user)
	if err != nil || !slices.Equal(a.Canceling, []pilot.UID{"a"}) || a.Session.Pilots["CANCELING"] != 1 {
		t.Fatalf("closed once more, to terminate: %+v, %v", a, err)
	}
	_, err = m.CloseSession(t.Context(), api.CloseRequest{UID: "nobody"}, user)
	wantCode(t, err, pilot.NotFound)
}

// TestAClosedSessionTakesNoMore, but for the default one, which nobody made:
// closing it closes what it holds then.
func TestAClosedSessionTakesNoMore(t *testing.T) {
	t.Parallel()
	m := openReplica(t, bustest.NewMemory())
	for _, session := range []pilot.UID{"lab", "default"} {
		if _, err := m.CreateManager(t.Context(), api.CreateRequest{Session: session}, user); err != nil {
			t.Fatal(err)
		}
		if _, err := m.CloseSession(t.Context(), api.CloseRequest{UID: session}, user); err != nil {
			t.Fatal(err)
		}
	}
	_, err := m.CreateManager(t.Context(), api.CreateRequest{Session: "lab"}, user)
	wantCode(t, err, pilot.Closed)
	a, err := m.CreateManager(t.Context(), api.CreateRequest{}, user)
	if err != nil || a.Manager.Session != "default" || scopeState(t, m, a.Manager.UID) != events.StateOpen {
		t.Errorf("made in the default session, which was closed: %+v, %v", a, err)
	}
}

func TestCloseEverywhereAtOnce(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	rs := []replica{openReplica(t, log), openReplica(t, log), openReplica(t, log)}
	of := createManager(t, rs[0])
	got := mustSubmit(t, rs[0], of, validPilots(200)...)
	errs := make(chan error)
	for i := range 9 {
		go func() {
			c := user
			c.MinSeq = got[199].Seq
			_, err := rs[i%3].CloseManager(t.Context(), api.CloseRequest{UID: of, Terminate: true}, c)
			errs <- err
		}()
	}
	for range 9 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for i := 0; i < len(got); i += 20 {
		if n := countEvents(log, of, got[i].UID, "canceled"); n != 1 {
			t.Fatalf("%s was canceled %d times", got[i].UID, n)
		}
	}
	eventually(t, "closed", func() bool { return scopeState(t, rs[2], of) == events.StateClosed })
}
