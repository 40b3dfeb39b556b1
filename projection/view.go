package projection

import (
	"fmt"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Pilot is one pilot as the log tells it.
type Pilot struct {
	pilot.Key
	Birth       *events.Birth // nil only if the log has lost it
	Born        uint64        // position of the birth
	SubmittedAt time.Time
	Actor       string // who submitted it
	OnBehalfOf  string // for whom Actor said he does, if that is another
	Trace       string // the traceparent it was submitted under; empty: none
	pilot.Status
	ChangedAt time.Time   // when its last change was stored
	Seq       uint64      // last position on its own subject: what the next change must expect
	Note      events.Note // the last observation
	NoteSeq   uint64
	Degraded  string // empty: all of its messages were understood
	blind     uint64 // position of a change that was not understood: the next one is taken at its word
}

// Latest is the position of the newest message about the pilot.
func (p *Pilot) Latest() uint64 { return max(p.Born, p.Seq, p.NoteSeq) }

// Owner is a manager or a session as the log tells it.
type Owner struct {
	UID pilot.UID
	events.Owner
	Seq uint64
}

// Tally counts the pilots of a resource in a state.
type Tally struct {
	Resource string
	State    pilot.State
}

// Oddities counts what moved nothing and should not have been there.
type Oddities struct {
	Refused uint64 // changes that the machine does not allow or that do not expect the one before, and second births
	Unknown uint64 // kinds and classes of a later version
	Broken  uint64 // messages that do not decode
}

// View is the present. The zero value is not ready; see New.
type View struct {
	applied  uint64
	pilots   map[id]*Pilot
	order    []*Pilot // those that are born, by Born
	managers map[pilot.UID]*manager
	sessions map[pilot.UID]*Owner
	sources  map[string]*Source     // by label
	tallies  map[Tally]int          // of those that are born
	configs  map[string][]byte      // resource configurations by digest, shared by births
	lists    map[string]*list       // that are not whole, by their id
	parts    map[id][]*events.Event // the births in them
	settled  map[string]bool        // lists of which a birth was refused once they were whole
	entered  []*events.Event        // births that became pilots by the last call
	odd      Oddities
	degraded int // pilots, also those whose birth is not known
}

type id struct{ manager, pilot pilot.UID }

type manager struct {
	Owner
	pilots []*Pilot // those that are born, by Born
	live   int      // of them
}

// New makes the view of an empty log.
func New() *View {
	return &View{
		pilots:   map[id]*Pilot{},
		managers: map[pilot.UID]*manager{},
		sessions: map[pilot.UID]*Owner{},
		sources:  map[string]*Source{},
		tallies:  map[Tally]int{},
		configs:  map[string][]byte{},
		lists:    map[string]*list{},
		parts:    map[id][]*events.Event{},
		settled:  map[string]bool{},
	}
}

// Applied is the highest position folded so far.
func (v *View) Applied() uint64 { return v.applied }

// Oddities are counted since New.
func (v *View) Oddities() Oddities { return v.odd }

// Degraded counts the pilots of which a message was not understood.
func (v *View) Degraded() int { return v.degraded }

// degrade says why a pilot is not wholly understood.
func (v *View) degrade(p *Pilot, format string, args ...any) {
	if p.Degraded == "" {
		v.degraded++
	}
	p.Degraded = fmt.Sprintf(format, args...)
}

// Apply folds one event and says whether it changed anything.
func (v *View) Apply(e *events.Event) bool {
	v.applied, v.entered = max(v.applied, e.Seq), v.entered[:0]
	switch e.Class {
	case events.Command:
		return e.Kind == events.Submit && v.born(e)
	case events.Change:
		return v.changed(e)
	case events.Remark:
		return v.noted(e)
	case events.OfManager:
		return v.managerOf(e.Manager).follow(e)
	case events.OfSession:
		return v.sessionOf(e.Session).follow(e)
	case events.OfResource:
		return v.put(e)
	}
	v.odd.Unknown++
	return false
}

// ApplyBroken takes note of a message whose payload does not decode: e has its
// place in the log, and no body. What is appended next to its subject must
// expect it all the same.
func (v *View) ApplyBroken(e *events.Event, why string) {
	v.applied, v.entered = max(v.applied, e.Seq), v.entered[:0]
	v.odd.Broken++
	switch {
	case e.Class == events.OfManager:
		m := v.managerOf(e.Manager)
		m.Seq = max(m.Seq, e.Seq)
		return
	case e.Class == events.OfSession:
		s := v.sessionOf(e.Session)
		s.Seq = max(s.Seq, e.Seq)
		return
	case e.Class == events.OfResource:
		v.lost(e, "does not decode: "+why)
		return
	case e.Pilot == "":
		return
	case e.Class == events.Command && e.Kind == events.Submit:
		v.born(e)
	}
	p, ok := v.pilotOf(e)
	if !ok {
		return
	}
	v.degrade(p, "message %d does not decode: %s", e.Seq, why)
	if e.Class == events.Change && e.Seq > p.Seq {
		p.Seq, p.blind = e.Seq, e.Seq
	}
}
