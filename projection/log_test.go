package projection_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// A history is a log as writers who keep to the machine leave it.
type historyLog struct {
	log    []events.Event
	last   map[string]uint64 // by subject
	status map[pilot.Key]pilot.Status
}

// subjectOf names what the log keeps apart.
func subjectOf(e *events.Event) string {
	kind := ""
	if e.Class == events.ClassCommand {
		kind = string(e.Kind)
	}
	return fmt.Sprintf("%d %v %s %s", e.Class, e.Key, e.Session, kind)
}

func newHistoryLog() *historyLog {
	return &historyLog{last: map[string]uint64{}, status: map[pilot.Key]pilot.Status{}}
}

func (h *historyLog) append(e events.Event) {
	e.Seq = uint64(len(h.log) + 1)
	e.At = time.UnixMilli(1e12 + 1000*int64(e.Seq)).UTC()
	e.ID = fmt.Sprint(e.Seq)
	if s := subjectOf(&e); e.Expects() {
		e.Prev = h.last[s]
		h.last[s] = e.Seq
	}
	h.log = append(h.log, e)
}

func (h *historyLog) submit(k pilot.Key) {
	if _, there := h.status[k]; there {
		return
	}
	st, _, _ := pilot.Status{}.Move(pilot.KindSubmit)
	h.status[k] = st
	h.append(events.Event{Class: events.ClassCommand, Kind: events.Submit, Key: k, Submission: &events.Submission{
		Description: pilot.Description{UID: k.Pilot, Resource: k.Resource, Labels: map[string]string{"m": k.Manager}},
		Config:      []byte(k.Resource), Digest: k.Resource,
	}})
}

// move writes the change, if the machine has it.
func (h *historyLog) move(k pilot.Key, kind pilot.Kind) {
	e, ok := events.Moved(k, 0, h.status[k], kind, func(s *pilot.Status) { s.Attempt++ })
	if !ok {
		return
	}
	h.status[k] = *e.Status
	h.append(e)
}

func (h *historyLog) putScope(class events.Class, uid pilot.UID, kind events.Kind, state events.ScopeState) {
	e := events.Event{Class: class, Kind: kind, Scope: &events.Scope{State: state, CreatedAt: time.UnixMilli(int64(len(h.log) + 1))}}
	if class == events.ClassManager {
		e.Manager, e.Scope.Session = uid, "ses"
	} else {
		e.Session = uid
	}
	h.append(e)
}

// drawHistory makes one of a few managers on two resources; a uid belongs to
// one resource, as the managers see to.
// put puts a configuration, or deletes it where text is empty.
func (h *historyLog) putResource(label, text string) {
	e := events.Event{Class: events.ClassResource, Kind: events.Put, Key: pilot.Key{Resource: label}, Actor: "anna"}
	e.Source = &events.Source{Version: h.last[subjectOf(&e)] + 1, Text: []byte(text)}
	if text == "" {
		e.Kind = events.Deleted
	}
	h.append(e)
}

func drawHistoryLog(t *rapid.T) *historyLog {
	h := newHistoryLog()
	h.putScope(events.ClassSession, "ses", events.Created, events.StateOpen)
	var keys []pilot.Key
	for _, m := range []string{"m1", "m2"} {
		h.putScope(events.ClassManager, m, events.Created, events.StateOpen)
		for i := range 3 {
			keys = append(keys, pilot.Key{Resource: []string{"local.a", "local.b"}[i%2], Manager: m, Pilot: fmt.Sprint("p", i)})
		}
	}
	for range rapid.IntRange(0, 60).Draw(t, "events") {
		k := rapid.SampledFrom(keys).Draw(t, "key")
		h.submit(k)
		switch n := rapid.IntRange(0, 13).Draw(t, "act"); n {
		case 0:
			h.append(events.Event{Class: events.ClassNote, Kind: events.Observed, Key: k, Note: &events.Note{Phase: fmt.Sprint(len(h.log))}})
		case 1:
			h.append(events.Event{Class: events.ClassCommand, Kind: events.Cancel, Key: k})
		case 2:
			h.putScope(events.ClassManager, k.Manager, events.Closing, events.StateClosing)
		case 3:
			h.putResource(k.Resource, rapid.SampledFrom([]string{"", "{}", "[]"}).Draw(t, "text"))
		default:
			h.move(k, rapid.SampledFrom(pilot.Kinds()).Draw(t, "kind"))
		}
	}
	return h
}

// latest is what a reader that starts from the present gets.
func (h *historyLog) latest() []events.Event {
	last := map[string]int{}
	for i := range h.log {
		last[subjectOf(&h.log[i])] = i
	}
	at := make([]int, 0, len(last))
	for _, i := range last {
		at = append(at, i)
	}
	slices.Sort(at)
	log := make([]events.Event, len(at))
	for i, n := range at {
		log[i] = h.log[n]
	}
	return log
}

func foldLogs(logs ...[]events.Event) *projection.View {
	v := projection.New()
	for _, log := range logs {
		for i := range log {
			v.Apply(&log[i])
		}
	}
	return v
}

// viewState is all that a view shows.
type viewState struct {
	Pilots             []projection.Pilot
	Managers, Sessions []projection.Scope
	Sources            []projection.Source
	Counts             map[projection.Tally]int
	Live               map[pilot.UID]int
}

func viewStateOf(v *projection.View) viewState {
	f := viewState{Managers: v.Managers(""), Sessions: v.Sessions(), Sources: v.Sources(), Counts: v.Counts(), Live: map[pilot.UID]int{}}
	f.Pilots, _ = v.List(projection.Filter{}, 0, 0)
	for _, m := range f.Managers {
		f.Live[m.UID] = v.CountLive(m.UID)
	}
	return f
}
