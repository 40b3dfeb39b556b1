package manager

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// finishInterval is how long what another replica left half done may lie: far
// longer than that replica needs if it lives, far shorter than people wait.
const finishInterval = 2 * time.Second

// finishClosing brings to an end what is closing, whoever began it: it looks at what
// is, never at who should have done it, so it does not matter which replica
// died where. Several replicas may do the same at once; compare-and-set lets
// one of them win.
func (m *Manager) finishClosing(ctx context.Context) {
	select {
	case <-m.ready:
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(finishInterval)
	defer tick.Stop()
	for {
		if err := m.finishPending(ctx); err != nil && ctx.Err() == nil {
			m.logger.Warn("closing goes on later", zap.Error(err))
		}
		select {
		case <-tick.C:
		case <-m.wakeFinisher:
		case <-ctx.Done():
			return
		}
	}
}

// finishPending does all there is to do now. What fails is tried again by the next one.
func (m *Manager) finishPending(ctx context.Context) error {
	tasks, err := query(ctx, m, 0, func(st *state) ([]closeTask, error) { return st.closeTasks(), nil })
	if err != nil {
		return err
	}
	by := Call{Actor: m.name}
	for _, task := range tasks {
		if task.by == (identity{}) {
			task.by = by.identity() // closed by a version that did not keep who did it
		}
		limited, stop := withCallTimeout(ctx)
		var last uint64
		if task.endsMembers {
			_, last, err = m.endMembers(limited, task.scopeRef, task.closeOptions, by)
		}
		if err == nil {
			_, err = m.finishScope(limited, task.scopeRef, by.withMinSeq(last))
		}
		stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// finishScope appends that a manager or session is CLOSED, if it is CLOSING and nothing of
// it is left.
func (m *Manager) finishScope(ctx context.Context, ref scopeRef, c Call) (uint64, error) {
	return m.commit(ctx, c, func(st *state) (decision, error) { return st.decideFinish(ref, c.identity()) })
}

func (st *state) decideFinish(o scopeRef, by identity) (decision, error) {
	h, err := st.statusOf(o)
	if err != nil || h.State != events.StateClosing || h.hasPending(h.Terminate) {
		return decision{}, err
	}
	after := h.Scope.Scope
	after.State, after.ClosedAt = events.StateClosed, nowMillis()
	return decision{
		events: []*events.Event{o.newEvent(events.Closed, h.Seq, by, after)}, logText: "closed",
		fields: []zap.Field{zap.String("uid", o.uid)},
	}, nil
}

// closeTask is something to do for an owner that closes.
type closeTask struct {
	scopeRef
	closeOptions
	endsMembers bool // pilots or managers have yet to be told
}

// closeOptions are those on which it was closed, and of whoever wanted the last of them.
func (h *scopeStatus) closeOptions() closeOptions {
	by := identity{h.EndedBy, h.EndedFor}
	if by == (identity{}) {
		by = identity{h.ClosedBy, h.ClosedFor}
	}
	return closeOptions{h.Terminate, h.Reason, by}
}

// closeTasks are what there is to do; what needs nothing any more is forgotten.
func (st *state) closeTasks() []closeTask {
	var all []closeTask
	for o := range st.closing {
		h, err := st.statusOf(o)
		if err != nil || h.State == events.StateOpen {
			delete(st.closing, o)
			continue
		}
		do := closeTask{o, h.closeOptions(), st.needsEnding(o, &h)}
		switch finished := !h.hasPending(h.Terminate); {
		case do.endsMembers || finished && h.State == events.StateClosing:
			all = append(all, do)
		case finished:
			delete(st.closing, o)
		}
	}
	return all
}

// needsEnding says whether something of an owner that closes does not know it yet.
func (st *state) needsEnding(o scopeRef, h *scopeStatus) bool {
	if !o.isSession {
		if !h.Terminate {
			return false
		}
		up := []pilot.State{pilot.PendingLaunch, pilot.Launching, pilot.PendingActive, pilot.Active}
		ps, _ := st.view.List(projection.Filter{Manager: o.uid, States: up}, 0, 1)
		return len(ps) > 0
	}
	for _, of := range st.view.Managers(o.uid) {
		its, err := st.statusOf(scopeRef{false, of.UID})
		if _, change := afterClose(&its, h.closeOptions(), time.Time{}); err == nil && change {
			return true
		}
	}
	return false
}

// onPilotEnded looks whether a manager that closes has lost its last living pilot.
func (st *state) onPilotEnded(manager pilot.UID) {
	if _, ok := st.closing[scopeRef{false, manager}]; ok && st.view.CountLive(manager) == 0 {
		st.wakeFinisher()
	}
}

// onPilotSubmitted looks whether a pilot came to a manager that was closed meanwhile.
func (st *state) onPilotSubmitted(manager pilot.UID) {
	if o, ok := st.view.Manager(manager); ok && o.State != events.StateOpen && o.Terminate {
		st.closing[scopeRef{false, manager}] = struct{}{}
	}
}

// onScopeChanged looks at a manager or session that changed.
func (st *state) onScopeChanged(e *events.Event) {
	o := scopeRef{e.Class == events.ClassSession, e.Manager}
	if o.isSession {
		o.uid = e.Session
	}
	if e.Scope.State != events.StateOpen {
		st.closing[o] = struct{}{}
	}
	if o.isSession {
		return
	}
	if s, ok := st.view.Session(e.Scope.Session); ok && s.State != events.StateOpen {
		st.closing[scopeRef{true, s.UID}] = struct{}{}
		st.wakeFinisher()
	}
}
