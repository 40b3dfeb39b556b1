package projection

import (
	"cmp"
	"maps"
	"slices"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// partialList is a list of births of which the log, as far as it was read, has only a
// part. Its births wait: until all are there, none of them is a pilot.
type partialList struct {
	size    int
	indices map[int]struct{} // the indices that came, also of births that wait no more
	parts   map[pilot.Key]*events.Event
	last    uint64 // position of the last birth that came
}

// Part is a birth that waits for the others of its list.
type Part struct {
	pilot.Key
	Seq  uint64 // position of the birth: what stands in its place must expect it
	Last uint64 // position of the last birth of the list: behind it a whole list goes on at once
}

// addToList takes a birth of a list that is not whole yet, and gives the births that are
// whole with it, in log order; nil: others are missing.
func (v *View) addToList(e *events.Event) []*events.Event {
	in := e.Submission.List
	l, ok := v.lists[in.ID]
	if !ok {
		l = &partialList{size: in.Size, indices: map[int]struct{}{}, parts: map[pilot.Key]*events.Event{}}
		v.lists[in.ID] = l
	}
	if in.Index >= 0 && in.Index < in.Size && in.Size == l.size {
		l.indices[in.Index] = struct{}{}
	}
	l.last = max(l.last, e.Seq)
	kept := *e
	l.parts[e.Key] = &kept
	v.addWaiting(&kept)
	if len(l.indices) < l.size {
		return nil
	}
	return v.completeList(in.ID)
}

// addWaiting has a birth found by its pilot's name while it waits.
func (v *View) addWaiting(e *events.Event) {
	key := pilotID{e.Manager, e.Pilot}
	v.waiting[key] = append(v.waiting[key], e)
}

// completeList lets the births of a list wait no longer.
func (v *View) completeList(name string) []*events.Event {
	l, ok := v.lists[name]
	if !ok {
		return nil
	}
	whole := slices.SortedFunc(maps.Values(l.parts), func(a, b *events.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, e := range whole {
		v.removeWaiting(e)
	}
	delete(v.lists, name)
	return whole
}

// removeWaiting has a birth wait no longer. Its list goes on without it.
func (v *View) removeWaiting(e *events.Event) {
	key := pilotID{e.Manager, e.Pilot}
	rest := slices.DeleteFunc(v.waiting[key], func(p *events.Event) bool { return p == e })
	if v.waiting[key] = rest; len(rest) == 0 {
		delete(v.waiting, key)
	}
	delete(v.lists[e.Submission.List.ID].parts, e.Key)
}

// replaceWaiting forgets a birth in whose place another stands, so that its list never
// becomes whole.
func (v *View) replaceWaiting(e *events.Event) {
	v.removeWaiting(e)
	if name := e.Submission.List.ID; len(v.lists[name].parts) == 0 {
		delete(v.lists, name)
	}
}

// waitingOn gives the birth of a pilot that waits on its subject; nil: none does.
func (v *View) waitingOn(key pilot.Key) *events.Event {
	for _, e := range v.waiting[pilotID{key.Manager, key.Pilot}] {
		if e.Key == key {
			return e
		}
	}
	return nil
}

// FindPart gives a birth of that pilot which waits for others of its list, the one under
// that resource before those under others; false: there is none.
func (v *View) FindPart(key pilot.Key) (Part, bool) {
	e := v.waitingOn(key)
	if others := v.waiting[pilotID{key.Manager, key.Pilot}]; e == nil && len(others) > 0 {
		e = others[len(others)-1]
	}
	if e == nil {
		return Part{}, false
	}
	return Part{e.Key, e.Seq, v.lists[e.Submission.List.ID].last}, true
}

// CountTorn counts the lists of which the log, up to position applied, has a part and will
// never have the rest, and the births in them. It is meant for who reads all of the log.
func (v *View) CountTorn(applied uint64) (lists, submissions int) {
	for _, l := range v.lists {
		if l.last < applied && len(l.parts) > 0 {
			lists, submissions = lists+1, submissions+len(l.parts)
		}
	}
	return lists, submissions
}

// CompleteList says of a list that all of it is in the log, for a reader who sees but a part
// of the log. The births of it that wait are entered.
func (v *View) CompleteList(name string) []*events.Event {
	v.entered = v.entered[:0]
	v.enterAll(v.completeList(name))
	return v.entered
}

// Entered gives the births, in log order, that became pilots by the last Fold,
// Apply or CompleteList. It is for reading, and good until the next of these.
func (v *View) Entered() []*events.Event { return v.entered }
