package app_test

import (
	"context"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// startManager runs a replica and gives what ends it.
func startManager(t *testing.T, conn *bus.Conn) (leave func() error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- app.RunManager(ctx, conn, app.ManagerOptions{Ready: func() { close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return func() error {
		stop()
		return <-ended
	}
}

func callEndpointJSON[A any](t *testing.T, conn *bus.Conn, endpoint string, in any) (out A) {
	t.Helper()
	seq, err := conn.Call(t.Context(), endpoint, 0, in, &out)
	if err != nil || seq == 0 {
		t.Fatalf("%s: position %d, %v", endpoint, seq, err)
	}
	return out
}

// TestManagerServes: what one replica answered another one knows, and a replica
// that leaves answers those who wait with unavailable.
func TestManagerServes(t *testing.T) {
	t.Parallel()
	server := bustest.StartServer(t)
	user, first, second := bustest.Connect(t, server), bustest.Connect(t, server), bustest.Connect(t, server)
	if err := user.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	leave := startManager(t, first)
	of := callEndpointJSON[api.ManagerAnswer](t, user, "manager.create", api.CreateRequest{}).Manager.UID
	d := pilot.Description{Resource: "localhost", Cores: 1, Runtime: pilot.Runtime(time.Minute)}
	p := callEndpointJSON[api.PilotsAnswer](t, user, "pilot.submit", api.SubmitRequest{Manager: of, Pilots: []pilot.Description{d}}).Pilots[0]

	waited := make(chan error, 1)
	go func() {
		_, err := user.Call(t.Context(), "pilot.wait", 0, api.WaitRequest{Manager: of}, &api.WaitAnswer{})
		waited <- err
	}()
	if now := callEndpointJSON[api.WaitAnswer](t, user, "pilot.wait", api.WaitRequest{Manager: of, Timeout: new(api.Duration)}); !now.TimedOut {
		t.Fatalf("a look without waiting gives %+v", now)
	}
	if err := leave(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; pilot.CodeOf(err) != pilot.Unavailable {
		t.Fatalf("who waited gets %v", err)
	}

	startManager(t, second)
	got := callEndpointJSON[api.PilotsAnswer](t, user, "pilot.get", api.GetRequest{Manager: of})
	if len(got.Pilots) != 1 || got.Pilots[0].UID != p.UID || got.Pilots[0].State != pilot.PendingLaunch {
		t.Fatalf("the second replica answers %+v", got)
	}
	var none api.PilotsAnswer
	_, err := user.Call(t.Context(), "pilot.submit", 0, map[string]any{"manager": of, "pilot": 1}, &none)
	if pilot.CodeOf(err) != pilot.Invalid || len(pilot.FieldErrorsOf(err)) == 0 {
		t.Fatalf("an unknown field gives %v", err)
	}
}
