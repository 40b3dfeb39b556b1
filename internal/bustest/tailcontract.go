package bustest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

func emptyMark(t *testing.T, r Rig) {
	for _, span := range []events.Span{{}, {Past: true}, {Manager: "m"}, {Resource: "local.localhost"}} {
		for e, err := range r.Log.Tail(testDeadline(t), span) {
			if err != nil || !e.Mark || e.Seq != 0 {
				t.Fatalf("%+v: an empty log gives %+v, %v", span, e, err)
			}
			break
		}
	}
	for _, err := range r.Log.Tail(testDeadline(t), events.Span{After: 7}) {
		wantCode(t, err, pilot.Invalid)
	}
}

func presentThenChanges(t *testing.T, r Rig) {
	a, b := pilotKey("a"), pilotKey("b")
	must(r.Log.Append(t.Context(), birthEvent(a)))(t)
	one := must(r.Log.Append(t.Context(), changeEvent(a, 0, "a1")))(t)
	must(r.Log.Append(t.Context(), birthEvent(b)))(t)
	two := must(r.Log.Append(t.Context(), changeEvent(a, one, "a2")))(t)
	var got []string
	for e, err := range r.Log.Tail(testDeadline(t), events.Span{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, entryLabel(&e))
		if e.Mark {
			two = must(r.Log.Append(t.Context(), changeEvent(a, two, "a3")))(t)
			two = must(r.Log.Append(t.Context(), changeEvent(a, two, "a4")))(t)
		}
		if e.ID == "a4" {
			break
		}
	}
	want := []string{birthEvent(a).ID, birthEvent(b).ID, "a2", "mark at 4", "a3", "a4"}
	if !slices.Equal(got, want) {
		t.Errorf("the tail gave %q, want %q", got, want)
	}
}

func goesOn(t *testing.T, r Rig) {
	last := uint64(0)
	for i := range 5 {
		last = must(r.Log.Append(t.Context(), changeEvent(pilotKey("p"), last, fmt.Sprintf("c%d", i))))(t)
	}
	for after, want := range map[uint64][]string{
		2: {"c2", "c3", "c4", "mark at 5"}, 4: {"c4", "mark at 5"}, 5: {"mark at 5"},
	} {
		if got := untilMark(t, r.Log, events.Span{After: after}); !slices.Equal(got, want) {
			t.Errorf("after %d the tail gave %q, want %q", after, got, want)
		}
	}
}

func fromPast(t *testing.T, r Rig) {
	const batches = 3 // more than is asked for at once
	for b := range batches {
		var es []*events.Event
		for i := range 1000 {
			es = append(es, noteEvent(pilotKey("p"), fmt.Sprintf("n%d", 1000*b+i)))
		}
		must(r.Log.AppendBatch(t.Context(), es))(t)
	}
	got := untilMark(t, r.Log, events.Span{Past: true})
	if len(got) != 1000*batches+1 {
		t.Fatalf("the tail gave %d entries", len(got))
	}
	for i, id := range got[:1000*batches] {
		if want := fmt.Sprintf("n%d", i); id != want {
			t.Fatalf("entry %d is %s, want %s", i, id, want)
		}
	}
}

func narrowedTail(t *testing.T, r Rig) {
	mine, other := pilotKey("p"), pilot.Key{Resource: "other.host", Manager: "x", Pilot: "p"}
	must(r.Log.Append(t.Context(), managerEvent()))(t)
	must(r.Log.Append(t.Context(), birthEvent(mine)))(t)
	must(r.Log.Append(t.Context(), birthEvent(other)))(t)
	must(r.Log.Append(t.Context(), &events.Event{
		ID: "s", Class: events.ClassSession, Session: "s", Kind: events.Created, Scope: &events.Scope{State: events.StateOpen},
	}))(t)
	for span, want := range map[events.Span][]string{
		{Resource: "other.host"}:                         {birthEvent(other).ID, "mark at 4"},
		{Manager: "m"}:                                   {managerEvent().ID, birthEvent(mine).ID, "mark at 4"},
		{Manager: "m", Past: true}:                       {managerEvent().ID, birthEvent(mine).ID, "mark at 4"},
		{Manager: "m", After: 1}:                         {birthEvent(mine).ID, "mark at 4"},
		{Resource: "local.localhost", Manager: "nobody"}: {"mark at 4"},
	} {
		if got := untilMark(t, r.Log, span); !slices.Equal(got, want) {
			t.Errorf("%+v gave %q, want %q", span, got, want)
		}
	}
	for _, err := range r.Log.Tail(testDeadline(t), events.Span{Resource: "*.>"}) {
		wantCode(t, err, pilot.Invalid)
	}
}

