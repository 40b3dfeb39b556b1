package manager

import (
	"cmp"
	"slices"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
	"github.com/flightlog/flightlog/resource"
)

// world is what the goroutine of Run owns.
type world struct {
	view    *projection.View
	applied uint64             // all of the log up to here is folded, once caught up
	later   []*later           // by seq
	waits   map[place]waiters  // who waits for a pilot
	places  int                // in all of waits
	ending  map[owner]struct{} // what may still need finishing; see finish.go
	wake    func()             // has the finisher look at ending

	recent births

	resources *registry
}

type place struct{ manager, pilot pilot.UID }

// owner names a manager or a session.
type owner struct {
	session bool
	uid     pilot.UID
}

// later is something to run once the log is folded up to seq.
type later struct {
	seq uint64
	run func(*world)
}

func newWorld(below *resource.Catalogue, wake func()) *world {
	return &world{
		view: projection.New(), waits: map[place]waiters{}, ending: map[owner]struct{}{}, wake: wake, recent: births{},
		resources: newRegistry(below),
	}
}

// follow folds the next event of the log.
func (w *world) follow(e *events.Event) {
	w.applied = max(w.applied, e.Seq) // before anybody is answered with it
	w.apply(e)
	w.release()
}

// readAhead folds events that were just stored in one piece and end at
// position last, so that their writer need not wait for the tail to bring them.
func (w *world) readAhead(es []*events.Event, last uint64) {
	for i, e := range es {
		e.Seq = last - uint64(len(es)-1-i)
		w.apply(e)
	}
}

// apply folds one event and looks who has waited for it.
func (w *world) apply(e *events.Event) {
	changed := w.view.Apply(e)
	for _, birth := range w.view.Entered() { // of a list all at once, with the last
		w.born(birth.Manager)
		w.counted(birth)
	}
	if !changed {
		return
	}
	switch e.Class {
	case events.Change:
		w.moved(place{e.Manager, e.Pilot})
		if e.Status.State.Final() {
			w.ended(e.Manager)
		}
	case events.Command:
	case events.OfManager, events.OfSession:
		w.owned(e)
	case events.OfResource:
		w.put(e.Resource)
	case events.Remark:
	}
}

// put takes over what the view has of a configuration.
func (w *world) put(label string) {
	if s, ok := w.view.Source(label); ok {
		w.resources.take(&s)
	}
}

// reach notes that everything up to seq is folded.
func (w *world) reach(seq uint64) {
	w.applied = max(w.applied, seq)
	w.release()
}

// release runs what has waited for this position.
func (w *world) release() {
	for len(w.later) > 0 && w.later[0].seq <= w.applied {
		l := w.later[0]
		w.later = slices.Delete(w.later, 0, 1)
		l.run(w)
	}
}

// at runs l now or once the fold has come that far.
func (w *world) at(l *later) {
	if l.seq <= w.applied {
		l.run(w)
		return
	}
	i, _ := slices.BinarySearchFunc(w.later, l.seq, func(o *later, seq uint64) int { return cmp.Compare(o.seq, seq) })
	w.later = slices.Insert(w.later, i, l)
}

func (w *world) forget(l *later) {
	w.later = slices.DeleteFunc(w.later, func(o *later) bool { return o == l })
}

// manager gives a manager, or code not_found.
func (w *world) manager(uid pilot.UID) (projection.Owner, error) {
	o, ok := w.view.Manager(uid)
	if !ok {
		return o, pilot.Errorf(pilot.NotFound, "no manager %.80q", uid)
	}
	return o, nil
}

// session gives a session, or code not_found.
func (w *world) session(uid pilot.UID) (projection.Owner, error) {
	o, ok := w.view.Session(uid)
	if !ok {
		return o, pilot.Errorf(pilot.NotFound, "no session %.80q", uid)
	}
	return o, nil
}

// pilots gives the named pilots of a manager in that order; code not_found
// names all that are unknown.
func (w *world) pilots(manager pilot.UID, uids []pilot.UID) ([]projection.Pilot, error) {
	if _, err := w.manager(manager); err != nil {
		return nil, err
	}
	return pick(w.view, manager, uids)
}

func pick(v *projection.View, manager pilot.UID, uids []pilot.UID) ([]projection.Pilot, error) {
	found := make([]projection.Pilot, 0, len(uids))
	var faults []pilot.Fault
	for i, uid := range uids {
		p, ok := v.Get(manager, uid)
		if !ok {
			faults = append(faults, pilot.Fault{Index: i, Field: "uids", Reason: "no pilot " + clip(uid)})
			continue
		}
		found = append(found, p)
	}
	if faults != nil {
		return nil, refuse(pilot.NotFound, "not known to manager "+clip(manager), faults)
	}
	return found, nil
}
