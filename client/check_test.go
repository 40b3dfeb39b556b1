package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// TestCheckNamesEveryFaultOfALongList: and counts from its start. Nothing is submitted.
func TestCheckNamesEveryFaultOfALongList(t *testing.T) {
	t.Parallel()
	c, _, _ := startService(t, 1)
	m := newManager(t, c)
	descs := describeMany(api.MaxItems + 300)
	if err := c.Check(t.Context(), m.UID(), client.SubmitOptions{}, descs...); err != nil {
		t.Fatal(err)
	}
	descs[7].Cores, descs[8].Resource = -1, "no.where"
	descs[api.MaxItems+7].Runtime, descs[api.MaxItems+8].AccessSchema = -1, "carrier-pigeon"
	for _, manager := range []pilot.UID{m.UID(), ""} {
		err := c.Check(t.Context(), manager, client.SubmitOptions{IdempotencyKey: "k"}, descs...)
		var at []int
		for _, f := range pilot.FieldErrorsOf(err) {
			at = append(at, f.Index)
		}
		if want := []int{7, 8, api.MaxItems + 7, api.MaxItems + 8}; pilot.CodeOf(err) != pilot.Invalid || !slices.Equal(at, want) {
			t.Errorf("manager %q: faults of %v, want %v: %v", manager, at, want, err)
		}
	}
	if err := c.Check(t.Context(), "nobody", client.SubmitOptions{}, descs[0]); pilot.CodeOf(err) != pilot.NotFound {
		t.Errorf("of no manager: %v", err)
	}
	for p, err := range m.List(t.Context(), client.ListOptions{}) {
		t.Fatalf("submitted all the same: %v, %v", p.UID, err)
	}
}

// TestAnEarlierServiceIsNotTakenForASubmit: it does not know the field and says so. A long
// list is sent to it all the same, with what can be found without it, and the faults of a
// part count from the list's start.
func TestAnEarlierServiceIsNotTakenForASubmit(t *testing.T) {
	t.Parallel()
	server := bustest.StartServer(t)
	conn := connectBus(t, server.URL())
	if err := conn.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	stop, err := conn.Serve(t.Context(), bus.Service{Name: "pilots", Version: "1.0.0", Endpoints: []bus.Endpoint{{
		Name: "pilot.submit",
		Handle: func(_ context.Context, r bus.Request) (any, uint64, error) {
			var earlier struct {
				Manager        pilot.UID           `json:"manager"`
				Pilots         []pilot.Description `json:"pilots"`
				IdempotencyKey string              `json:"idempotency_key"`
			}
			if err := r.Decode(&earlier); err != nil {
				return nil, 0, err
			}
			answer := api.PilotsAnswer{Pilots: make([]api.Pilot, len(earlier.Pilots))}
			for i := range earlier.Pilots {
				if earlier.Pilots[i].Resource == "no.where" {
					return nil, 0, &pilot.Error{Code: pilot.Invalid, FieldErrors: []pilot.FieldError{{Index: i, Field: "resource", Reason: "is not known"}}}
				}
			}
			return answer, 1, nil
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	c := connectClient(t, server.URL())
	if err := c.Check(t.Context(), "m", client.SubmitOptions{}, describe("p")); pilot.CodeOf(err) != pilot.Unsupported {
		t.Errorf("got %v", err)
	}
	m := c.Handle("m")
	descs := describeMany(api.MaxItems + 10)
	descs[api.MaxItems+3].Resource = "no.where"
	got, err := m.Submit(t.Context(), descs...)
	partial, ok := errors.AsType[*client.PartialError](err)
	if !ok || partial.Accepted != api.MaxItems || partial.Unknown != 0 || len(got) != api.MaxItems {
		t.Fatalf("%d handles, %v", len(got), err)
	}
	if faults := pilot.FieldErrorsOf(err); len(faults) != 1 || faults[0].Index != api.MaxItems+3 {
		t.Errorf("faults %v", faults)
	}
	descs[3].Cores = -1
	got, err = m.Submit(t.Context(), descs...)
	if faults := pilot.FieldErrorsOf(err); len(got) > 0 || pilot.CodeOf(err) != pilot.Invalid || len(faults) != 1 || faults[0].Index != 3 || !strings.Contains(err.Error(), "earlier version") {
		t.Errorf("%d handles, %v", len(got), err)
	}
}

// TestEachPartOfALongListHasItsOwnTime: what came before a part takes nothing of it, so that
// the time for a list grows with the list.
func TestEachPartOfALongListHasItsOwnTime(t *testing.T) {
	t.Parallel()
	server := bustest.StartServer(t)
	conn := connectBus(t, server.URL())
	if err := conn.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	const all, held = 8 * time.Second, 2 * time.Second
	patience, asked := make(chan string, 100), 0
	overhear := func(m *nats.Msg) { patience <- m.Header.Get(api.HeaderTimeout) }
	if _, err := conn.NATS().Subscribe("pilots.api.pilot.submit", overhear); err != nil {
		t.Fatal(err)
	}
	stop, err := conn.Serve(t.Context(), bus.Service{Name: "pilots", Version: "1.0.0", Endpoints: []bus.Endpoint{{
		Name: "pilot.submit", Limit: 1,
		Handle: func(_ context.Context, r bus.Request) (any, uint64, error) {
			var ask api.SubmitRequest
			if err := r.Decode(&ask); err != nil {
				return nil, 0, err
			}
			if asked++; asked < 4 {
				time.Sleep(held) // together they take most of the time of one
			}
			return api.PilotsAnswer{Pilots: make([]api.Pilot, len(ask.Pilots))}, 1, nil
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	c, err := client.Connect(t.Context(), server.URL(), client.WithTimeout(all))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if got, err := c.Handle("m").Submit(t.Context(), describeMany(api.MaxItems+10)...); err != nil || len(got) != api.MaxItems+10 {
		t.Fatalf("%d handles, %v", len(got), err)
	}
	for range 4 { // two parts are checked, then submitted
		if left, err := time.ParseDuration(<-patience); err != nil || left <= all-3*held {
			t.Errorf("a part has %s left, %v", left, err)
		}
	}
}
