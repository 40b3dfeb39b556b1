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
	key := pilotID{e.Manager, e.Pilot}
	p, ok := v.pilots[key]
	switch {
	case !ok:
		p = &Pilot{Key: e.Key, Status: pilot.Status{State: pilot.PendingLaunch, FurthestState: pilot.PendingLaunch}}
		v.pilots[key] = p
	case p.Resource != e.Resource:
		v.oddities.Refused++
		return p, false
	}
	return p, true
}

// applySubmission takes a birth: at once or, of a list, together with all others of it. One in
// whose place another stands, on the same subject, is none.
func (v *View) applySubmission(e *events.Event) bool {
	p, known := v.pilots[pilotID{e.Manager, e.Pilot}]
	known = known && p.Resource == e.Resource
	if known && p.SubmittedSeq >= e.Seq {
		return false
	}
	if earlier := v.waitingOn(e.Key); earlier != nil {
		if earlier.Seq >= e.Seq {
			return false
		}
		v.replaceWaiting(earlier)
	}
	submissions := []*events.Event{e}
	if e.Submission != nil && e.Submission.List.Several() {
		if v.refusedLists[e.Submission.List.ID] {
			return false
		}
		submissions = v.addToList(e)
	}
	if known && p.Seq != 0 && v.waitingOn(e.Key) != nil {
		submissions = v.releaseMoved(e.Key)
	}
	return v.enterAll(submissions)
}

// releaseMoved gives the birth of a pilot that waits though somebody has moved it: a launcher
// of a version that knows of no lists, whose job is there all the same.
func (v *View) releaseMoved(key pilot.Key) []*events.Event {
	e := v.waitingOn(key)
	if e == nil {
		return nil
	}
	v.removeWaiting(e)
	return []*events.Event{e}
}

func (v *View) enterAll(submissions []*events.Event) (changed bool) {
	for _, e := range submissions {
		if v.enterPilot(e) {
			v.entered, changed = append(v.entered, e), true
		} else if e.Submission != nil && e.Submission.List.Several() {
			v.refusedLists[e.Submission.List.ID] = true
		}
	}
	return changed
}

// enterPilot enters a pilot with its birth, or, if that is broken, without.
func (v *View) enterPilot(e *events.Event) bool {
	key := pilotID{e.Manager, e.Pilot}
	if p, ok := v.pilots[key]; ok && p.SubmittedSeq == 0 && p.Resource != e.Resource {
		if p.Degraded != "" {
			v.degraded--
		}
		delete(v.pilots, key) // what came before was about no pilot
	}
	p, ok := v.pilotOf(e)
	switch {
	case ok && p.SubmittedSeq == 0:
	default: // a second one, so late that the log did not know its message id any more
		if ok {
			v.oddities.Refused++
		}
		v.markDegraded(p, "message %d submits it a second time, to %s", e.Seq, e.Resource)
		return false
	}
	p.Submission, p.SubmittedSeq, p.SubmittedAt, p.Actor = v.shareConfig(e.Submission), e.Seq, e.At, e.Actor
	p.OnBehalfOf, p.Trace = e.OnBehalfOf, e.Trace
	if p.Seq == 0 {
		p.ChangedAt = timeOf(e)
	}
	m := v.managerOf(e.Manager)
	v.submitted = insertBySeq(v.submitted, p)
	m.pilots = insertBySeq(m.pilots, p)
	v.tallies[Tally{p.Resource, p.State}]++
	if p.State.Live() {
		m.live++
	}
	return true
}

// shareConfig gives a birth whose configuration is stored once for all pilots that
// have the same. The event's own birth is not written to.
func (v *View) shareConfig(b *events.Submission) *events.Submission {
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

// insertBySeq keeps the order of birth; nearly always that is an append.
func insertBySeq(ps []*Pilot, p *Pilot) []*Pilot {
	at := len(ps)
	for at > 0 && ps[at-1].SubmittedSeq > p.SubmittedSeq {
		at--
	}
	return slices.Insert(ps, at, p)
}

func (v *View) applyChange(e *events.Event) bool {
	p, ok := v.pilotOf(e)
	if !ok || e.Seq <= p.Seq {
		return false
	}
	was, follows := p.State, e.Prev == p.Seq && (p.unknownSeq == 0 || p.unknownSeq != p.Seq)
	// Whoever appends by compare-and-set expects what stood there last. One that
	// expects more than is known here was read ahead of what lies between.
	expected := e.Prev >= p.Seq
	p.Seq = e.Seq
	kind, known := e.Move()
	switch {
	case !known || e.Status == nil:
		v.oddities.Unknown++
		p.unknownSeq = e.Seq
		v.markDegraded(p, "message %d is of a kind this version does not know: %.64q", e.Seq, e.Kind)
		return false
	case !expected:
		v.oddities.Refused++
		v.markDegraded(p, "message %d expects %d, which was not the last: its writer did not look", e.Seq, e.Prev)
		return false
	case !pilot.Allowed(e.From, kind, e.Status.State) || follows && e.From != was || was.Final():
		v.oddities.Refused++
		v.markDegraded(p, "message %d is not allowed: %s makes %s of %s", e.Seq, kind, e.Status.State, was)
		return false
	}
	p.Status, p.ChangedAt = *e.Status, timeOf(e)
	p.clearHealth()
	if p.SubmittedSeq != 0 {
		v.moveTally(p, was)
	} else {
		v.enterAll(v.releaseMoved(e.Key))
	}
	return true
}

// moveTally moves a pilot from the tally of the state it was in to its own.
func (v *View) moveTally(p *Pilot, was pilot.State) {
	if p.State == was {
		return
	}
	v.tallies[Tally{p.Resource, was}]--
	v.tallies[Tally{p.Resource, p.State}]++
	if p.State.Final() {
		v.managerOf(p.Manager).live--
	}
}

func (v *View) applyNote(e *events.Event) bool {
	p, ok := v.pilotOf(e)
	if !ok || e.Seq <= p.NoteSeq || e.Note == nil {
		return false
	}
	p.Note, p.NoteSeq = *e.Note, e.Seq
	p.clearHealth()
	return true
}

// clearHealth: nobody need care for a pilot that has ended, whatever the last note before its
// end, or one that came after it, has said of that.
func (p *Pilot) clearHealth() {
	if p.State.Final() {
		p.Note.Health = ""
	}
}

func (v *View) managerOf(uid pilot.UID) *manager {
	m, ok := v.managers[uid]
	if !ok {
		m = &manager{Scope: Scope{UID: uid}}
		v.managers[uid] = m
	}
	return m
}

func (v *View) sessionOf(uid pilot.UID) *Scope {
	s, ok := v.sessions[uid]
	if !ok {
		s = &Scope{UID: uid}
		v.sessions[uid] = s
	}
	return s
}

func (o *Scope) applyEvent(e *events.Event) bool {
	if e.Seq <= o.Seq || e.Scope == nil {
		return false
	}
	o.Scope, o.Seq = *e.Scope, e.Seq
	return true
}

// timeOf is the log's time of an event, or, of one that was just appended, its writer's.
func timeOf(e *events.Event) time.Time {
	if e.Time.IsZero() {
		return e.At
	}
	return e.Time
}
