package manager

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// sweepEvery is how long what another replica left half done may lie: far
// longer than that replica needs if it lives, far shorter than people wait.
const sweepEvery = 2 * time.Second

// finish brings to an end what is closing, whoever began it: it looks at what
// is, never at who should have done it, so it does not matter which replica
// died where. Several replicas may do the same at once; compare-and-set lets
// one of them win.
func (m *Manager) finish(ctx context.Context) {
	select {
	case <-m.ready:
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := m.sweep(ctx); err != nil && ctx.Err() == nil {
			m.logger.Warn("closing goes on later", zap.Error(err))
		}
		select {
		case <-tick.C:
		case <-m.wake:
		case <-ctx.Done():
			return
		}
	}
}

// sweep does all there is to do now. What fails is tried again by the next one.
func (m *Manager) sweep(ctx context.Context) error {
	chores, err := look(ctx, m, 0, func(w *world) ([]chore, error) { return w.chores(), nil })
	if err != nil {
		return err
	}
	by := Call{Actor: m.name}
	for _, do := range chores {
		if do.by == (who{}) {
			do.by = by.who() // closed by a version that did not keep who did it
		}
		limited, stop := bounded(ctx)
		var last uint64
		if do.end {
			_, last, err = m.end(limited, do.owner, do.terms, by)
		}
		if err == nil {
			_, err = m.finishOne(limited, do.owner, by.at(last))
		}
		stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// finishOne writes down that o is CLOSED, if it is CLOSING and nothing is left.
func (m *Manager) finishOne(ctx context.Context, o owner, c Call) (uint64, error) {
	for try := 0; ; try++ {
		e, err := current(ctx, m, c, func(w *world) (*events.Event, error) { return w.finishing(o, c.who()) })
		if err != nil || e == nil {
			return 0, err
		}
		seq, err := m.append(ctx, e)
		if err == nil {
			m.logger.Info("closed", zap.String("uid", o.uid), zap.Uint64("seq", seq))
		}
		if pilot.CodeOf(err) != pilot.Conflict || try == tries {
			return seq, err
		}
		if err := m.yield(ctx, try, e); err != nil {
			return 0, err
		}
	}
}

func (w *world) finishing(o owner, by who) (*events.Event, error) {
	h, err := w.hold(o)
	if err != nil || h.State != events.StateClosing || h.pending(h.Terminate) {
		return nil, err
	}
	after := h.Owner.Owner
	after.State, after.ClosedAt = events.StateClosed, now()
	return o.event(events.Closed, h.Seq, by, after), nil
}

// chore is something to do for an owner that closes.
type chore struct {
	owner
	terms
	end bool // pilots or managers have yet to be told
}

// terms are those on which it was closed, and of whoever wanted the last of them.
func (h *holding) terms() terms {
	by := who{h.EndedBy, h.EndedFor}
	if by == (who{}) {
		by = who{h.ClosedBy, h.ClosedFor}
	}
	return terms{h.Terminate, h.Reason, by}
}

// chores are what there is to do; what needs nothing any more is forgotten.
func (w *world) chores() []chore {
	var all []chore
	for o := range w.ending {
		h, err := w.hold(o)
		if err != nil || h.State == events.StateOpen {
			delete(w.ending, o)
			continue
		}
		do := chore{o, h.terms(), w.untold(o, &h)}
		switch finished := !h.pending(h.Terminate); {
		case do.end || finished && h.State == events.StateClosing:
			all = append(all, do)
		case finished:
			delete(w.ending, o)
		}
	}
	return all
}

// untold says whether something of an owner that closes does not know it yet.
func (w *world) untold(o owner, h *holding) bool {
	if !o.session {
		if !h.Terminate {
			return false
		}
		up := []pilot.State{pilot.PendingLaunch, pilot.Launching, pilot.PendingActive, pilot.Active}
		ps, _ := w.view.List(projection.Filter{Manager: o.uid, States: up}, 0, 1)
		return len(ps) > 0
	}
	for _, of := range w.view.Managers(o.uid) {
		its, err := w.hold(owner{false, of.UID})
		if _, change := closed(&its, h.terms(), time.Time{}); err == nil && change {
			return true
		}
	}
	return false
}

// ended looks whether a manager that closes has lost its last living pilot.
func (w *world) ended(manager pilot.UID) {
	if _, ok := w.ending[owner{false, manager}]; ok && w.view.Live(manager) == 0 {
		w.wake()
	}
}

// born looks whether a pilot came to a manager that was closed meanwhile.
func (w *world) born(manager pilot.UID) {
	if o, ok := w.view.Manager(manager); ok && o.State != events.StateOpen && o.Terminate {
		w.ending[owner{false, manager}] = struct{}{}
	}
}

// owned looks at a manager or session that changed.
func (w *world) owned(e *events.Event) {
	o := owner{e.Class == events.OfSession, e.Manager}
	if o.session {
		o.uid = e.Session
	}
	if e.Owner.State != events.StateOpen {
		w.ending[o] = struct{}{}
	}
	if o.session {
		return
	}
	if s, ok := w.view.Session(e.Owner.Session); ok && s.State != events.StateOpen {
		w.ending[owner{true, s.UID}] = struct{}{}
		w.wake()
	}
}
