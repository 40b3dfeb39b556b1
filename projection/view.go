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
	Submission   *events.Submission // nil only if the log has lost it
	SubmittedSeq uint64             // position of the birth
	SubmittedAt  time.Time
	Actor        string // who submitted it
	OnBehalfOf   string // for whom Actor said he does, if that is another
	Trace        string // the traceparent it was submitted under; empty: none
	pilot.Status
	ChangedAt  time.Time   // when its last change was stored
	Seq        uint64      // last position on its own subject: what the next change must expect
	Note       events.Note // the last observation
	NoteSeq    uint64
	Degraded   string // empty: all of its messages were understood
	unknownSeq uint64 // position of a change that was not understood: the next one is taken at its word
}

// LatestSeq is the position of the newest message about the pilot.
func (p *Pilot) LatestSeq() uint64 { return max(p.SubmittedSeq, p.Seq, p.NoteSeq) }

// Scope is a manager or a session as the log tells it.
type Scope struct {
	UID pilot.UID
	events.Scope
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
	applied      uint64
	pilots       map[pilotID]*Pilot
	submitted    []*Pilot // those that are born, by Born
	managers     map[pilot.UID]*manager
	sessions     map[pilot.UID]*Scope
	sources      map[string]*Source          // by label
	tallies      map[Tally]int               // of those that are born
	configs      map[string][]byte           // resource configurations by digest, shared by births
	lists        map[string]*partialList     // that are not whole, by their id
	waiting      map[pilotID][]*events.Event // the births in them
	refusedLists map[string]bool             // lists of which a birth was refused once they were whole
	entered      []*events.Event             // births that became pilots by the last call
	oddities     Oddities
	degraded     int // pilots, also those whose birth is not known
}

type pilotID struct{ manager, pilot pilot.UID }

type manager struct {
	Scope
	pilots []*Pilot // those that are born, by Born
	live   int      // of them
}

// New makes the view of an empty log.
func New() *View {
	return &View{
		pilots:       map[pilotID]*Pilot{},
		managers:     map[pilot.UID]*manager{},
		sessions:     map[pilot.UID]*Scope{},
		sources:      map[string]*Source{},
		tallies:      map[Tally]int{},
		configs:      map[string][]byte{},
		lists:        map[string]*partialList{},
		waiting:      map[pilotID][]*events.Event{},
		refusedLists: map[string]bool{},
	}
}

// Applied is the highest position folded so far.
func (v *View) Applied() uint64 { return v.applied }

// Oddities are counted since New.
func (v *View) Oddities() Oddities { return v.oddities }

// Degraded counts the pilots of which a message was not understood.
func (v *View) Degraded() int { return v.degraded }

// markDegraded says why a pilot is not wholly understood.
func (v *View) markDegraded(p *Pilot, format string, args ...any) {
	if p.Degraded == "" {
		v.degraded++
	}
	p.Degraded = fmt.Sprintf(format, args...)
}

// Fold folds one entry of a tail and reports whether it may have changed anything: a broken
// entry always may, the mark never does. Use [View.Apply] for an event that came by another way.
func (v *View) Fold(e *events.Entry) (changed bool) {
	switch {
	case e.Mark:
		return false
	case e.Broken != "":
		v.applyBroken(&e.Event, e.Broken)
		return true
	}
	return v.Apply(&e.Event)
}

// Apply folds one event whose payload was understood and reports whether it changed anything.
func (v *View) Apply(e *events.Event) bool {
	v.applied, v.entered = max(v.applied, e.Seq), v.entered[:0]
	switch e.Class {
	case events.ClassCommand:
		return e.Kind == events.Submit && v.applySubmission(e)
	case events.ClassChange:
		return v.applyChange(e)
	case events.ClassNote:
		return v.applyNote(e)
	case events.ClassManager:
		return v.managerOf(e.Manager).applyEvent(e)
	case events.ClassSession:
		return v.sessionOf(e.Session).applyEvent(e)
	case events.ClassResource:
		return v.applySource(e)
	}
	v.oddities.Unknown++
	return false
}

// applyBroken notes a message whose payload does not decode: e has its
// place in the log, and no body. What is appended next to its subject must
// expect it all the same.
func (v *View) applyBroken(e *events.Event, why string) {
	v.applied, v.entered = max(v.applied, e.Seq), v.entered[:0]
	v.oddities.Broken++
	switch {
	case e.Class == events.ClassManager:
		m := v.managerOf(e.Manager)
		m.Seq = max(m.Seq, e.Seq)
		return
	case e.Class == events.ClassSession:
		s := v.sessionOf(e.Session)
		s.Seq = max(s.Seq, e.Seq)
		return
	case e.Class == events.ClassResource:
		v.markSourceLost(e, "does not decode: "+why)
		return
	case e.Pilot == "":
		return
	case e.Class == events.ClassCommand && e.Kind == events.Submit:
		v.applySubmission(e)
	}
	p, ok := v.pilotOf(e)
	if !ok {
		return
	}
	v.markDegraded(p, "message %d does not decode: %s", e.Seq, why)
	if e.Class == events.ClassChange && e.Seq > p.Seq {
		p.Seq, p.unknownSeq = e.Seq, e.Seq
	}
}
