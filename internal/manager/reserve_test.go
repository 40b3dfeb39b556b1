package manager_test

import (
	"sync/atomic"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// TestNothingBeginsThatIsNotAdmitted: what would begin is refused with the reason and
// leaves nothing in the log; what is there is canceled, closed, finished and taken away.
func TestNothingBeginsThatIsNotAdmitted(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		nothingBegins(t, bustest.NewMemory())
	})
	t.Run("jetstream", func(t *testing.T) {
		t.Parallel()
		log, err := bustest.ConnectReady(t).Log(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		nothingBegins(t, log)
	})
}

func nothingBegins(t *testing.T, log manager.Log) {
	t.Helper()
	var why atomic.Pointer[pilot.Error]
	m := openAdmitting(t, log, func() error {
		if e := why.Load(); e != nil {
			return e
		}
		return nil
	})
	ctx := t.Context()
	const box = `{"job_manager_endpoint": "fork://localhost/", "cores_per_node": 10}`
	mustPut(t, m, api.PutResourceRequest{Label: "site.box", Text: box})
	of := createManager(t, m)
	submitted := api.SubmitRequest{Manager: of, Pilots: validPilots(3), IdempotencyKey: "before"}
	made, err := m.SubmitPilots(ctx, submitted, user)
	if err != nil {
		t.Fatal(err)
	}
	uids := uidsOf(made.Pilots)
	mustMove(t, log, of, uids[0], pilot.KindLaunching, pilot.KindPendingActive, pilot.KindActive)

	full := &pilot.Error{Code: pilot.Unavailable, Lasting: true, Message: "the store is full"}
	why.Store(full)
	before, err := log.End(ctx, events.Span{})
	if err != nil {
		t.Fatal(err)
	}
	other := api.PutResourceRequest{Label: "site.other", Text: box}
	for name, begin := range map[string]func() error{
		"manager":  func() error { _, err := m.CreateManager(ctx, api.CreateRequest{}, user); return err },
		"session":  func() error { _, err := m.CreateSession(ctx, api.CreateRequest{}, user); return err },
		"resource": func() error { _, err := m.PutResource(ctx, other, user); return err },
		"pilots": func() error {
			_, err := m.SubmitPilots(ctx, api.SubmitRequest{Manager: of, Pilots: validPilots(2)}, user)
			return err
		},
	} {
		if err := begin(); pilot.CodeOf(err) != pilot.Unavailable || !pilot.Lasting(err) || err.Error() != full.Message {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after, err := log.End(ctx, events.Span{}); err != nil || after != before {
		t.Errorf("what was refused left something: %d, then %d, %v", before, after, err)
	}
	if again, err := m.SubmitPilots(ctx, submitted, user); err != nil || len(again.Pilots) != len(uids) { // it began before
		t.Errorf("a submit that is asked again: %v", err)
	}

	if _, err := m.CancelPilots(ctx, api.CancelRequest{Manager: of, UIDs: uids[1:]}, user); err != nil {
		t.Errorf("a cancel of two: %v", err)
	}
	mustMove(t, log, of, uids[0], pilot.KindDone)
	if _, err := m.DeleteResource(ctx, api.DeleteResourceRequest{Label: "site.box"}, user); err != nil {
		t.Errorf("a resource that is taken away: %v", err)
	}
	if _, err := m.CloseManager(ctx, api.CloseRequest{UID: of, Terminate: true}, user); err != nil {
		t.Errorf("a manager that is closed: %v", err)
	}
	eventually(t, "finished", func() bool { return scopeState(t, m, of) == events.StateClosed })

	why.Store(nil)
	mustSubmit(t, m, createManager(t, m), validPilot("a"))
}

// openAdmitting starts a replica, for the length of a test, that asks whether something
// may begin.
func openAdmitting(t *testing.T, log manager.Log, admit func() error) replica {
	t.Helper()
	known, err := resource.BuiltinCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	r := startAs(t.Context(), t, manager.Config{Log: log, Resources: known, Admit: admit})
	t.Cleanup(r.stop)
	return r
}
