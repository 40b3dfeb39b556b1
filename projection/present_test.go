package projection_test

import (
	"errors"
	"iter"
	"testing"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// tailOf yields entries and then, if there is one, an error.
func tailOf(err error, entries ...events.Entry) iter.Seq2[events.Entry, error] {
	return func(yield func(events.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(events.Entry{}, err)
		}
	}
}

func submitEntry(seq uint64, uid pilot.UID) events.Entry {
	return events.Entry{Event: events.Event{
		Seq: seq, Class: events.ClassCommand, Kind: events.Submit, Submission: &events.Submission{},
		Key: pilot.Key{Resource: "local.a", Manager: "m", Pilot: uid},
	}}
}

func TestPresentEndsAtTheMark(t *testing.T) {
	t.Parallel()
	mark := events.Entry{Mark: true, Event: events.Event{Seq: 9}}
	torn := submitEntry(2, "torn")
	torn.Submission, torn.Broken = nil, "torn"
	v, err := projection.Present(tailOf(nil, submitEntry(1, "a"), torn, mark, submitEntry(10, "later")))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := v.Get("m", "a"); !ok {
		t.Error("a pilot before the mark is missing")
	}
	if p, ok := v.Get("m", "torn"); !ok || p.Degraded == "" {
		t.Errorf("the pilot of a broken message is %+v, %v; want it degraded", p, ok)
	}
	if _, ok := v.Get("m", "later"); ok || v.Applied() != 2 {
		t.Errorf("folded up to %d, later pilot %v; want nothing from the mark on", v.Applied(), ok)
	}
}

func TestPresentNeedsTheMark(t *testing.T) {
	t.Parallel()
	why := errors.New("no bus")
	if v, err := projection.Present(tailOf(why, submitEntry(1, "a"))); v != nil || !errors.Is(err, why) {
		t.Errorf("got %v, %v; want the error of the tail", v, err)
	}
	if v, err := projection.Present(tailOf(nil, submitEntry(1, "a"))); v != nil || pilot.CodeOf(err) != pilot.Unavailable {
		t.Errorf("got %v, %v; want unavailable", v, err)
	}
}

func TestFoldReportsWhatMayHaveChanged(t *testing.T) {
	t.Parallel()
	v, e := projection.New(), submitEntry(1, "a")
	mark := events.Entry{Mark: true, Event: events.Event{Seq: 9}}
	broken := events.Entry{Event: events.Event{Seq: 2, Class: events.ClassChange, Key: e.Key}, Broken: "torn"}
	for _, x := range []struct {
		name  string
		entry *events.Entry
		want  bool
	}{{"a birth", &e, true}, {"the same birth", &e, false}, {"a broken change", &broken, true}, {"the mark", &mark, false}} {
		if got := v.Fold(x.entry); got != x.want {
			t.Errorf("%s: Fold reports %v, want %v", x.name, got, x.want)
		}
	}
	if p, _ := v.Get("m", "a"); p.Degraded == "" || p.Seq != 2 {
		t.Errorf("after a broken change the pilot is %+v", p)
	}
}
