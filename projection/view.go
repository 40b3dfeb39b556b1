package projection

import (
	"fmt"
	"slices"
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
	pilot.Status
	ChangedAt time.Time   // when it got into its state, by the clock of who put it there
	Seq       uint64      // last position on its own subject: what the next change must expect
	Note      events.Note // the last observation
	NoteSeq   uint64
	Degraded  string // empty: all of its messages were understood
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
	Refused uint64 // changes that the machine does not allow
	Unknown uint64 // kinds of a later version
	Broken  uint64 // messages that do not decode
}

// View is the present. The zero value is not ready; see New.
type View struct {
	applied  uint64
	pilots   map[id]*Pilot
	order    []*Pilot // by Born
	managers map[pilot.UID]*manager
	sessions map[pilot.UID]*Owner
	tallies  map[Tally]int
	odd      Oddities
}

type id struct{ manager, pilot pilot.UID }

type manager struct {
	Owner
	pilots []*Pilot // by Born
	live   int
}

// New makes the view of an empty log.
func New() *View {
	return &View{
		pilots:   map[id]*Pilot{},
		managers: map[pilot.UID]*manager{},
		sessions: map[pilot.UID]*Owner{},
		tallies:  map[Tally]int{},
	}
}

// Applied is the highest position folded so far.
func (v *View) Applied() uint64 { return v.applied }

// Oddities are counted since New.
func (v *View) Oddities() Oddities { return v.odd }

// Apply folds one event and says whether it changed anything.
func (v *View) Apply(e *events.Event) bool {
	v.applied = max(v.applied, e.Seq)
	switch e.Class {
	case events.Command:
		return e.Kind == events.Submit && v.born(e)
	case events.Change:
		return v.changed(e)
	case events.Remark:
		return v.noted(e)
	case events.OfManager:
		return v.manager(e)
	case events.OfSession:
		return v.session(e)
	}
	v.odd.Unknown++
	return false
}

// ApplyBroken takes note of a message whose payload does not decode: e has its
// place in the log, and no body.
func (v *View) ApplyBroken(e *events.Event, why string) {
	v.applied = max(v.applied, e.Seq)
	v.odd.Broken++
	if e.Pilot == "" {
		return
	}
	p := v.pilot(e.Key)
	p.Degraded = fmt.Sprintf("message %d does not decode: %s", e.Seq, why)
	if e.Class == events.Change {
		p.Seq = max(p.Seq, e.Seq)
	}
}

// pilot gives the entry of a key, made if need be.
func (v *View) pilot(k pilot.Key) *Pilot {
	if p, ok := v.pilots[id{k.Manager, k.Pilot}]; ok {
		return p
	}
	p := &Pilot{Key: k, Status: pilot.Status{State: pilot.PendingLaunch, Peak: pilot.PendingLaunch}}
	v.pilots[id{k.Manager, k.Pilot}] = p
	v.tallies[Tally{k.Resource, p.State}]++
	v.ownerOf(k.Manager).live++
	return p
}

func (v *View) ownerOf(uid pilot.UID) *manager {
	m, ok := v.managers[uid]
	if !ok {
		m = &manager{Owner: Owner{UID: uid}}
		v.managers[uid] = m
	}
	return m
}

func (v *View) born(e *events.Event) bool {
	p := v.pilot(e.Key)
	if p.Born != 0 {
		return false // again, or a second birth under another resource, which dedup let through
	}
	p.Birth, p.Born, p.SubmittedAt, p.Actor = e.Birth, e.Seq, e.At, e.Actor
	if p.Seq == 0 {
		p.ChangedAt = e.At
	}
	m := v.ownerOf(e.Manager)
	v.order = insert(v.order, p)
	m.pilots = insert(m.pilots, p)
	return true
}

// insert keeps the order of birth; nearly always that is an append.
func insert(ps []*Pilot, p *Pilot) []*Pilot {
	at := len(ps)
	for at > 0 && ps[at-1].Born > p.Born {
		at--
	}
	return slices.Insert(ps, at, p)
}

func (v *View) changed(e *events.Event) bool {
	p := v.pilot(e.Key)
	if e.Seq <= p.Seq {
		return false
	}
	was, follows := p.State, e.Prev == p.Seq
	p.Seq = e.Seq
	kind, known := e.Move()
	switch {
	case !known:
		v.odd.Unknown++
		p.Degraded = fmt.Sprintf("message %d is of a kind this version does not know: %.64q", e.Seq, e.Kind)
		return false
	case !pilot.Allowed(e.From, kind, e.Status.State) || follows && e.From != was || was.Final():
		v.odd.Refused++
		p.Degraded = fmt.Sprintf("message %d is not allowed: %s makes %s of %s", e.Seq, kind, e.Status.State, was)
		return false
	}
	p.Status, p.ChangedAt = *e.Status, e.At
	v.tallies[Tally{p.Resource, was}]--
	v.tallies[Tally{p.Resource, p.State}]++
	if p.State.Final() {
		v.ownerOf(p.Manager).live--
	}
	return true
}

func (v *View) noted(e *events.Event) bool {
	p := v.pilot(e.Key)
	if e.Seq <= p.NoteSeq {
		return false
	}
	p.Note, p.NoteSeq = *e.Remark, e.Seq
	return true
}

func (v *View) manager(e *events.Event) bool {
	m := v.ownerOf(e.Manager)
	return m.follow(e)
}

func (v *View) session(e *events.Event) bool {
	s, ok := v.sessions[e.Session]
	if !ok {
		s = &Owner{UID: e.Session}
		v.sessions[e.Session] = s
	}
	return s.follow(e)
}

func (o *Owner) follow(e *events.Event) bool {
	if e.Seq <= o.Seq {
		return false
	}
	o.Owner, o.Seq = *e.Owner, e.Seq
	return true
}
