package manager

import (
	"cmp"
	"slices"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// state is what the goroutine of Run owns.
type state struct {
	view         *projection.View
	applied      uint64                // all of the log up to here is folded, once caught up
	deferred     []*deferredCall       // by seq
	waits        map[pilotRef]waiters  // who waits for a pilot
	waitPlaces   int                   // in all of waits
	closing      map[scopeRef]struct{} // what may still need finishing; see finish.go
	wakeFinisher func()                // has the finisher look at ending

	recentSubmits recentSubmits

	resources *registry
}

type pilotRef struct{ manager, pilot pilot.UID }

// scopeRef names a manager or a session.
type scopeRef struct {
	isSession bool
	uid       pilot.UID
}

// deferredCall is something to run once the log is folded up to seq.
type deferredCall struct {
	seq uint64
	run func(*state)
}

func newState(below *resource.Catalogue, wake func()) *state {
	return &state{
		view: projection.New(), waits: map[pilotRef]waiters{}, closing: map[scopeRef]struct{}{}, wakeFinisher: wake, recentSubmits: recentSubmits{},
		resources: newRegistry(below),
	}
}

// applyNext folds the next event of the log.
func (st *state) applyNext(e *events.Event) {
	st.applied = max(st.applied, e.Seq) // before anybody is answered with it
	st.applyEvent(e)
	st.runDue()
}

// readAhead folds events that were just stored in one piece and end at
// position last, so that their writer need not wait for the tail to bring them.
func (st *state) readAhead(es []*events.Event, last uint64) {
	for i, e := range es {
		e.Seq = last - uint64(len(es)-1-i)
		st.applyEvent(e)
	}
}

// applyEvent folds one event and looks who has waited for it.
func (st *state) applyEvent(e *events.Event) {
	changed := st.view.Apply(e)
	for _, birth := range st.view.Entered() { // of a list all at once, with the last
		st.onPilotSubmitted(birth.Manager)
		st.countSubmit(birth)
	}
	if !changed {
		return
	}
	switch e.Class {
	case events.ClassChange:
		st.answerWaiters(pilotRef{e.Manager, e.Pilot})
		if e.Status.State.Final() {
			st.onPilotEnded(e.Manager)
		}
	case events.ClassCommand:
	case events.ClassManager, events.ClassSession:
		st.onScopeChanged(e)
	case events.ClassResource:
		st.takeSource(e.Resource)
	case events.ClassNote:
	}
}

// takeSource takes over what the view has of a configuration.
func (st *state) takeSource(label string) {
	if s, ok := st.view.Source(label); ok {
		st.resources.takeSource(&s)
	}
}

// advance notes that everything up to seq is folded.
func (st *state) advance(seq uint64) {
	st.applied = max(st.applied, seq)
	st.runDue()
}

// runDue runs what has waited for this position.
func (st *state) runDue() {
	for len(st.deferred) > 0 && st.deferred[0].seq <= st.applied {
		l := st.deferred[0]
		st.deferred = slices.Delete(st.deferred, 0, 1)
		l.run(st)
	}
}

// whenFolded runs l now or once the fold has come that far.
func (st *state) whenFolded(l *deferredCall) {
	if l.seq <= st.applied {
		l.run(st)
		return
	}
	i, _ := slices.BinarySearchFunc(st.deferred, l.seq, func(o *deferredCall, seq uint64) int { return cmp.Compare(o.seq, seq) })
	st.deferred = slices.Insert(st.deferred, i, l)
}

func (st *state) forgetCall(l *deferredCall) {
	st.deferred = slices.DeleteFunc(st.deferred, func(o *deferredCall) bool { return o == l })
}

// findManager gives a manager, or code not_found.
func (st *state) findManager(uid pilot.UID) (projection.Scope, error) {
	o, ok := st.view.Manager(uid)
	if !ok {
		return o, pilot.Errorf(pilot.NotFound, "no manager %.80q", uid)
	}
	return o, nil
}

// findSession gives a session, or code not_found.
func (st *state) findSession(uid pilot.UID) (projection.Scope, error) {
	o, ok := st.view.Session(uid)
	if !ok {
		return o, pilot.Errorf(pilot.NotFound, "no session %.80q", uid)
	}
	return o, nil
}

// findPilots gives the named pilots of a manager in that order; code not_found
// names all that are unknown.
func (st *state) findPilots(manager pilot.UID, uids []pilot.UID) ([]projection.Pilot, error) {
	if _, err := st.findManager(manager); err != nil {
		return nil, err
	}
	return pickPilots(st.view, manager, uids)
}

func pickPilots(v *projection.View, manager pilot.UID, uids []pilot.UID) ([]projection.Pilot, error) {
	found := make([]projection.Pilot, 0, len(uids))
	var faults []pilot.FieldError
	for i, uid := range uids {
		p, ok := v.Get(manager, uid)
		if !ok {
			faults = append(faults, pilot.FieldError{Index: i, Field: "uids", Reason: "no pilot " + quoteName(uid)})
			continue
		}
		found = append(found, p)
	}
	if faults != nil {
		return nil, refusalOf(pilot.NotFound, "not known to manager "+quoteName(manager), faults)
	}
	return found, nil
}
