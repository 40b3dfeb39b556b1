package projection_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

func checkSameView(t *rapid.T, what string, got, want *projection.View) {
	t.Helper()
	if g, w := viewStateOf(got), viewStateOf(want); !reflect.DeepEqual(g, w) {
		t.Fatalf("%s differs:\ngot  %+v\nwant %+v", what, g, w)
	}
}

func TestLastOfEachSubjectIsTheWholeStory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistoryLog(t)
		whole := foldLogs(h.log)
		checkSameView(t, "the view of the present", foldLogs(h.latest()), whole)
		if whole.Oddities() != (projection.Oddities{}) || whole.Applied() != uint64(len(h.log)) {
			t.Fatalf("applied %d of %d, odd %+v", whole.Applied(), len(h.log), whole.Oddities())
		}
		for k, want := range h.status {
			if p, ok := whole.Get(k.Manager, k.Pilot); !ok || !reflect.DeepEqual(p.Status, want) || p.Degraded != "" {
				t.Fatalf("%v is %+v, its writers left %+v", k, p, want)
			}
		}
	})
}

// TestStartFromThePresentAndGoOn is what a replica does that starts while
// others write.
func TestStartFromThePresentAndGoOn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistoryLog(t)
		cut := rapid.IntRange(0, len(h.log)).Draw(t, "cut")
		past := historyLog{log: h.log[:cut]}
		checkSameView(t, "the view that went on", foldLogs(past.latest(), h.log[cut:]), foldLogs(h.log))
	})
}

func TestMessagesMayComeTwiceAndASubjectAhead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistoryLog(t)
		want := foldLogs(h.log)
		at := rapid.IntRange(0, len(h.log)).Draw(t, "from")
		subject := subjectOf(&h.log[rapid.IntRange(0, len(h.log)-1).Draw(t, "subject")])
		ahead := slices.DeleteFunc(slices.Clone(h.log), func(e events.Event) bool { return subjectOf(&e) != subject })
		got := foldLogs(h.log[:at], ahead, h.log[at/2:])
		checkSameView(t, "the view that read ahead", got, want)
		if got.Oddities() != want.Oddities() {
			t.Fatalf("odd: %+v", got.Oddities())
		}
		for i := range h.log {
			if got.Apply(&h.log[i]) {
				t.Fatalf("message %d changed something the second time", h.log[i].Seq)
			}
		}
	})
}

func TestCountsAreThoseOfARecount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h, v := drawHistoryLog(t), projection.New()
		for i := range h.log {
			v.Apply(&h.log[i])
			counts, live := map[projection.Tally]int{}, map[pilot.UID]int{}
			of := map[pilot.UID]map[pilot.State]int{"m1": {}, "m2": {}}
			all, _ := v.List(projection.Filter{}, 0, 0)
			for _, p := range all {
				counts[projection.Tally{Resource: p.Resource, State: p.State}]++
				of[p.Manager][p.State]++
				if p.State.Live() {
					live[p.Manager]++
				}
			}
			if !reflect.DeepEqual(v.Counts(), counts) {
				t.Fatalf("counts %v, recount %v", v.Counts(), counts)
			}
			for m := range of {
				if v.CountLive(m) != live[m] || !reflect.DeepEqual(v.CountsOf(m), of[m]) {
					t.Fatalf("%s: live %d and %v, recount %d and %v", m, v.CountLive(m), v.CountsOf(m), live[m], of[m])
				}
			}
		}
	})
}

func TestPagesShowEveryPilotOnceInOrderOfBirth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistoryLog(t)
		v := foldLogs(h.log)
		f := projection.Filter{
			Manager:  rapid.SampledFrom([]string{"", "m1", "m2"}).Draw(t, "manager"),
			Resource: rapid.SampledFrom([]string{"", "local.a", "local.b"}).Draw(t, "resource"),
			Live:     rapid.Bool().Draw(t, "live"),
			States:   rapid.SliceOfN(rapid.SampledFrom(pilot.States()), 0, 3).Draw(t, "states"),
		}
		if rapid.Bool().Draw(t, "labeled") {
			f.Labels = map[string]string{"m": "m1"}
		}
		var want []pilot.Key
		for i := range h.log {
			if e := &h.log[i]; e.Kind == events.Submit && matchesFilter(&f, e.Key, h.status[e.Key]) {
				want = append(want, e.Key)
			}
		}
		var got []pilot.Key
		limit := rapid.IntRange(1, 7).Draw(t, "limit")
		for after, more := uint64(0), true; more; more = after != 0 {
			var page []projection.Pilot
			page, after = v.List(f, after, limit)
			if len(page) > limit || after != 0 && len(page) < limit {
				t.Fatalf("a page of %d, limit %d, next %d", len(page), limit, after)
			}
			for _, p := range page {
				got = append(got, p.Key)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v lists %v, want %v", f, got, want)
		}
	})
}

