package bus_test

import (
	"context"
	"testing"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/bus/bustest"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// TestTheEndIsWhereATailOfTheSpanEnds: what is about another resource is no
// reason to be behind.
func TestTheEndIsWhereATailOfTheSpanEnds(t *testing.T) {
	t.Parallel()
	conn := bustest.Ready(t)
	log, err := conn.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	birth := func(resource, uid string) *events.Event {
		return &events.Event{
			ID: uid, Class: events.Command, Kind: events.Submit, Key: pilot.Key{Resource: resource, Manager: "m", Pilot: uid},
			Birth: &events.Birth{Description: pilot.Description{UID: uid}},
		}
	}
	for at, want := range []map[string]uint64{
		{"": 0, "a.b": 0, "c.d": 0},
		{"": 1, "a.b": 1, "c.d": 0},
		{"": 2, "a.b": 1, "c.d": 2},
	} {
		if at > 0 {
			if _, err := log.Append(t.Context(), birth([]string{"a.b", "c.d"}[at-1], string(rune('p'+at)))); err != nil {
				t.Fatal(err)
			}
		}
		for resource, end := range want {
			if got, err := log.End(t.Context(), events.Span{Resource: resource}); err != nil || got != end {
				t.Errorf("after %d births the end of %q is %d, %v; want %d", at, resource, got, err, end)
			}
		}
	}
}

// TestCallsCarryTheirTrace: a handler learns under which trace it is asked.
func TestCallsCarryTheirTrace(t *testing.T) {
	t.Parallel()
	conn := bustest.Connect(t, bustest.JetStream(t))
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
