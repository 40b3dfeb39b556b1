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
type history struct {
	log    []events.Event
	last   map[string]uint64 // by subject
	status map[pilot.Key]pilot.Status
}

// subjectOf names what the log keeps apart.
func subjectOf(e *events.Event) string {
	kind := ""
	if e.Class == events.Command {
		kind = string(e.Kind)
	}
	return fmt.Sprintf("%d %v %s %s", e.Class, e.Key, e.Session, kind)
}

func newHistory() *history {
	return &history{last: map[string]uint64{}, status: map[pilot.Key]pilot.Status{}}
}

func (h *history) append(e events.Event) {
	e.Seq = uint64(len(h.log) + 1)
	e.At = time.UnixMilli(1e12 + 1000*int64(e.Seq)).UTC()
	e.ID = fmt.Sprint(e.Seq)
	if s := subjectOf(&e); e.Expects() {
		e.Prev = h.last[s]
		h.last[s] = e.Seq
	}
	h.log = append(h.log, e)
}

func (h *history) submit(k pilot.Key) {
	if _, there := h.status[k]; there {
		return
	}
	st, _, _ := pilot.Status{}.Move(pilot.Submitted)
	h.status[k] = st
	h.append(events.Event{Class: events.Command, Kind: events.Submit, Key: k, Birth: &events.Birth{
		Description: pilot.Description{UID: k.Pilot, Resource: k.Resource, Labels: map[string]string{"m": k.Manager}},
		Config:      []byte(k.Resource), Digest: k.Resource,
	}})
}

// move writes the change, if the machine has it.
func (h *history) move(k pilot.Key, kind pilot.Kind) {
	e, ok := events.Moved(k, 0, h.status[k], kind, func(s *pilot.Status) { s.Attempt++ })
	if !ok {
		return
	}
	h.status[k] = *e.Status
	h.append(e)
}

func (h *history) own(class events.Class, uid pilot.UID, kind events.Kind, state events.OwnerState) {
	e := events.Event{Class: class, Kind: kind, Owner: &events.Owner{State: state, CreatedAt: time.UnixMilli(int64(len(h.log) + 1))}}
	if class == events.OfManager {
		e.Manager, e.Owner.Session = uid, "ses"
	} else {
		e.Session = uid
	}
	h.append(e)
}

// drawHistory makes one of a few managers on two resources; a uid belongs to
// one resource, as the managers see to.
// put puts a configuration, or deletes it where text is empty.
func (h *history) put(label, text string) {
	e := events.Event{Class: events.OfResource, Kind: events.Put, Key: pilot.Key{Resource: label}, Actor: "anna"}
	e.Source = &events.Source{Version: h.last[subjectOf(&e)] + 1, Text: []byte(text)}
	if text == "" {
		e.Kind = events.Deleted
	}
	h.append(e)
}

func drawHistory(t *rapid.T) *history {
	h := newHistory()
	h.own(events.OfSession, "ses", events.Created, events.StateOpen)
	var keys []pilot.Key
	for _, m := range []string{"m1", "m2"} {
		h.own(events.OfManager, m, events.Created, events.StateOpen)
		for i := range 3 {
			keys = append(keys, pilot.Key{Resource: []string{"local.a", "local.b"}[i%2], Manager: m, Pilot: fmt.Sprint("p", i)})
		}
	}
	for range rapid.IntRange(0, 60).Draw(t, "events") {
		k := rapid.SampledFrom(keys).Draw(t, "key")
		h.submit(k)
		switch n := rapid.IntRange(0, 13).Draw(t, "act"); n {
		case 0:
			h.append(events.Event{Class: events.Remark, Kind: events.Observed, Key: k, Remark: &events.Note{Phase: fmt.Sprint(len(h.log))}})
		case 1:
			h.append(events.Event{Class: events.Command, Kind: events.Cancel, Key: k})
		case 2:
			h.own(events.OfManager, k.Manager, events.Closing, events.StateClosing)
		case 3:
			h.put(k.Resource, rapid.SampledFrom([]string{"", "{}", "[]"}).Draw(t, "text"))
		default:
			h.move(k, rapid.SampledFrom(pilot.Kinds()).Draw(t, "kind"))
		}
	}
	return h
}

// latest is what a reader that starts from the present gets.
func (h *history) latest() []events.Event {
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

func fold(logs ...[]events.Event) *projection.View {
	v := projection.New()
	for _, log := range logs {
		for i := range log {
			v.Apply(&log[i])
		}
	}
	return v
}

// face is all that a view shows.
type face struct {
	Pilots             []projection.Pilot
	Managers, Sessions []projection.Owner
	Sources            []projection.Source
	Counts             map[projection.Tally]int
	Live               map[pilot.UID]int
}

func faceOf(v *projection.View) face {
	f := face{Managers: v.Managers(""), Sessions: v.Sessions(), Sources: v.Sources(), Counts: v.Counts(), Live: map[pilot.UID]int{}}
	f.Pilots, _ = v.List(projection.Filter{}, 0, 0)
	for _, m := range f.Managers {
		f.Live[m.UID] = v.Live(m.UID)
	}
	return f
}
