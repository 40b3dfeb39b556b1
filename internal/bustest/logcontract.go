package bustest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// EventLog is the log as its users know it; bus.Log and Memory are both.
type EventLog interface {
	Epoch() int64
	Append(ctx context.Context, e *events.Event) (uint64, error)
	AppendBatch(ctx context.Context, es []*events.Event) (uint64, error)
	Tail(ctx context.Context, span events.Span) iter.Seq2[events.Entry, error]
	End(ctx context.Context, span events.Span) (uint64, error)
	Last(ctx context.Context, e events.Event) (events.Event, bool, error)
	History(ctx context.Context, key pilot.Key, after uint64) ([]events.Event, error)
	List(ctx context.Context, birth *events.Event) ([]events.Entry, events.Extent, error)
	Versions(ctx context.Context, label string) ([]events.Event, error)
	PresentAt(ctx context.Context, manager pilot.UID, at time.Time) ([]events.Event, error)
}

// Rig is an empty log and what a test may do to it from outside.
type Rig struct {
	Log     EventLog
	Put     func(subject string, payload []byte) // stores what no writer of ours would
	Restart func()                               // stops all servers and starts them again; nil: there are none
}

// TestLog checks the contract of a log; open gives a new empty one.
func TestLog(t *testing.T, open func(t *testing.T) Rig) {
	t.Helper()
	for name, check := range map[string]func(t *testing.T, r Rig){
		"a race has one winner":                  oneWinner,
		"a repeated append is stored once":       repeatedAppend,
		"a wrong expectation is a conflict":      wrongExpectation,
		"a uid is born once in a manager":        bornOnce,
		"a batch is all or nothing":              allOrNothing,
		"a batch has bounds":                     batchBounds,
		"a torn batch is not taken for stored":   tornBatch,
		"a torn birth can be replaced":           replacesTorn,
		"a list shows how much of it is there":   listExtent,
		"bad events are refused":                 refusesBad,
		"an empty log has a mark":                emptyMark,
		"a tail gives present, mark and changes": presentThenChanges,
		"a tail goes on after a position":        goesOn,
		"a tail from the past gives all":         fromPast,
		"a narrowed tail gives its part":         narrowedTail,
		"a tail outlives restarts":               tailOutlivesRestarts,
		"what is broken shows":                   showsBroken,
		"an unknown version ends a tail":         unknownVersion,
		"history is in order":                    historyOrder,
		"a birth keeps its trace":                keepsTrace,
		"last reads own writes":                  lastReads,
		"the end is that of a span":              endOfSpan,
		"the past can be read":                   presentAt,
		"configurations have versions":           configVersions,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

func oneWinner(t *testing.T, r Rig) {
	k := pilotKey("p")
	last := uint64(0)
	for round := range 20 {
		var wg sync.WaitGroup
		won := make(chan uint64, 8)
		for writer := range 8 {
			wg.Go(func() {
				e := changeEvent(k, last, fmt.Sprintf("r%d-w%d", round, writer))
				seq, err := r.Log.Append(t.Context(), e)
				switch {
				case err == nil:
					won <- seq
				case pilot.CodeOf(err) != pilot.Conflict:
					t.Errorf("a loser got %v, want a conflict", err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("round %d had %d winners", round, len(won))
		}
		last = <-won
	}
}

func repeatedAppend(t *testing.T, r Rig) {
	k := pilotKey("p")
	b := birthEvent(k)
	seq := must(r.Log.Append(t.Context(), b))(t)
	if again := must(r.Log.Append(t.Context(), b))(t); again != seq {
		t.Errorf("the same birth again is at %d, was at %d", again, seq)
	}
	first := changeEvent(k, 0, "first")
	at := must(r.Log.Append(t.Context(), first))(t)
	must(r.Log.Append(t.Context(), changeEvent(k, at, "second")))(t)
	if again := must(r.Log.Append(t.Context(), first))(t); again != at {
		t.Errorf("a change with another behind it is at %d when repeated, was at %d", again, at)
	}
	n := noteEvent(k, "n")
	seq = must(r.Log.Append(t.Context(), n))(t)
	if again := must(r.Log.Append(t.Context(), n))(t); again != seq {
		t.Errorf("the same remark again is at %d, was at %d", again, seq)
	}
	batch := []*events.Event{changeEvent(pilotKey("q"), 0, "q"), birthEvent(pilotKey("q")), changeEvent(pilotKey("s"), 0, "s")}
	seq = must(r.Log.AppendBatch(t.Context(), batch))(t)
	if again := must(r.Log.AppendBatch(t.Context(), batch))(t); again != seq {
		t.Errorf("the same batch again is at %d, was at %d", again, seq)
	}
	if end := endOf(t, r.Log); end != seq {
		t.Errorf("repeating stored %d messages more", end-seq)
	}
}

func wrongExpectation(t *testing.T, r Rig) {
	k := pilotKey("p")
	at := must(r.Log.Append(t.Context(), changeEvent(k, 0, "a")))(t)
	for _, prev := range []uint64{0, at + 1, at + 1000} {
		_, err := r.Log.Append(t.Context(), changeEvent(k, prev, "b"))
		wantCode(t, err, pilot.Conflict)
	}
	must(r.Log.Append(t.Context(), changeEvent(k, at, "b")))(t)
}

func bornOnce(t *testing.T, r Rig) {
	k := pilotKey("p")
	must(r.Log.Append(t.Context(), birthEvent(k)))(t)
	elsewhere := k
	elsewhere.Resource = "other.host"
	for _, other := range []pilot.Key{k, elsewhere} {
		b := birthEvent(other)
		b.ID = "another"
		_, err := r.Log.Append(t.Context(), b)
		wantCode(t, err, pilot.Conflict)
		_, err = r.Log.AppendBatch(t.Context(), []*events.Event{birthEvent(pilotKey("new")), b})
		wantCode(t, err, pilot.Conflict)
	}
	if end := endOf(t, r.Log); end != 1 {
		t.Errorf("the log ends at %d, want 1", end)
	}
}

func allOrNothing(t *testing.T, r Rig) {
	at := must(r.Log.Append(t.Context(), changeEvent(pilotKey("b"), 0, "taken")))(t)
	batch := []*events.Event{changeEvent(pilotKey("a"), 0, "a"), changeEvent(pilotKey("b"), 0, "b"), changeEvent(pilotKey("c"), 0, "c")}
	_, err := r.Log.AppendBatch(t.Context(), batch)
	wantCode(t, err, pilot.Conflict)
	if end := endOf(t, r.Log); end != at {
		t.Fatalf("a refused batch left %d messages", end-at)
	}
	batch[1] = changeEvent(pilotKey("b"), at, "b")
	if last := must(r.Log.AppendBatch(t.Context(), batch))(t); last != at+3 {
		t.Errorf("the batch ends at %d, want %d", last, at+3)
	}
}

// newList makes a list of births.
func newList(id string, uids ...string) []*events.Event {
	es := make([]*events.Event, len(uids))
	for i, uid := range uids {
		es[i] = birthEvent(pilotKey(uid))
		es[i].ID = id + "-" + uid
		es[i].Submission.List = events.List{ID: id, Size: len(uids), Index: i}
	}
	return es
}

// storeTorn stores the first n of a list as a store does that fails then.
func storeTorn(t *testing.T, r Rig, es []*events.Event, n int) {
	t.Helper()
	outgoing := must(bus.PrepareAppend(es))(t)
	for i := range outgoing[:n] {
		r.Put(outgoing[i].Subject, outgoing[i].Data)
	}
}

// tornBatch: whoever appends the same batch again, because no answer came, is not told
// that it is stored when only its beginning is.
func tornBatch(t *testing.T, r Rig) {
	for _, behind := range []bool{true, false} { // something follows what is there, or may yet
		es := newList(fmt.Sprint("torn-", behind), fmt.Sprint("a", behind), fmt.Sprint("b", behind), fmt.Sprint("c", behind))
		storeTorn(t, r, es, 2)
		at := uint64(2)
		if behind {
			at = must(r.Log.Append(t.Context(), noteEvent(pilotKey("other"), "behind")))(t)
		}
		_, err := r.Log.AppendBatch(t.Context(), es)
		wantCode(t, err, pilot.Conflict)
		if end := endOf(t, r.Log); behind && end != at || !behind && end != 5 {
			t.Errorf("the log ends at %d", end)
		}
	}
}

// replacesTorn: what stands in the place of a birth of a torn list expects its position,
// and the ids of the births that were there do not bar it.
func replacesTorn(t *testing.T, r Rig) {
	uids := []string{"a", "b", "c", "d"}
	storeTorn(t, r, newList("torn", uids...), 2)
	again := newList("whole", uids...)
	_, err := r.Log.AppendBatch(t.Context(), again)
	wantCode(t, err, pilot.Conflict)
	for i := range again[:2] {
		again[i].Prev, again[i].Submission.Over = uint64(i+1), uint64(i+1)
	}
	if last := must(r.Log.AppendBatch(t.Context(), again))(t); last != 6 {
		t.Errorf("the whole list ends at %d, want 6", last)
	}
	if last := must(r.Log.AppendBatch(t.Context(), again))(t); last != 6 {
		t.Errorf("appended again it ends at %d, want 6", last)
	}
}

func listExtent(t *testing.T, r Rig) {
	elsewhere := newList("mixed", "e", "f")
	elsewhere[1].Resource, elsewhere[1].Submission.Description.Resource = "other.host", "other.host"
	must(r.Log.AppendBatch(t.Context(), elsewhere))(t)
	torn := newList("torn", "a", "b", "c", "d")
	storeTorn(t, r, torn, 2)
	check := func(birth *events.Event, seq uint64, want events.Extent, births int) {
		t.Helper()
		birth.Seq = seq
		found, extent, err := r.Log.List(t.Context(), birth)
		if err != nil || extent != want || extent != events.Torn && len(found) != births {
			t.Errorf("of %s there are %d, extent %d, %v; want %d, extent %d", birth.ID, len(found), extent, err, births, want)
		}
	}
	check(elsewhere[0], 1, events.Whole, 2)
	check(elsewhere[1], 2, events.Whole, 2)
	check(torn[0], 3, events.NotYet, 2)
	check(torn[1], 4, events.NotYet, 2)
	must(r.Log.Append(t.Context(), noteEvent(pilotKey("x"), "behind")))(t)
	check(torn[0], 3, events.Torn, 0)
	check(torn[1], 4, events.Torn, 0)
	check(torn[3], 2, events.Torn, 0) // no list can begin before the log
	var uids []string
	for i := range bus.MaxBatch {
		uids = append(uids, fmt.Sprint("long-", i))
	}
	long := newList("long", uids...)
	last := must(r.Log.AppendBatch(t.Context(), long))(t)
	check(long[0], last-bus.MaxBatch+1, events.Whole, bus.MaxBatch)
	check(long[700], last-bus.MaxBatch+701, events.Whole, bus.MaxBatch)
}

func batchBounds(t *testing.T, r Rig) {
	_, err := r.Log.AppendBatch(t.Context(), nil)
	wantCode(t, err, pilot.Invalid)
	var es []*events.Event
	for i := range bus.MaxBatch + 1 {
		es = append(es, birthEvent(pilotKey(fmt.Sprintf("p%d", i))))
	}
	_, err = r.Log.AppendBatch(t.Context(), es)
	wantCode(t, err, pilot.Invalid)
	if last := must(r.Log.AppendBatch(t.Context(), es[1:]))(t); last != bus.MaxBatch {
		t.Errorf("%d births end at %d", bus.MaxBatch, last)
	}
}

func refusesBad(t *testing.T, r Rig) {
	for name, spoil := range map[string]func(e *events.Event){
		"no id":       func(e *events.Event) { e.ID = "" },
		"no class":    func(e *events.Event) { e.Class = 0 },
		"no resource": func(e *events.Event) { e.Resource = "" },
		"wildcard":    func(e *events.Event) { e.Manager = "*" },
		"dots":        func(e *events.Event) { e.Pilot = "a.b" },
		"one token":   func(e *events.Event) { e.Resource = "local" },
		"three":       func(e *events.Event) { e.Resource = "a.b.c" },
	} {
		e := birthEvent(pilotKey("p"))
		spoil(e)
		if _, err := r.Log.Append(t.Context(), e); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%s: got %v, want code invalid", name, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("over"))
	if _, err := r.Log.Append(ctx, birthEvent(pilotKey("p"))); err == nil {
		t.Error("a dead context appended")
	}
}

func historyOrder(t *testing.T, r Rig) {
	k := pilotKey("p")
	var want []string
	add := func(e *events.Event) uint64 {
		want = append(want, e.ID)
		return must(r.Log.Append(t.Context(), e))(t)
	}
	add(birthEvent(k))
	last := uint64(0)
	for i := range 30 {
		last = add(changeEvent(k, last, fmt.Sprintf("c%d", i)))
		add(noteEvent(k, fmt.Sprintf("n%d", i)))
		must(r.Log.Append(t.Context(), noteEvent(pilotKey("other"), fmt.Sprintf("o%d", i))))(t)
	}
	wake := &events.Event{ID: "wake", Class: events.ClassCommand, Key: k, Kind: events.Cancel}
	add(wake)
	wantIDs(t, must(r.Log.History(t.Context(), k, 0))(t), want)
	wantIDs(t, must(r.Log.History(t.Context(), k, last))(t), want[len(want)-2:])
	wantIDs(t, must(r.Log.History(t.Context(), pilotKey("unknown"), 0))(t), nil)
}

func lastReads(t *testing.T, r Rig) {
	k := pilotKey("p")
	if _, ok, err := r.Log.Last(t.Context(), events.Event{Class: events.ClassChange, Key: k}); ok || err != nil {
		t.Fatalf("the last of nothing is %v, %v", ok, err)
	}
	last := uint64(0)
	for i := range 100 {
		e := changeEvent(k, last, fmt.Sprintf("c%d", i))
		last = must(r.Log.Append(t.Context(), e))(t)
		got, ok, err := r.Log.Last(t.Context(), *e)
		if err != nil || !ok || got.ID != e.ID || got.Seq != last || got.Prev != e.Prev || got.Time.IsZero() {
			t.Fatalf("after %s at %d: read %q at %d, %v, %v", e.ID, last, got.ID, got.Seq, ok, err)
		}
	}
}

func endOfSpan(t *testing.T, r Rig) {
	elsewhere := pilotKey("q")
	elsewhere.Resource = "other.host"
	spans := []events.Span{{}, {Resource: "local.localhost"}, {Resource: "other.host"}, {Manager: "m"}, {Manager: "n"}}
	want := make([]uint64, len(spans))
	for i, step := range []struct {
		e  *events.Event
		of []int // spans it is in
	}{{}, {birthEvent(pilotKey("p")), []int{0, 1, 3}}, {birthEvent(elsewhere), []int{0, 2, 3}}, {managerEvent(), []int{0, 3}}} {
		if step.e != nil {
			seq := must(r.Log.Append(t.Context(), step.e))(t)
			for _, of := range step.of {
				want[of] = seq
			}
		}
		for of, span := range spans {
			if got := must(r.Log.End(t.Context(), span))(t); got != want[of] {
				t.Errorf("after %d events %+v ends at %d, want %d", i, span, got, want[of])
			}
		}
	}
}

func presentAt(t *testing.T, r Rig) {
	m := managerEvent()
	must(r.Log.Append(t.Context(), m))(t)
	var want []string
	for i := range 400 { // more than one read can name
		want = append(want, birthEvent(pilotKey(fmt.Sprintf("p%03d", i))).ID)
	}
	var batch []*events.Event
	for i := range 400 {
		batch = append(batch, birthEvent(pilotKey(fmt.Sprintf("p%03d", i))))
	}
	must(r.Log.AppendBatch(t.Context(), batch))(t)
	c := changeEvent(pilotKey("p000"), 0, "before")
	seq := must(r.Log.Append(t.Context(), c))(t)
	got, _, err := r.Log.Last(t.Context(), *c)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond) // the log's clock must go on
	must(r.Log.Append(t.Context(), changeEvent(pilotKey("p000"), seq, "after")))(t)
	must(r.Log.Append(t.Context(), birthEvent(pilotKey("late"))))(t)
	want = append(append([]string{m.ID}, want...), c.ID)
	wantIDs(t, must(r.Log.PresentAt(t.Context(), "m", got.Time.Add(time.Millisecond)))(t), want)
	wantIDs(t, must(r.Log.PresentAt(t.Context(), "m", got.Time.Add(-time.Hour)))(t), nil)
	wantIDs(t, must(r.Log.PresentAt(t.Context(), "unknown", got.Time))(t), nil)
}
