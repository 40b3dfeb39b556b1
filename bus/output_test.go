package bus_test

import (
	"context"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// TestWhoHasThePilotTellsItsOutput: of all launchers that are asked one answers.
func TestWhoHasThePilotTellsItsOutput(t *testing.T) {
	t.Parallel()
	s := bustest.StartServer(t)
	c := bustest.Connect(t, s)
	key := pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: "p"}
	if _, err := c.AskOutput(t.Context(), key); pilot.CodeOf(err) != pilot.Unavailable {
		t.Errorf("with no launcher: got %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	silent := make(chan struct{}, 100)
	serve := func(handle bus.OutputHandler) {
		launcher := bustest.Connect(t, s)
		go func() { ended <- launcher.ServeOutput(ctx, key.Resource, handle) }()
	}
	serve(func(_ context.Context, manager, uid pilot.UID) (api.OutputAnswer, bool, error) {
		if uid == "ended" {
			return api.OutputAnswer{}, true, pilot.Errorf(pilot.Closed, "it has ended")
		}
		return api.OutputAnswer{Stdout: manager + "/" + uid}, true, nil
	})
	var out api.OutputAnswer
	for err := error(pilot.Errorf(pilot.Unavailable, "")); pilot.CodeOf(err) == pilot.Unavailable; { // until it listens
		out, err = c.AskOutput(t.Context(), key)
	}
	serve(func(context.Context, pilot.UID, pilot.UID) (api.OutputAnswer, bool, error) {
		select {
		case silent <- struct{}{}:
		default:
		}
		return api.OutputAnswer{Stdout: "not mine"}, false, nil
	})
	for len(silent) == 0 || out.Stdout != "m/p" { // until both listen
		var err error
		if out, err = c.AskOutput(t.Context(), key); err != nil || out.Stdout != "m/p" {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	for _, uid := range []string{"p", "ended"} {
		key.Pilot = uid
		out, err := c.AskOutput(t.Context(), key)
		if uid == "p" && (err != nil || out.Stdout != "m/p") || uid == "ended" && pilot.CodeOf(err) != pilot.Closed {
			t.Errorf("%s: %+v, %v", uid, out, err)
		}
	}
	m, err := c.NATS().RequestWithContext(t.Context(), "pilots.fleet.local.localhost.output", []byte(`{"uid":1}`))
	if err != nil || m.Header.Get("Nats-Service-Error-Code") != "400" {
		t.Errorf("nonsense: got %v, %v", m, err)
	}
	stop()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
