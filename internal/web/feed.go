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
	maxEnded int

	mu       sync.Mutex // guards what is below
	epoch    int64      // of the log; 0: none is open yet
	caughtUp bool       // all pilots there are have been given
	pilots   map[pilotRef]*list.Element
	rows     *list.List // of *row, by Seq
	ended    int        // of rows
	horizon  uint64     // no pilot that ended at or before it is among rows
	older    map[tally]int
	waiting  chan struct{} // closed at the next change; nil: nobody waits
}

type pilotRef struct{ manager, uid pilot.UID }

// tally is what is still known of pilots that ended before the horizon.
type tally struct {
	Manager  pilot.UID `json:"manager"`
	Resource string    `json:"resource"`
	State    string    `json:"state"`
}

// tallyCount is how many of them there are.
type tallyCount struct {
	tally
	Count int `json:"count"`
}

func newFeed(keep int) *feed {
	f := &feed{maxEnded: keep}
	f.reset()
	return f
}

func (f *feed) reset() {
	f.pilots, f.rows, f.older = map[pilotRef]*list.Element{}, list.New(), map[tally]int{}
	f.ended, f.horizon, f.caughtUp = 0, 0, false
}

// beginEpoch forgets everything: what comes is of another log, or of the same one
// read anew.
func (f *feed) beginEpoch(epoch int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reset()
	f.epoch = epoch
	f.wakeVisitors()
}

// applyChange takes the next change of the log.
func (f *feed) applyChange(ch *Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ch.CaughtUp {
		f.sortPresent()
		return
	}
	at := pilotRef{ch.Pilot.Manager, ch.Pilot.Pilot}
	r := rowOf(&ch.Pilot, ch.Seq)
	if e, known := f.pilots[at]; known {
		was := e.Value.(*row) //nolint:forcetypeassert // nothing else is in it
		r.continueFrom(was, ch.Pilot.ChangedAt)
		if r.state.Final() && !was.state.Final() {
			f.ended++
		}
		e.Value = r
		f.rows.MoveToBack(e)
	} else {
		if f.caughtUp && ch.Pilot.State.Final() {
			return // it ended before the horizon, and something came late
		}
		f.pilots[at] = f.rows.PushBack(r)
		if r.state.Final() {
			f.ended++
		}
	}
	if f.caughtUp {
		f.forgetEnded()
		f.wakeVisitors()
	}
}

// sortPresent puts into order what was given as it is, which came in another one.
func (f *feed) sortPresent() {
	all := f.rowsAfter(0)
	slices.SortFunc(all, func(a, b *row) int { return int(int64(a.Seq - b.Seq)) }) //nolint:gosec // far below 2⁶³
	f.rows.Init()
	for _, r := range all {
		f.pilots[pilotRef{r.Manager, r.UID}] = f.rows.PushBack(r)
	}
	f.caughtUp = true
	f.forgetEnded()
	f.wakeVisitors()
}

// forgetEnded lets go of the pilots that ended first.
func (f *feed) forgetEnded() {
	for e := f.rows.Front(); e != nil && f.ended > f.maxEnded; {
		r, next := e.Value.(*row), e.Next() //nolint:forcetypeassert // as above
		if r.state.Final() {
			f.rows.Remove(e)
			delete(f.pilots, pilotRef{r.Manager, r.UID})
			f.older[tally{r.Manager, r.Resource, r.State}]++
			f.horizon = r.Seq
			f.ended--
		}
		e = next
	}
}

func (f *feed) wakeVisitors() {
	if f.waiting != nil {
		close(f.waiting)
		f.waiting = nil
	}
}

// rowsAfter gives the rows behind a position, in order.
func (f *feed) rowsAfter(after uint64) []*row {
	var rows []*row
	for e := f.rows.Back(); e != nil; e = e.Prev() {
		r := e.Value.(*row) //nolint:forcetypeassert // as above
		if f.caughtUp && r.Seq <= after {
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
	older   []tallyCount    // nil: as before
	more    <-chan struct{} // closed when there is more
}

// newsSince gives what is new behind a position of the log of that epoch, and the
// newest horizon if it is another one than the visitor's.
func (f *feed) newsSince(epoch int64, after, horizon uint64) news {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting == nil {
		f.waiting = make(chan struct{})
	}
	n := news{more: f.waiting, horizon: horizon}
	if !f.caughtUp {
		return n
	}
	if n.epoch = f.epoch; epoch != f.epoch {
		after = 0
	}
	n.rows = f.rowsAfter(after)
	if horizon != f.horizon || epoch != f.epoch {
		n.horizon, n.older = f.horizon, make([]tallyCount, 0, len(f.older))
		for t, count := range f.older {
			n.older = append(n.older, tallyCount{t, count})
		}
	}
	return n
}

// completeMarks completes the marks of a row that has only what the present told.
func (f *feed) completeMarks(at pilotRef, marks []int64) {
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
