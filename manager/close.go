package manager

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// CloseManager ends the taking of pilots. Without Terminate its pilots live on.
// With it they are asked to end, and are answered (at most 7000 of them); the
// manager is CLOSING until they have. Closing again changes nothing, but that
// Terminate may be added later.
func (m *Manager) CloseManager(ctx context.Context, r api.CloseRequest, c Call) (api.CloseAnswer, error) {
	return m.close(ctx, owner{false, r.UID}, &r, c)
}

// CloseSession closes a session's managers likewise, and takes no new ones.
func (m *Manager) CloseSession(ctx context.Context, r api.CloseRequest, c Call) (api.CloseAnswer, error) {
	return m.close(ctx, owner{true, r.UID}, &r, c)
}

func (m *Manager) close(ctx context.Context, o owner, r *api.CloseRequest, c Call) (api.CloseAnswer, error) {
	if len(r.Reason) > maxReason {
		return api.CloseAnswer{}, fault("reason", "is longer than %d bytes", maxReason)
	}
	ctx, stop := bounded(ctx)
	defer stop()
	t := terms{r.Terminate, r.Reason, c.who()}
	seq, err := m.shut(ctx, o, t, c)
	if err != nil {
		return api.CloseAnswer{}, err
	}
	ended, last, err := m.end(ctx, o, t, c.at(seq))
	if err != nil {
		return api.CloseAnswer{}, err
	}
	done, err := m.finishOne(ctx, o, c.at(seq, last))
	if err != nil {
		return api.CloseAnswer{}, err
	}
	return written(ctx, m, max(seq, last, done, c.MinSeq), func(w *world) (api.CloseAnswer, error) {
		return w.closeAnswer(o, ended)
	})
}

func (w *world) closeAnswer(o owner, ended []pilot.UID) (api.CloseAnswer, error) {
	answer := api.CloseAnswer{Canceling: ended, Seq: w.applied}
	if o.session {
		s, err := w.sessionAnswer(o.uid)
		answer.Session = &s.Session
		return answer, err
	}
	of, err := w.managerAnswer(o.uid)
	answer.Manager = &of.Manager
	return answer, err
}

// terms are how something is to be closed.
type terms struct {
	terminate bool
	reason    string
	by        who // who wants it closed, also where another replica finishes it
}

// shut writes down that o closes, unless it does so already; the position is 0
// then.
func (m *Manager) shut(ctx context.Context, o owner, t terms, c Call) (uint64, error) {
	for try := 0; ; try++ {
		e, err := current(ctx, m, c, func(w *world) (*events.Event, error) { return w.closing(o, t, c.who()) })
		if err != nil || e == nil {
			return 0, err
		}
		seq, err := m.append(ctx, e)
		if err == nil {
			m.logger.Info("closes", zap.String("uid", o.uid), zap.String("state", string(e.Owner.State)), zap.Uint64("seq", seq))
		}
		if pilot.CodeOf(err) != pilot.Conflict || try == tries {
			return seq, err
		}
		if err := m.yield(ctx, try, e); err != nil {
			return 0, err
		}
	}
}

// closing is the event by which o closes on those terms; nil: none is needed.
func (w *world) closing(o owner, t terms, by who) (*events.Event, error) {
	at, err := w.hold(o)
	if err != nil {
		return nil, err
	}
	after, ok := closed(&at, t, now())
	if !ok {
		return nil, nil //nolint:nilnil // nothing to do is an answer
	}
	kind := events.Closed
	if after.State == events.StateClosing {
		kind = events.Closing
	}
	return o.event(kind, at.Seq, by, after), nil
}

// holding is an owner and what it still has.
type holding struct {
	projection.Owner
	open bool // a session has managers that are not CLOSED
	live bool // pilots live
}

func (h *holding) pending(terminate bool) bool { return h.open || terminate && h.live }

func (w *world) hold(o owner) (h holding, err error) {
	if !o.session {
		h.Owner, err = w.manager(o.uid)
		h.live = w.view.Live(o.uid) > 0
		return h, err
	}
	h.Owner, err = w.session(o.uid)
	for _, of := range w.view.Managers(o.uid) {
		h.open = h.open || of.State != events.StateClosed
		h.live = h.live || w.view.Live(of.UID) > 0
	}
	return h, err
}

// closed is the owner after somebody closed it on those terms; false: it stays
// as it is. What closed without Terminate may get it later.
func closed(h *holding, t terms, at time.Time) (events.Owner, bool) {
	o, pending := h.Owner.Owner, h.pending(t.terminate)
	again := o.State != events.StateOpen
	if again && (o.Terminate || !t.terminate || !pending) {
		return o, false
	}
	o.Terminate = t.terminate
	if again {
		o.EndedBy, o.EndedFor = t.by.actor, t.by.onBehalfOf
	} else {
		o.ClosedBy, o.ClosedFor = t.by.actor, t.by.onBehalfOf
	}
	if t.reason != "" {
		o.Reason = t.reason
	}
	switch {
	case o.State == events.StateClosed:
	case pending:
		o.State = events.StateClosing
	default:
		o.State, o.ClosedAt = events.StateClosed, at
	}
	return o, true
}

// end does what is left to do for an owner that closes: a session's managers
// are shut, a manager's pilots asked to end. ended are pilots that live.
func (m *Manager) end(ctx context.Context, o owner, t terms, c Call) (ended []pilot.UID, last uint64, err error) {
	if !o.session {
		return m.endPilots(ctx, o.uid, t, c)
	}
	ended = []pilot.UID{}
	of, err := current(ctx, m, c, func(w *world) ([]projection.Owner, error) { return w.view.Managers(o.uid), nil })
	for i := range of {
		next := owner{false, of[i].UID}
		seq, err := m.shut(ctx, next, t, c)
		if err != nil {
			return nil, 0, err
		}
		more, to, err := m.endPilots(ctx, next.uid, t, c.at(seq))
		if err != nil {
			return nil, 0, err
		}
		last = max(last, seq, to)
		ended = append(ended, more[:min(len(more), maxNames-len(ended))]...)
	}
	return ended, last, err
}

func (m *Manager) endPilots(ctx context.Context, manager pilot.UID, t terms, c Call) ([]pilot.UID, uint64, error) {
	if !t.terminate {
		return []pilot.UID{}, 0, nil
	}
	reason := t.reason
	if reason == "" {
		reason = "its manager was closed"
	}
	return m.cancelAll(ctx, manager, &wish{by: t.by, hand: c.who(), reason: reason, at: now()}, c)
}