// matchesFilter is the filter said once more, from the writers' side.
func matchesFilter(f *projection.Filter, k pilot.Key, st pilot.Status) bool {
	shown := len(f.States) == 0
	for _, s := range f.States {
		shown = shown || s.String() == st.State.String()
	}
	return shown && (f.Manager == "" || f.Manager == k.Manager) && (f.Resource == "" || f.Resource == k.Resource) &&
		(!f.Live || !st.State.Final()) && (f.Labels == nil || k.Manager == f.Labels["m"])
}

// TestWhatTheMachineForbidsMovesNothing appends a change that claims what it
// likes, by a writer who does know the position.
func TestWhatTheMachineForbidsMovesNothing(t *testing.T) {
	t.Parallel()
	states := []pilot.State{
		pilot.Unborn, pilot.PendingLaunch, pilot.Launching, pilot.PendingActive, pilot.Active, pilot.Canceling,
		pilot.Stopping, pilot.Done, pilot.Canceled, pilot.Failed,
	}
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistoryLog(t)
		v := foldLogs(h.log)
		all, _ := v.List(projection.Filter{}, 0, 0)
		if len(all) == 0 {
			return
		}
		p := rapid.SampledFrom(all).Draw(t, "pilot")
		kind := rapid.SampledFrom(pilot.Kinds()).Draw(t, "kind")
		from, to := rapid.SampledFrom(states).Draw(t, "from"), rapid.SampledFrom(states).Draw(t, "to")
		if from == p.State && pilot.Allowed(from, kind, to) {
			return
		}
		before := v.Counts()
		e := events.Event{
			Seq: v.Applied() + 1, Prev: p.Seq, Class: events.ClassChange, Kind: events.Kind(kind.String()), Key: p.Key,
			From: from, Status: &pilot.Status{State: to},
		}
		moved := v.Apply(&e)
		now, _ := v.Get(p.Manager, p.Pilot)
		if moved || !reflect.DeepEqual(now.Status, p.Status) || !reflect.DeepEqual(v.Counts(), before) {
			t.Fatalf("%v → %v by %v moved %v to %v", from, to, kind, p.State, now.State)
		}
		if now.Degraded == "" || now.Seq != e.Seq || v.Oddities().Refused != 1 {
			t.Fatalf("no trace: %+v, %+v", now, v.Oddities())
		}
	})
}

// TestWhoDoesNotExpectTheLastMovesNothing: no compare-and-set lets such a change
// in, whatever it says; the writers after it must still expect it.
func TestWhoDoesNotExpectTheLastMovesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistoryLog(t)
		v := foldLogs(h.log)
		all, _ := v.List(projection.Filter{}, 0, 0)
		all = slices.DeleteFunc(all, func(p projection.Pilot) bool { return p.Seq == 0 })
		if len(all) == 0 {
			return
		}
		p := rapid.SampledFrom(all).Draw(t, "pilot")
		kind := rapid.SampledFrom(pilot.Kinds()).Draw(t, "kind")
		e, ok := events.Moved(p.Key, rapid.Uint64Range(0, p.Seq-1).Draw(t, "prev"), p.Status, kind, nil)
		if !ok {
			return
		}
		e.Seq = v.Applied() + 1
		if v.Apply(&e) {
			t.Fatalf("%+v moved %+v", e, p)
		}
		now, _ := v.Get(p.Manager, p.Pilot)
		if !reflect.DeepEqual(now.Status, p.Status) || now.Degraded == "" || now.Seq != e.Seq || v.Oddities().Refused != 1 {
			t.Fatalf("no trace: %+v, %+v", now, v.Oddities())
		}
		next, ok := events.Moved(p.Key, e.Seq, p.Status, kind, nil)
		if next.Seq = e.Seq + 1; !ok || !v.Apply(&next) {
			t.Fatalf("the next, %+v, is refused", next)
		}
	})
}

var key = pilot.Key{Resource: "local.a", Manager: "m1", Pilot: "p"}

