package manager_test

import (
	"slices"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/pilot"
)

// TestOverJetStream goes once through everything over a real log.
func TestOverJetStream(t *testing.T) {
	t.Parallel()
	log, err := bustest.ConnectReady(t).Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := startReplica(t.Context(), t, log)
	of := createManager(t, a)
	r := api.SubmitRequest{Manager: of, Pilots: validPilots(100), IdempotencyKey: "k"}
	made, err := a.SubmitPilots(t.Context(), r, user)
	if err != nil {
		t.Fatal(err)
	}
	a.stop()
	b, c := openReplica(t, log), openReplica(t, log)
	again, err := b.SubmitPilots(t.Context(), r, user)
	if err != nil || !slices.Equal(uidsOf(again.Pilots), uidsOf(made.Pilots)) {
		t.Fatalf("asked again: %v, %v", again, err)
	}
	uids := uidsOf(made.Pilots)
	mustMove(t, log, of, uids[0], pilot.KindLaunching, pilot.KindPendingActive, pilot.KindActive)
	reached := api.WaitRequest{Manager: of, UIDs: uids[:1], States: []pilot.State{pilot.Active}}
	if w, err := b.WaitForPilots(t.Context(), reached, user); err != nil || !w.Pilots[0].Reached {
		t.Fatalf("wait: %+v, %v", w, err)
	}
	before := time.Now()
	closing, err := b.CloseManager(t.Context(), api.CloseRequest{UID: of, Terminate: true}, user)
	if err != nil || len(closing.Canceling) != 100 || closing.Manager.State != events.StateClosing {
		t.Fatalf("close: %d, %+v, %v", len(closing.Canceling), closing.Manager, err)
	}
	mustMove(t, log, of, uids[0], pilot.KindCanceled)
	if w, err := c.WaitForPilots(t.Context(), api.WaitRequest{Manager: of}, manager.Call{MinSeq: closing.Seq}); err != nil || w.TimedOut {
		t.Fatalf("wait: %+v, %v", w, err)
	}
	eventually(t, "closed", func() bool { return scopeState(t, c, of) == events.StateClosed })
	past, err := c.GetPilots(t.Context(), api.GetRequest{Manager: of, UIDs: uids, At: &before}, user)
	if err != nil || past.Pilots[0].State != pilot.Active || past.Pilots[1].State != pilot.PendingLaunch {
		t.Fatalf("as it was: %v", err)
	}
	h, err := c.GetHistory(t.Context(), api.PilotRequest{Manager: of, UID: uids[0]}, user)
	if err != nil || len(h.Events) != 7 {
		t.Fatalf("history: %+v, %v", h, err)
	}
}
