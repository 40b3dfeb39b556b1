package bus_test

import (
	"context"
	"testing"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/bustest"
)

// TestCallsCarryTheirTrace: a handler learns under which trace it is asked.
func TestCallsCarryTheirTrace(t *testing.T) {
	t.Parallel()
	conn := bustest.Connect(t, bustest.StartServer(t))
	heard := make(chan string, 2)
	stop, err := conn.Serve(t.Context(), bus.Service{Name: "pilots", Version: "0.0.0", Endpoints: []bus.Endpoint{{
		Name: "echo", Handle: func(_ context.Context, r bus.Request) (any, uint64, error) {
			heard <- r.Trace
			return struct{}{}, 0, nil
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, want := range []string{trace, ""} {
		if _, err := conn.Call(bus.WithTrace(t.Context(), want), "echo", 0, struct{}{}, nil); err != nil {
			t.Fatal(err)
		}
		if got := <-heard; got != want {
			t.Errorf("trace is %q, want %q", got, want)
		}
	}
}
