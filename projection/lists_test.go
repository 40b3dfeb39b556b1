package projection_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// listLog is a log of lists that were submitted, some of them torn by the store, with
// the pilots that there are after each message.
type listLog struct {
	historyLog
	seen         map[pilot.Key]uint64   // the last birth on each subject
	counted      map[pilot.Key]uint64   // the births that count
	countedAfter []map[pilot.Key]uint64 // born after each message
}

func (l *listLog) append(e events.Event) {
	l.historyLog.append(e)
	l.countedAfter = append(l.countedAfter, maps.Clone(l.counted))
}

// submit appends the first kept of a list of births; the pilots of a torn one are free.
func (l *listLog) submit(name string, keys []pilot.Key, kept int) {
	last := uint64(len(l.log) + kept)
	for i, k := range keys[:kept] {
		birth := &events.Submission{Over: l.seen[k], Description: pilot.Description{UID: k.Pilot, Resource: k.Resource}}
		if len(keys) > 1 {
			birth.List = events.List{ID: name, Size: len(keys), Index: i}
		}
		if i == len(keys)-1 { // whole, with this one
			for n, k := range keys {
				l.counted[k] = last - uint64(len(keys)-1-n)
			}
		}
		l.append(events.Event{Class: events.ClassCommand, Kind: events.Submit, Key: k, Submission: birth})
		l.seen[k] = uint64(len(l.log))
	}
}

func drawLists(t *rapid.T) *listLog {
	l := &listLog{historyLog: *newHistoryLog(), seen: map[pilot.Key]uint64{}, counted: map[pilot.Key]uint64{}}
	var keys []pilot.Key
	for i := range 8 {
		keys = append(keys, pilot.Key{Resource: []string{"local.a", "local.b"}[i%2], Manager: "m", Pilot: fmt.Sprint("p", i)})
	}
	for n := range rapid.IntRange(1, 8).Draw(t, "lists") {
		free := slices.DeleteFunc(slices.Clone(keys), func(k pilot.Key) bool { return l.counted[k] != 0 })
		if len(free) == 0 {
			break
		}
		some := rapid.Permutation(free).Draw(t, "pilots")[:rapid.IntRange(1, len(free)).Draw(t, "size")]
		l.submit(fmt.Sprint("list", n), some, rapid.IntRange(0, len(some)).Draw(t, "kept"))
		if born := sortedKeys(l.counted); len(born) > 0 && rapid.Bool().Draw(t, "moves") {
			l.moves(rapid.SampledFrom(born).Draw(t, "moved"))
		}
		l.append(events.Event{Class: events.ClassNote, Kind: events.Logged, Key: keys[0], Note: &events.Note{}})
	}
	return l
}

func sortedKeys(born map[pilot.Key]uint64) []pilot.Key {
	var all []pilot.Key
	for k := range born {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b pilot.Key) int { return int(born[a]) - int(born[b]) })
	return all
}

// moves claims a pilot, or cancels it if it was claimed.
func (l *listLog) moves(k pilot.Key) {
	st, ok := l.status[k]
	if !ok {
		st, _, _ = pilot.Status{}.Move(pilot.KindSubmit)
	}
	kind := pilot.KindLaunching
	if st.Attempt > 0 {
		kind = pilot.KindFailed
	}
	if e, ok := events.Moved(k, 0, st, kind, func(s *pilot.Status) { s.Attempt++ }); ok {
		l.status[k] = *e.Status
		l.append(e)
	}
}

// checkPilots fails where a view has other pilots than those whose lists are whole.
func checkPilots(t *rapid.T, what string, v *projection.View, want map[pilot.Key]uint64) {
	t.Helper()
	all, _ := v.List(projection.Filter{}, 0, 0)
	got := map[pilot.Key]uint64{}
	for i := range all {
		got[all[i].Key] = all[i].SubmittedSeq
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s shows %v, want %v", what, got, want)
	}
}

// TestAListIsWholeOrIsNone: after every message, from wherever a reader began, there are
// exactly the pilots whose lists are wholly in the log.
func TestAListIsWholeOrIsNone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLists(t)
		v := projection.New()
		entered := 0
		for i := range l.log {
			v.Apply(&l.log[i])
			checkPilots(t, fmt.Sprint("after message ", i+1), v, l.countedAfter[i])
			entered += len(v.Entered())
		}
		if entered != len(l.counted) {
			t.Fatalf("%d births were told of, %d count", entered, len(l.counted))
		}
		cut := rapid.IntRange(0, len(l.log)).Draw(t, "cut")
		past := historyLog{log: l.log[:cut]}
		late := foldLogs(past.latest(), l.log[cut:])
		checkPilots(t, "a reader that began at the present", late, l.counted)
		checkSameView(t, "its view", late, v)
		for i := range l.log {
			if v.Apply(&l.log[i]) {
				t.Fatalf("message %d counts twice", i+1)
			}
		}
		checkPilots(t, "a reader that read twice", v, l.counted)
		a, b := countTorn(v, l.log), countTorn(foldLogs((&historyLog{log: l.log}).latest()), l.log)
		if a != b || v.Oddities() != (projection.Oddities{}) {
			t.Fatalf("%v torn, and %v for who comes late; odd %+v", a, b, v.Oddities())
		}
	})
}