// tailOutlivesRestarts appends while servers come and go, and reads all the time.
func tailOutlivesRestarts(t *testing.T, r Rig) {
	const rounds, each = 3, 50
	ctx, cancel := context.WithCancelCause(testDeadline(t))
	wrote := make(chan error, 1)
	go func() {
		last := uint64(0)
		for i := range rounds * each {
			if i%each == each/2 && r.Restart != nil {
				r.Restart()
			}
			e := changeEvent(pilotKey("p"), last, fmt.Sprintf("c%d", i))
			seq, err := r.Log.Append(ctx, e)
			if err != nil {
				wrote <- err
				cancel(err)
				return
			}
			last = seq
		}
		wrote <- nil
	}()
	next, marks := 0, 0
	for e, err := range r.Log.Tail(ctx, events.Span{Past: true}) {
		if err != nil {
			t.Fatalf("after %d: %v", next, err)
		}
		if e.Mark {
			marks++
			continue
		}
		if want := fmt.Sprintf("c%d", next); e.ID != want {
			t.Fatalf("got %s, want %s", entryLabel(&e), want)
		}
		if next++; next == rounds*each {
			break
		}
	}
	if err := <-wrote; err != nil || marks != 1 {
		t.Errorf("the writer ended with %v, and there were %d marks", err, marks)
	}
}

func showsBroken(t *testing.T, r Rig) {
	subject := "pilots.evt.local.localhost.m.p"
	for _, payload := range [][]byte{nil, []byte("{}"), {0xdd, 0xff, 0xff, 0xff, 0xff}, []byte("\x81\xa1v\x01")} {
		r.Put(subject, payload)
	}
	must(r.Log.Append(t.Context(), noteEvent(pilotKey("p"), "fine")))(t)
	n := 0
	for e, err := range r.Log.Tail(testDeadline(t), events.Span{Past: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Mark {
			break
		}
		if n++; n <= 4 && (e.Broken == "" || e.Key != pilotKey("p") || e.Class != events.ClassChange || e.Seq != uint64(n)) {
			t.Errorf("message %d is given as %+v", n, e)
		}
	}
	if n != 5 {
		t.Errorf("the tail gave %d entries, want 5", n)
	}
	_, ok, err := r.Log.Last(t.Context(), events.Event{Class: events.ClassChange, Key: pilotKey("p")})
	wantCode(t, err, pilot.Invalid)
	if ok {
		t.Error("a broken message was read")
	}
	wantIDs(t, must(r.Log.History(t.Context(), pilotKey("p"), 0))(t), []string{"fine"})
}

func unknownVersion(t *testing.T, r Rig) {
	later, err := msgpack.Marshal(map[string]any{"v": events.Version + 1, "id": "x", "k": "active"})
	if err != nil {
		t.Fatal(err)
	}
	must(r.Log.Append(t.Context(), noteEvent(pilotKey("p"), "fine")))(t)
	r.Put("pilots.evt.local.localhost.m.p", later)
	must(r.Log.Append(t.Context(), noteEvent(pilotKey("p"), "unseen")))(t)
	var got []string
	for e, err := range r.Log.Tail(testDeadline(t), events.Span{Past: true}) {
		if err != nil {
			wantCode(t, err, pilot.Unsupported)
			got = append(got, "error")
			continue
		}
		got = append(got, entryLabel(&e))
	}
	if !slices.Equal(got, []string{"fine", "error"}) {
		t.Errorf("the tail gave %q, want the first and an error", got)
	}
	_, err = r.Log.History(t.Context(), pilotKey("p"), 0)
	wantCode(t, err, pilot.Unsupported)
}

// untilMark gives what a tail gives up to its mark.
func untilMark(t *testing.T, l EventLog, span events.Span) (got []string) {
	t.Helper()
	for e, err := range l.Tail(testDeadline(t), span) {
		if err != nil {
			t.Fatalf("%+v: after %q: %v", span, got, err)
		}
		got = append(got, entryLabel(&e))
		if e.Mark {
			break
		}
	}
	return got
}

func endOf(t *testing.T, l EventLog) uint64 {
	t.Helper()
	for e, err := range l.Tail(testDeadline(t), events.Span{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Mark {
			return e.Seq
		}
	}
	return 0
}

// testDeadline is how long what must happen may take on a busy machine.
func testDeadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("it did not happen within a minute"))
	t.Cleanup(cancel)
	return ctx
}
