package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

func TestOrphansAreAskedForOverTheBus(t *testing.T) {
	t.Parallel()
	s := bustest.StartServer(t)
	user, launcher := bustest.Connect(t, s), bustest.Connect(t, s)
	ask := func(r api.OrphansRequest) (api.OrphansAnswer, error) { return user.AskOrphans(t.Context(), "a.b", r) }
	if _, err := ask(api.OrphansRequest{}); pilot.CodeOf(err) != pilot.Unavailable || err.Error() != "no launcher of a.b answers" {
		t.Errorf("with no launcher: %v", err)
	}
	if _, err := user.AskOrphans(t.Context(), "a", api.OrphansRequest{}); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("a bad resource: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- launcher.ServeOrphans(ctx, "a.b", func(_ context.Context, r api.OrphansRequest) (api.OrphansAnswer, error) {
			if r.Foreign {
				return api.OrphansAnswer{}, pilot.Errorf(pilot.Timeout, "too late")
			}
			return api.OrphansAnswer{Resource: "a.b", Seq: uint64(len(r.Kill))}, nil
		})
	}()
	got, err := ask(api.OrphansRequest{Kill: []api.OrphanName{{ID: "1"}}})
	for ; pilot.CodeOf(err) == pilot.Unavailable; got, err = ask(api.OrphansRequest{Kill: []api.OrphanName{{ID: "1"}}}) {
	}
	if err != nil || got.Resource != "a.b" || got.Seq != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := ask(api.OrphansRequest{Foreign: true}); pilot.CodeOf(err) != pilot.Timeout {
		t.Errorf("an error came as %v", err)
	}
	m, err := user.NATS().Request("pilots.fleet.a.b.orphans", []byte(`{"kil":[]}`), time.Minute)
	if err != nil || m.Header.Get("Nats-Service-Error-Code") != "400" {
		t.Errorf("a field that there is not: %v, %v", m, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