func countTorn(v *projection.View, log []events.Event) [2]int {
	lists, births := v.CountTorn(uint64(len(log)))
	return [2]int{lists, births}
}

// TestAListInAnyOrder: queues hand out births one by one, and in any order.
func TestAListInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLists(t)
		var births []events.Event
		for i := range l.log {
			if l.log[i].Class == events.ClassCommand {
				births = append(births, l.log[i])
			}
		}
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Shuffle(len(births), func(i, j int) { //nolint:gosec // guards nothing
			births[i], births[j] = births[j], births[i]
		})
		// What has no successor on its subject is read by all; the others may be gone.
		v := projection.New()
		for i := range births {
			if births[i].Seq == l.seen[births[i].Key] {
				v.Apply(&births[i])
			}
		}
		checkPilots(t, "a reader of the queue", v, l.counted)
	})
}

// TestOnePartOfTheLogIsVouchedFor: a reader of one resource sees but a part of a list.
func TestOnePartOfTheLogIsVouchedFor(t *testing.T) {
	t.Parallel()
	list := func(of string, i int) *events.Event {
		return &events.Event{
			Seq: uint64(i + 1), Class: events.ClassCommand, Kind: events.Submit,
			Key:        pilot.Key{Resource: of, Manager: "m", Pilot: fmt.Sprint("p", i)},
			Submission: &events.Submission{List: events.List{ID: "l", Size: 3, Index: i}},
		}
	}
	v := projection.New()
	v.Apply(list("local.a", 0))
	v.Apply(list("local.a", 2))
	part, waits := v.FindPart(pilot.Key{Resource: "local.b", Manager: "m", Pilot: "p0"})
	if all, _ := v.List(projection.Filter{}, 0, 0); len(all) != 0 || !waits || part.Seq != 1 || part.Last != 3 || part.Resource != "local.a" {
		t.Fatalf("%d pilots, part %+v", len(all), part)
	}
	if got := v.CompleteList("l"); len(got) != 2 || got[0].Pilot != "p0" || got[1].Pilot != "p2" || v.CompleteList("l") != nil && len(v.CompleteList("l")) != 0 {
		t.Fatalf("entered %+v", got)
	}
	if v.Apply(list("local.a", 2)) {
		t.Error("a birth counts twice")
	}
	if lists, births := v.CountTorn(99); lists != 0 || births != 0 {
		t.Errorf("%d lists of %d births are torn", lists, births)
	}
}

// TestHostileListsAreNone: sizes and places that cannot be make no pilots, and no trouble.
func TestHostileListsAreNone(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]events.List{
		"endless": {ID: "l", Size: 1 << 40}, "behind its end": {ID: "l", Size: 2, Index: 2}, "negative": {ID: "l", Size: 2, Index: -1},
	} {
		v := projection.New()
		for i := range 3 {
			e := events.Event{
				Seq: uint64(i + 1), Class: events.ClassCommand, Kind: events.Submit,
				Key:        pilot.Key{Resource: "local.a", Manager: "m", Pilot: fmt.Sprint("p", i)},
				Submission: &events.Submission{List: in},
			}
			if v.Apply(&e); events.ExtentOf(&e, nil) == events.Whole {
				t.Errorf("%s is whole", name)
			}
		}
		if all, _ := v.List(projection.Filter{}, 0, 0); len(all) != 0 {
			t.Errorf("%s: %d pilots", name, len(all))
		}
	}
	single := events.Event{Seq: 1, Class: events.ClassCommand, Kind: events.Submit, Submission: &events.Submission{List: events.List{ID: "l", Size: 1}}}
	if v := projection.New(); !v.Apply(&single) {
		t.Error("a list of one is not whole")
	}
}

// TestWhoWasMovedIsShown: an earlier version launches a birth for itself.
func TestWhoWasMovedIsShown(t *testing.T) {
	t.Parallel()
	v := projection.New()
	k := pilot.Key{Resource: "local.a", Manager: "m", Pilot: "p"}
	v.Apply(&events.Event{
		Seq: 1, Class: events.ClassCommand, Kind: events.Submit, Key: k, Submission: &events.Submission{List: events.List{ID: "l", Size: 2}},
	})
	st, _, _ := pilot.Status{}.Move(pilot.KindSubmit)
	e, _ := events.Moved(k, 0, st, pilot.KindLaunching, nil)
	e.Seq = 2
	if !v.Apply(&e) || len(v.Entered()) != 1 {
		t.Error("its claim told of no birth")
	}
	if p, ok := v.Get("m", "p"); !ok || p.SubmittedSeq != 1 || p.State != pilot.Launching {
		t.Errorf("it is %+v, %v", p, ok)
	}
	if lists, _ := v.CountTorn(2); lists != 0 {
		t.Errorf("%d lists are torn", lists)
	}
}