// TestAfterWhatIsNotUnderstoodTheNextIsBelieved: it carries the whole status,
// and a reader that starts from it would believe it too.
func TestAfterWhatIsNotUnderstoodTheNextIsBelieved(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]func(*projection.View, *events.Event){
		"unknown": func(v *projection.View, e *events.Event) { e.Kind, e.Status = "paused", nil; v.Apply(e) },
		"broken": func(v *projection.View, e *events.Event) {
			e.Status = nil
			v.Fold(&events.Entry{Event: *e, Broken: "torn"})
		},
	} {
		h := newHistoryLog()
		h.submit(key)
		h.move(key, pilot.KindLaunching)
		v := foldLogs(h.log)
		h.move(key, pilot.KindPendingActive)
		odd(v, &h.log[2])
		if p, _ := v.Get("m1", "p"); p.State != pilot.Launching || p.Seq != 3 || p.Degraded == "" {
			t.Errorf("%s: pilot is %+v", name, p)
		}
		h.move(key, pilot.KindActive)
		if !v.Apply(&h.log[3]) {
			t.Errorf("%s: the change after it is refused", name)
		}
		if o := v.Oddities(); o.Refused != 0 || o.Unknown+o.Broken != 1 {
			t.Errorf("%s: odd %+v", name, o)
		}
	}
}

func TestBrokenMessagesKeepTheirPlace(t *testing.T) {
	t.Parallel()
	v := projection.New()
	for i, e := range []events.Event{
		{Class: events.ClassManager, Key: pilot.Key{Manager: "m1"}},
		{Class: events.ClassSession, Session: "s"},
		{Class: events.ClassCommand, Kind: events.Submit, Key: key},
		{Class: events.ClassChange, Key: key},
		{Class: events.ClassNote, Key: key},
		{},
	} {
		e.Seq = uint64(i + 1)
		v.Fold(&events.Entry{Event: e, Broken: "torn"})
	}
	m, _ := v.Manager("m1")
	s, _ := v.Session("s")
	p, ok := v.Get("m1", "p")
	if m.Seq != 1 || s.Seq != 2 || !ok || p.SubmittedSeq != 3 || p.Seq != 4 || p.Submission != nil || p.Degraded != "message 5 does not decode: torn" {
		t.Errorf("manager %+v, session %+v, pilot %+v", m, s, p)
	}
	if v.Oddities().Broken != 6 || v.Applied() != 6 {
		t.Errorf("odd %+v, applied %d", v.Oddities(), v.Applied())
	}
}

// TestTheLastConfigurationIsTheWholeTruth: also where it is not understood, so
// that a replica that starts then agrees with one that has seen all.
func TestTheLastConfigurationIsTheWholeTruth(t *testing.T) {
	t.Parallel()
	h := newHistoryLog()
	h.putResource("local.a", "{}")
	h.putResource("local.b", "{}")
	h.putResource("local.b", "")
	v := foldLogs(h.log)
	if a, ok := v.Source("local.a"); !ok || !a.IsSet() || a.Seq != 1 || a.Actor != "anna" {
		t.Errorf("put: %+v", a)
	}
	if b, ok := v.Source("local.b"); !ok || b.IsSet() || b.Version != 3 || b.Seq != 3 {
		t.Errorf("deleted: %+v", b)
	}
	if _, ok := v.Source("local.c"); ok {
		t.Error("known without a put")
	}
	for name, apply := range map[string]func(*projection.View, *events.Event){
		"unknown": func(v *projection.View, e *events.Event) { v.Apply(e) },
		"broken":  func(v *projection.View, e *events.Event) { v.Fold(&events.Entry{Event: *e, Broken: "torn"}) },
	} {
		e := events.Event{Seq: 4, Class: events.ClassResource, Kind: "moved", Key: pilot.Key{Resource: "local.a"}}
		whole, late := foldLogs(h.log), projection.New()
		for range 2 {
			apply(whole, &e)
		}
		apply(late, &e)
		was, _ := whole.Source("local.a")
		is, _ := late.Source("local.a")
		if !reflect.DeepEqual(was, is) || was.IsSet() || was.Degraded == "" || was.Seq != 4 {
			t.Errorf("%s: %+v and %+v", name, was, is)
		}
		if whole.Apply(&h.log[0]) {
			t.Errorf("%s: an older message counts", name)
		}
	}
}

