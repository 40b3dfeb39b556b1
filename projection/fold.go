package projection

import (
	"bytes"
	"slices"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// pilotOf gives the entry of an event's pilot, made if need be; false if the
// pilot was born under another resource, which has its own subjects.
func (v *View) pilotOf(e *events.Event) (*Pilot, bool) {
	key := id{e.Manager, e.Pilot}
	p, ok := v.pilots[key]
	switch {
	case !ok:
		p = &Pilot{Key: e.Key, Status: pilot.Status{State: pilot.PendingLaunch, Peak: pilot.PendingLaunch}}
		v.pilots[key] = p
	case p.Resource != e.Resource:
		v.odd.Refused++
		return p, false
	}
	return p, true
}

// born takes a birth: at once or, of a list, together with all others of it. One in
// whose place another stands, on the same subject, is none.
func (v *View) born(e *events.Event) bool {
	p, known := v.pilots[id{e.Manager, e.Pilot}]
	known = known && p.Resource == e.Resource
	if known && p.Born >= e.Seq {
		return false
	}
	if old := v.part(e.Key); old != nil {
		if old.Seq >= e.Seq {
			return false
		}
		v.replaced(old)
	}
	births := []*events.Event{e}
	if e.Birth != nil && e.Birth.List.Several() {
		if v.settled[e.Birth.List.ID] {
			return false
		}
		births = v.gather(e)
	}
	if known && p.Seq != 0 && v.part(e.Key) != nil {
		births = v.moved(e.Key)
	}
	return v.enterAll(births)
}

// moved gives the birth of a pilot that waits though somebody has moved it: a launcher
// of a version that knows of no lists, whose job is there all the same.
func (v *View) moved(key pilot.Key) []*events.Event {
	e := v.part(key)
	if e == nil {
		return nil
	}
	v.release(e)
	return []*events.Event{e}
}

func (v *View) enterAll(births []*events.Event) (changed bool) {
	for _, e := range births {
		if v.enter(e) {
			v.entered, changed = append(v.entered, e), true
		} else if e.Birth != nil && e.Birth.List.Several() {
			v.settled[e.Birth.List.ID] = true
		}
	}
	return changed
}

// enter enters a pilot with its birth, or, if that is broken, without.
func (v *View) enter(e *events.Event) bool {
	key := id{e.Manager, e.Pilot}
	if p, ok := v.pilots[key]; ok && p.Born == 0 && p.Resource != e.Resource {
		if p.Degraded != "" {
			v.degraded--
		}
		delete(v.pilots, key) // what came before was about no pilot
	}
	p, ok := v.pilotOf(e)
	switch {
	case ok && p.Born == 0:
	default: // a second one, so late that the log did not know its message id any more
		if ok {
			v.odd.Refused++
		}
		v.degrade(p, "message %d submits it a second time, to %s", e.Seq, e.Resource)
		return false
	}
	p.Birth, p.Born, p.SubmittedAt, p.Actor = v.shared(e.Birth), e.Seq, e.At, e.Actor
	p.OnBehalfOf, p.Trace = e.OnBehalfOf, e.Trace
	if p.Seq == 0 {
		p.ChangedAt = when(e)
	}
	m := v.managerOf(e.Manager)
	v.order = insert(v.order, p)
	m.pilots = insert(m.pilots, p)
	v.tallies[Tally{p.Resource, p.State}]++
	if p.State.Live() {
		m.live++
	}
	return true
}

// shared gives a birth whose configuration is stored once for all pilots that
// have the same. The event's own birth is not written to.
func (v *View) shared(b *events.Birth) *events.Birth {
	if b == nil || b.Digest == "" {
		return b
	}
	config, ok := v.configs[b.Digest]
	switch {
	case !ok:
		v.configs[b.Digest] = b.Config
		return b
	case !bytes.Equal(config, b.Config):
		return b
	}
	birth := *b
	birth.Config = config
	return &birth
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
	p, ok := v.pilotOf(e)
	if !ok || e.Seq <= p.Seq {
		return false
	}
	was, follows := p.State, e.Prev == p.Seq && (p.blind == 0 || p.blind != p.Seq)
	// Whoever appends by compare-and-set expects what stood there last. One that
	// expects more than is known here was read ahead of what lies between.
	expected := e.Prev >= p.Seq
	p.Seq = e.Seq
	kind, known := e.Move()
	switch {
	case !known || e.Status == nil:
		v.odd.Unknown++
		p.blind = e.Seq
		v.degrade(p, "message %d is of a kind this version does not know: %.64q", e.Seq, e.Kind)
		return false
	case !expected:
		v.odd.Refused++
		v.degrade(p, "message %d expects %d, which was not the last: its writer did not look", e.Seq, e.Prev)
		return false
	case !pilot.Allowed(e.From, kind, e.Status.State) || follows && e.From != was || was.Final():
		v.odd.Refused++
		v.degrade(p, "message %d is not allowed: %s makes %s of %s", e.Seq, kind, e.Status.State, was)
		return false
	}
	p.Status, p.ChangedAt = *e.Status, when(e)
	p.rest()
	if p.Born != 0 {
		v.recount(p, was)
	} else {
		v.enterAll(v.moved(e.Key))
	}
	return true
}

// recount moves a pilot from the tally of the state it was in to its own.
func (v *View) recount(p *Pilot, was pilot.State) {
	if p.State == was {
		return
	}
	v.tallies[Tally{p.Resource, was}]--
	v.tallies[Tally{p.Resource, p.State}]++
	if p.State.Final() {
		v.managerOf(p.Manager).live--
	}
}

func (v *View) noted(e *events.Event) bool {
	p, ok := v.pilotOf(e)
	if !ok || e.Seq <= p.NoteSeq || e.Remark == nil {
		return false
	}
	p.Note, p.NoteSeq = *e.Remark, e.Seq
	p.rest()
	return true
}

// rest: nobody need care for a pilot that has ended, whatever the last note before its
// end, or one that came after it, has said of that.
func (p *Pilot) rest() {
	if p.State.Final() {
		p.Note.Health = ""
	}
}

func (v *View) managerOf(uid pilot.UID) *manager {
	m, ok := v.managers[uid]
	if !ok {
		m = &manager{Owner: Owner{UID: uid}}
		v.managers[uid] = m
	}
	return m
}

func (v *View) sessionOf(uid pilot.UID) *Owner {
	s, ok := v.sessions[uid]
	if !ok {
		s = &Owner{UID: uid}
		v.sessions[uid] = s
	}
	return s
}

func (o *Owner) follow(e *events.Event) bool {
	if e.Seq <= o.Seq || e.Owner == nil {
		return false
	}
	o.Owner, o.Seq = *e.Owner, e.Seq
	return true
}

// when is the log's time of an event, or, of one that was just appended, its writer's.
func when(e *events.Event) time.Time {
	if e.Time.IsZero() {
		return e.At
	}
	return e.Time
}
