package web

import (
	"container/list"
	"slices"
	"sync"

	"github.com/flightlog/flightlog/pilot"
)

// feed is the list that all visitors look at. Rows stand in the order of their
// last change, so what a visitor lacks is what stands behind the last row it
// was given, however long ago that was.
type feed struct {
	keep int

	mu       sync.Mutex // guards what is below
	epoch    int64      // of the log; 0: none is open yet
	standing bool       // all pilots there are have been given
	pilots   map[place]*list.Element
	rows     *list.List // of *row, by Seq
	ended    int        // of rows
	horizon  uint64     // no pilot that ended at or before it is among rows
	older    map[tally]int
	waiting  chan struct{} // closed at the next change; nil: nobody waits
}

type place struct{ manager, uid pilot.UID }

// tally is what is still known of pilots that ended before the horizon.
type tally struct {
	Manager  pilot.UID `json:"manager"`
	Resource string    `json:"resource"`
	State    string    `json:"state"`
}

// older is how many of them there are.
type older struct {
	tally
	Count int `json:"count"`
}

func newFeed(keep int) *feed {
	f := &feed{keep: keep}
	f.clear()
	return f
}

func (f *feed) clear() {
	f.pilots, f.rows, f.older = map[place]*list.Element{}, list.New(), map[tally]int{}
	f.ended, f.horizon, f.standing = 0, 0, false
}

// begin forgets everything: what comes is of another log, or of the same one
// read anew.
func (f *feed) begin(epoch int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clear()
	f.epoch = epoch
	f.wake()
}

// take takes the next change of the log.
func (f *feed) take(ch *Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ch.Standing {
		f.settle()
		return
	}
	at := place{ch.Pilot.Manager, ch.Pilot.Pilot}
	r := rowOf(&ch.Pilot, ch.Seq)
	if e, known := f.pilots[at]; known {
		was := e.Value.(*row) //nolint:forcetypeassert // nothing else is in it
		r.after(was, ch.Pilot.ChangedAt)
		if r.state.Final() && !was.state.Final() {
			f.ended++
		}
		e.Value = r
		f.rows.MoveToBack(e)
	} else {
		if f.standing && ch.Pilot.State.Final() {
			return // it ended before the horizon, and something came late
		}
		f.pilots[at] = f.rows.PushBack(r)
		if r.state.Final() {
			f.ended++
		}
	}
	if f.standing {
		f.forget()
		f.wake()
	}
}

// settle puts into order what was given as it is, which came in another one.
func (f *feed) settle() {
	all := f.all(0)
	slices.SortFunc(all, func(a, b *row) int { return int(int64(a.Seq - b.Seq)) }) //nolint:gosec // far below 2⁶³
	f.rows.Init()
	for _, r := range all {
		f.pilots[place{r.Manager, r.UID}] = f.rows.PushBack(r)
	}
	f.standing = true
	f.forget()
	f.wake()
}

// forget lets go of the pilots that ended first.
func (f *feed) forget() {
	for e := f.rows.Front(); e != nil && f.ended > f.keep; {
		r, next := e.Value.(*row), e.Next() //nolint:forcetypeassert // as above
		if r.state.Final() {
			f.rows.Remove(e)
			delete(f.pilots, place{r.Manager, r.UID})
			f.older[tally{r.Manager, r.Resource, r.State}]++
			f.horizon = r.Seq
			f.ended--
		}
		e = next
	}
}

func (f *feed) wake() {
	if f.waiting != nil {
		close(f.waiting)
		f.waiting = nil
	}
}

// all gives the rows behind a position, in order.
func (f *feed) all(after uint64) []*row {
	var rows []*row
	for e := f.rows.Back(); e != nil; e = e.Prev() {
		r := e.Value.(*row) //nolint:forcetypeassert // as above
		if f.standing && r.Seq <= after {
			break
		}
		rows = append(rows, r)
	}
	slices.Reverse(rows)
	return rows
}

// news is what a visitor has not seen.
type news struct {
	epoch   int64
	rows    []*row // by Seq
	horizon uint64
	older   []older         // nil: as before
	more    <-chan struct{} // closed when there is more
}

// since gives what is new behind a position of the log of that epoch, and the
// newest horizon if it is another one than the visitor's.
func (f *feed) since(epoch int64, after, horizon uint64) news {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting == nil {
		f.waiting = make(chan struct{})
	}
	n := news{more: f.waiting, horizon: horizon}
	if !f.standing {
		return n
	}
	if n.epoch = f.epoch; epoch != f.epoch {
		after = 0
	}
	n.rows = f.all(after)
	if horizon != f.horizon || epoch != f.epoch {
		n.horizon, n.older = f.horizon, make([]older, 0, len(f.older))
		for t, count := range f.older {
			n.older = append(n.older, older{t, count})
		}
	}
	return n
}

// learn completes the marks of a row that has only what the present told.
func (f *feed) learn(at place, marks []int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, known := f.pilots[at]
	if !known || len(marks) == 0 {
		return
	}
	r := *e.Value.(*row) //nolint:forcetypeassert // as above
	if !r.Partial {
		return
	}
	last := r.Marks[len(r.Marks)-2:]
	if marks[len(marks)-2] != last[0] { // it went on while its past was read
		marks = append(slices.Clone(marks), last...)
	}
	r.Marks, r.Partial = marks, false
	e.Value = &r
}