func TestFirstBirthWins(t *testing.T) {
	t.Parallel()
	h := newHistoryLog()
	elsewhere := key
	elsewhere.Resource = "local.b"
	h.submit(key)
	h.submit(elsewhere)
	h.move(elsewhere, pilot.KindLaunching)
	h.move(key, pilot.KindCanceling)
	v := foldLogs(h.log)
	p, _ := v.Get("m1", "p")
	if p.Resource != "local.a" || p.State != pilot.Canceled || p.Degraded == "" {
		t.Errorf("pilot is %+v", p)
	}
	if all, _ := v.List(projection.Filter{}, 0, 0); len(all) != 1 || v.Oddities().Refused != 2 || v.CountLive("m1") != 0 {
		t.Errorf("listed %d, odd %+v, live %d", len(all), v.Oddities(), v.CountLive("m1"))
	}
}

func TestUnbornPilotsAreNotShown(t *testing.T) {
	t.Parallel()
	h := newHistoryLog()
	h.submit(key)
	h.move(key, pilot.KindLaunching)
	v := foldLogs(h.log[1:])
	if _, ok := v.Get("m1", "p"); ok || len(v.Counts()) != 0 || v.CountLive("m1") != 0 {
		t.Errorf("shown before its birth: %v, live %d", v.Counts(), v.CountLive("m1"))
	}
	v.Apply(&h.log[0])
	if p, ok := v.Get("m1", "p"); !ok || p.State != pilot.Launching || v.CountLive("m1") != 1 {
		t.Errorf("after its birth: %+v", p)
	}
}

// TestNothingMakesApplyFail feeds events no writer of ours makes.
func TestNothingMakesApplyFail(t *testing.T) {
	t.Parallel()
	names := rapid.SampledFrom([]string{"", "m1", "p", "local.a", "local.b"})
	rapid.Check(t, func(t *rapid.T) {
		v := projection.New()
		for range rapid.IntRange(1, 20).Draw(t, "n") {
			e := events.Event{
				Seq: rapid.Uint64Range(0, 30).Draw(t, "seq"), Prev: rapid.Uint64Range(0, 30).Draw(t, "prev"),
				Class: events.Class(rapid.Uint8Range(0, 8).Draw(t, "class")), Session: names.Draw(t, "session"),
				Key: pilot.Key{
					Resource: names.Draw(t, "resource"), Manager: names.Draw(t, "manager"), Pilot: names.Draw(t, "pilot"),
				},
				Kind: events.Kind(rapid.SampledFrom([]string{"", "submit", "cancel", "launching", "done", "odd"}).Draw(t, "kind")),
				From: pilot.State(rapid.Uint8Range(0, 12).Draw(t, "from")),
			}
			if rapid.Bool().Draw(t, "body") {
				e.Submission, e.Scope, e.Note = &events.Submission{}, &events.Scope{}, &events.Note{}
				e.Source = &events.Source{}
				e.Status = &pilot.Status{State: pilot.State(rapid.Uint8Range(0, 12).Draw(t, "to"))}
			}
			if rapid.Bool().Draw(t, "broken") {
				v.Fold(&events.Entry{Event: e, Broken: "torn"})
			} else {
				v.Apply(&e)
			}
		}
		for tally, n := range v.Counts() {
			if n < 0 {
				t.Fatalf("%v counts %d", tally, n)
			}
		}
	})
}

func TestListBeyondTheEndIsEmpty(t *testing.T) {
	t.Parallel()
	h := newHistoryLog()
	h.submit(key)
	v := foldLogs(h.log)
	for _, after := range []uint64{1, 2, math.MaxUint64} {
		if page, next := v.List(projection.Filter{}, after, 10); len(page) != 0 || next != 0 {
			t.Errorf("after %d: %d pilots, next %d", after, len(page), next)
		}
	}
	if page, next := v.List(projection.Filter{Manager: "nobody"}, 0, 10); len(page) != 0 || next != 0 {
		t.Errorf("of nobody: %d pilots, next %d", len(page), next)
	}
}

func TestConfigurationsAreStoredOnce(t *testing.T) {
	t.Parallel()
	h := newHistoryLog()
	for i := range 3 {
		h.submit(pilot.Key{Resource: "local.a", Manager: "m1", Pilot: fmt.Sprint("p", i)})
	}
	h.log[2].Submission.Config = []byte("not what its digest says")
	v := foldLogs(h.log)
	first, _ := v.Get("m1", "p0")
	second, _ := v.Get("m1", "p1")
	third, _ := v.Get("m1", "p2")
	if &first.Submission.Config[0] != &second.Submission.Config[0] || string(second.Submission.Config) != "local.a" {
		t.Error("equal configurations are kept twice")
	}
	if string(third.Submission.Config) != "not what its digest says" {
		t.Errorf("a configuration was replaced by %s", third.Submission.Config)
	}
}
