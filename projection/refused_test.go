package projection_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// claimedTwice is a pilot's past to which odd adds an event.
func claimedTwice(odd func(h *historyLog, done events.Event)) []events.Event {
	h := newHistoryLog()
	h.submit(key)
	for _, kind := range []pilot.Kind{pilot.KindLaunching, pilot.KindPendingActive, pilot.KindActive, pilot.KindDone} {
		h.move(key, kind)
	}
	odd(h, h.log[len(h.log)-1])
	return h.log
}

func TestRefusedNamesWhatCountsForNothing(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		odd  func(h *historyLog, done events.Event)
		want string // of the last event; empty: it counts
	}{
		"nothing odd": {func(*historyLog, events.Event) {}, ""},
		"a note": {func(h *historyLog, _ events.Event) {
			h.append(events.Event{Class: events.ClassNote, Kind: events.Logged, Key: key, Note: &events.Note{}})
		}, ""},
		"out of order": {func(h *historyLog, done events.Event) {
			done.From = pilot.Active
			h.append(done)
		}, "is not allowed: done makes DONE of DONE"},
		"stale": {func(h *historyLog, done events.Event) {
			h.append(done)
			h.log[len(h.log)-1].Prev = 3
		}, "expects 3, which was not the last"},
		"unknown": {func(h *historyLog, done events.Event) {
			done.Kind = "paused"
			h.append(done)
		}, "is of a kind this version does not know: \"paused\""},
		"a second birth": {func(h *historyLog, _ events.Event) { h.append(h.log[0]) }, "the pilot was submitted before"},
	} {
		past := claimedTwice(x.odd)
		got := projection.RefusedEvents(past, 1)
		last := past[len(past)-1].Seq
		if x.want == "" && len(got) != 0 || x.want != "" && (len(got) != 1 || !strings.Contains(got[last], x.want)) {
			t.Errorf("%s: got %v, want %q of %d", name, got, x.want, last)
		}
	}
	torn := claimedTwice(func(*historyLog, events.Event) {})
	first := torn[0]
	first.Submission = &events.Submission{List: events.List{ID: "l", Size: 2}}
	for i := range torn {
		if torn[i].Seq++; torn[i].Prev > 0 {
			torn[i].Prev++
		}
	}
	torn[0].Submission = &events.Submission{List: events.List{ID: "m", Size: 3, Index: 1}, Over: 1}
	if got := projection.RefusedEvents(append([]events.Event{first}, torn...), 2); len(got) != 1 || !strings.Contains(got[1], "only in part") {
		t.Errorf("a torn list: %v", got)
	}
}

// TestWhatIsNotRefusedIsTheWholeTruth: a fold of it alone ends where that of all does.
func TestWhatIsNotRefusedIsTheWholeTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := newHistoryLog()
		h.submit(key)
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			was := h.status[key]
			h.move(key, rapid.SampledFrom(pilot.Kinds()).Draw(t, "kind"))
			switch n := len(h.log) - 1; rapid.IntRange(0, 5).Draw(t, "odd") {
			case 0: // nobody knows of it
				h.status[key] = was
			case 1: // its writer did not look
				h.log[n].Prev = rapid.Uint64Range(0, h.log[n].Seq-1).Draw(t, "prev")
			case 2:
				h.log[n].From = rapid.SampledFrom(pilot.States()).Draw(t, "from")
			}
		}
		refused := projection.RefusedEvents(h.log, 1)
		kept := slices.DeleteFunc(slices.Clone(h.log), func(e events.Event) bool { return refused[e.Seq] != "" })
		all, _ := foldLogs(h.log).Get("m1", "p")
		rest, _ := foldLogs(kept).Get("m1", "p")
		if !reflect.DeepEqual(all.Status, rest.Status) {
			t.Fatalf("all give %+v, without %v they give %+v", all.Status, slices.Sorted(maps.Keys(refused)), rest.Status)
		}
		if odd := foldLogs(h.log).Oddities(); int(odd.Refused) != len(refused) { //nolint:gosec // a few
			t.Fatalf("%d are refused, %v are named", odd.Refused, refused)
		}
	})
}
