package client_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// submitList writes a list of births by hand, the first kept of it. over is the position of
// the first birth of a torn list that these stand in for; 0: there is none.
func (h *logWriter) submitList(c *client.Client, id string, kept int, over uint64, uids ...pilot.UID) {
	h.t.Helper()
	es := make([]*events.Event, len(uids))
	for i, uid := range uids {
		es[i] = &events.Event{
			ID: id + uid, Class: events.ClassCommand, Key: pilotKey("m", uid), Kind: events.Submit, Actor: "tester",
			Submission: &events.Submission{Description: describe(uid), List: events.List{ID: id, Size: len(uids), Index: i}},
		}
		if over > 0 {
			es[i].Prev = over + uint64(i)
			es[i].Submission.Over = es[i].Prev
		}
	}
	if kept == len(es) {
		if _, err := h.log.AppendBatch(h.t.Context(), es); err != nil {
			h.t.Fatal(err)
		}
		return
	}
	sealed, err := bus.PrepareAppend(es)
	if err != nil {
		h.t.Fatal(err)
	}
	js, err := c.Bus().NATS().JetStream()
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range sealed[:kept] {
		if _, err := js.Publish(sealed[i].Subject, sealed[i].Data); err != nil {
			h.t.Fatal(err)
		}
	}
}

// TestWatchesTakeListsAsWholes: of a torn list they show nothing, and of a whole one every
// birth once, wherever they begin and whatever they are about.
func TestWatchesTakeListsAsWholes(t *testing.T) {
	t.Parallel()
	c, h := unservedClient(t)
	h.submitPilot(pilotKey("m", "single"))               // 1
	h.submitList(c, "torn", 2, 0, "a", "b", "c")         // 2, 3
	h.submitList(c, "whole", 3, 0, "x", "y", "z")        // 4, 5, 6
	h.movePilot(pilotKey("m", "y"), pilot.KindLaunching) // 7
	h.submitList(c, "torn later", 1, 0, "d", "e")        // 8
	h.submitList(c, "whole again", 2, 2, "a", "b")       // 9, 10
	h.submitPilot(pilotKey("m", "end"))                  // 11
	for name, w := range map[string]struct {
		o    client.WatchOptions
		want []string
	}{
		"all":             {client.WatchOptions{Manager: "m", Replay: client.ReplayAll}, []string{"single 1", "x 4", "y 5", "z 6", "y 7", "a 9", "b 10", "end 11"}},
		"every manager":   {client.WatchOptions{Replay: client.ReplayAll}, []string{"single 1", "x 4", "y 5", "z 6", "y 7", "a 9", "b 10", "end 11"}},
		"from inside":     {client.WatchOptions{Manager: "m", After: 5}, []string{"z 6", "y 7", "a 9", "b 10", "end 11"}},
		"from a torn one": {client.WatchOptions{Manager: "m", After: 2}, []string{"x 4", "y 5", "z 6", "y 7", "a 9", "b 10", "end 11"}},
		"one, whole":      {client.WatchOptions{Manager: "m", Pilot: "y", Replay: client.ReplayAll}, []string{"y 5", "y 7"}},
		"one, again":      {client.WatchOptions{Manager: "m", Pilot: "b", Replay: client.ReplayAll}, []string{"b 10"}},
	} {
		var got []string
		for _, ch := range nextChanges(t, c, w.o, len(w.want)) {
			got = append(got, fmt.Sprint(ch.Pilot.UID, " ", ch.Seq))
		}
		if !slices.Equal(got, w.want) {
			t.Errorf("%s: got %q, want %q", name, got, w.want)
		}
	}
	var now []string
	for _, ch := range nextChanges(t, c, client.WatchOptions{Manager: "m"}, 7) {
		now = append(now, ch.Pilot.UID)
	}
	if want := []string{"single", "x", "y", "z", "a", "b", "end"}; !slices.Equal(now, want) {
		t.Errorf("the present is %q, want %q", now, want)
	}
	if now := nextChanges(t, c, client.WatchOptions{Manager: "m", Pilot: "z"}, 1); now[0].Pilot.UID != "z" {
		t.Errorf("the present of one is %+v", now[0])
	}
}
