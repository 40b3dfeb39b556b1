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
	return m.closeScope(ctx, scopeRef{false, r.UID}, &r, c)
}

// CloseSession closes a session's managers likewise, and takes no new ones.
func (m *Manager) CloseSession(ctx context.Context, r api.CloseRequest, c Call) (api.CloseAnswer, error) {
	return m.closeScope(ctx, scopeRef{true, r.UID}, &r, c)
}

func (m *Manager) closeScope(ctx context.Context, o scopeRef, r *api.CloseRequest, c Call) (api.CloseAnswer, error) {
	if len(r.Reason) > maxReason {
		return api.CloseAnswer{}, invalidField("reason", "is longer than %d bytes", maxReason)
	}
	ctx, stop := withCallTimeout(ctx)
	defer stop()
	t := closeOptions{r.Terminate, r.Reason, c.identity()}
	seq, err := m.appendClose(ctx, o, t, c)
	if err != nil {
		return api.CloseAnswer{}, err
	}
	ended, last, err := m.endMembers(ctx, o, t, c.withMinSeq(seq))
	if err != nil {
		return api.CloseAnswer{}, err
	}
	done, err := m.finishScope(ctx, o, c.withMinSeq(seq, last))
	if err != nil {
		return api.CloseAnswer{}, err
	}
	return afterCommit(ctx, m, max(seq, last, done, c.MinSeq), func(st *state) (api.CloseAnswer, error) {
		return st.closeAnswer(o, ended)
	})
}

func (st *state) closeAnswer(o scopeRef, ended []pilot.UID) (api.CloseAnswer, error) {
	answer := api.CloseAnswer{Canceling: ended, Seq: st.applied}
	if o.isSession {
		s, err := st.sessionAnswer(o.uid)
		answer.Session = &s.Session
		return answer, err
	}
	of, err := st.managerAnswer(o.uid)
	answer.Manager = &of.Manager
	return answer, err
}

// closeOptions are how something is to be closed.
type closeOptions struct {
	terminate bool
	reason    string
	by        identity // who wants it closed, also where another replica finishes it
}

// appendClose appends that o closes and returns the position of that; 0: it does so already.
func (m *Manager) appendClose(ctx context.Context, o scopeRef, t closeOptions, c Call) (uint64, error) {
	return m.commit(ctx, c, func(st *state) (decision, error) { return st.decideClose(o, t, c.identity()) })
}

// decideClose returns the event by which o closes with these options, or none if it does
// so already.
func (st *state) decideClose(o scopeRef, t closeOptions, by identity) (decision, error) {
	at, err := st.statusOf(o)
	if err != nil {
		return decision{}, err
	}
	after, ok := afterClose(&at, t, nowMillis())
	if !ok {
		return decision{}, nil
	}
	kind := events.Closed
	if after.State == events.StateClosing {
		kind = events.Closing
	}
	return decision{
		events: []*events.Event{o.newEvent(kind, at.Seq, by, after)}, logText: "closes",
		fields: []zap.Field{zap.String("uid", o.uid), zap.String("state", string(after.State))},
	}, nil
}

// scopeStatus is an owner and what it still has.
type scopeStatus struct {
	projection.Scope
	hasOpenManagers bool // a session has managers that are not CLOSED
	hasLivePilots   bool // pilots live
}

func (h *scopeStatus) hasPending(terminate bool) bool {
	return h.hasOpenManagers || terminate && h.hasLivePilots
}

func (st *state) statusOf(o scopeRef) (h scopeStatus, err error) {
	if !o.isSession {
		h.Scope, err = st.findManager(o.uid)
		h.hasLivePilots = st.view.CountLive(o.uid) > 0
		return h, err
	}
	h.Scope, err = st.findSession(o.uid)
	for _, of := range st.view.Managers(o.uid) {
		h.hasOpenManagers = h.hasOpenManagers || of.State != events.StateClosed
		h.hasLivePilots = h.hasLivePilots || st.view.CountLive(of.UID) > 0
	}
	return h, err
}

// afterClose is the owner after somebody closed it on those terms; false: it stays
// as it is. What closed without Terminate may get it later.
func afterClose(h *scopeStatus, t closeOptions, at time.Time) (events.Scope, bool) {
	o, pending := h.Scope.Scope, h.hasPending(t.terminate)
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

// endMembers does what is left to do for an owner that closes: a session's managers
// are shut, a manager's pilots asked to end. ended are pilots that live.
func (m *Manager) endMembers(ctx context.Context, o scopeRef, t closeOptions, c Call) (ended []pilot.UID, last uint64, err error) {
	if !o.isSession {
		return m.cancelPilotsOf(ctx, o.uid, t, c)
	}
	ended = []pilot.UID{}
	of, err := readYourWrites(ctx, m, c, func(st *state) ([]projection.Scope, error) { return st.view.Managers(o.uid), nil })
	for i := range of {
		next := scopeRef{false, of[i].UID}
		seq, err := m.appendClose(ctx, next, t, c)
		if err != nil {
			return nil, 0, err
		}
		more, to, err := m.cancelPilotsOf(ctx, next.uid, t, c.withMinSeq(seq))
		if err != nil {
			return nil, 0, err
		}
		last = max(last, seq, to)
		ended = append(ended, more[:min(len(more), maxUIDs-len(ended))]...)
	}
	return ended, last, err
}

func (m *Manager) cancelPilotsOf(ctx context.Context, manager pilot.UID, t closeOptions, c Call) ([]pilot.UID, uint64, error) {
	if !t.terminate {
		return []pilot.UID{}, 0, nil
	}
	reason := t.reason
	if reason == "" {
		reason = "its manager was closed"
	}
	return m.cancelAll(ctx, manager, &cancelIntent{by: t.by, writer: c.identity(), reason: reason, at: nowMillis()}, c)
}
