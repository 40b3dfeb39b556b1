package client_test

import (
	"context"
	"slices"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/bus/bustest"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// TestCheckNamesEveryFaultOfALongList: and counts from its start. Nothing is submitted.
func TestCheckNamesEveryFaultOfALongList(t *testing.T) {
	t.Parallel()
	c, _, _ := served(t, 1)
	m := newManager(t, c)
	descs := many(api.MaxItems + 300)
	if err := c.Check(t.Context(), m.UID(), client.SubmitOptions{}, descs...); err != nil {
		t.Fatal(err)
	}
	descs[7].Cores, descs[8].Resource = -1, "no.where"
	descs[api.MaxItems+7].Runtime, descs[api.MaxItems+8].AccessSchema = -1, "carrier-pigeon"
	for _, manager := range []pilot.UID{m.UID(), ""} {
		err := c.Check(t.Context(), manager, client.SubmitOptions{IdempotencyKey: "k"}, descs...)
		var at []int
		for _, f := range pilot.FaultsOf(err) {
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

// TestAnEarlierServiceIsNotTakenForASubmit: it does not know the field and says so.
func TestAnEarlierServiceIsNotTakenForASubmit(t *testing.T) {
	t.Parallel()
	server := bustest.JetStream(t)
	conn := connect(t, server.URL())
	if err := conn.Ensure(t.Context(), bus.StreamConfig{}); err != nil {
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
			return api.PilotsAnswer{}, 1, r.Decode(&earlier)
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	c := dial(t, server.URL())
	if err := c.Check(t.Context(), "m", client.SubmitOptions{}, describe("p")); pilot.CodeOf(err) != pilot.Unsupported {
		t.Errorf("got %v", err)
	}
}
