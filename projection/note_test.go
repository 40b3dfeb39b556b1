package projection_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// TestWhoHasEndedIsNotIll: whatever notes of earlier versions say of the health of a pilot,
// before its end and after it, it has none once it has ended, for every reader.
func TestWhoHasEndedIsNotIll(t *testing.T) {
	t.Parallel()
	k := pilot.Key{Resource: "local.a", Manager: "m1", Pilot: "p"}
	rapid.Check(t, func(t *rapid.T) {
		h := newHistoryLog()
		h.submit(k)
		ill := func(kind events.Kind) {
			h.append(events.Event{Class: events.ClassNote, Kind: kind, Key: k, Note: &events.Note{Phase: "running", Health: "batch system silent"}})
		}
		ill(events.Health)
		for range rapid.IntRange(0, 12).Draw(t, "events") {
			if rapid.Bool().Draw(t, "note") {
				ill(rapid.SampledFrom([]events.Kind{events.Health, events.Late, events.Observed}).Draw(t, "kind"))
			} else {
				h.move(k, rapid.SampledFrom(pilot.Kinds()).Draw(t, "move"))
			}
		}
		cut := rapid.IntRange(0, len(h.log)).Draw(t, "cut")
		past := historyLog{log: h.log[:cut]}
		for what, v := range map[string]*projection.View{
			"a reader of all": foldLogs(h.log), "one of the present": foldLogs(h.latest()), "one that went on": foldLogs(past.latest(), h.log[cut:]),
			"one that read twice": foldLogs(h.log, h.log),
		} {
			p, _ := v.Get("m1", "p")
			want := "batch system silent"
			if p.State.Final() {
				want = ""
			}
			if p.Note.Health != want || p.Note.Phase != "running" {
				t.Fatalf("%s: it is %s, health %q, phase %q", what, p.State, p.Note.Health, p.Note.Phase)
			}
		}
	})
}
