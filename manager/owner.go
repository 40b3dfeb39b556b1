package manager

import (
	"context"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// GetManager answers a manager, with the number of its pilots in each state.
func (m *Manager) GetManager(ctx context.Context, r api.OwnerRequest, c Call) (api.ManagerAnswer, error) {
	return current(ctx, m, c, func(w *world) (api.ManagerAnswer, error) { return w.managerAnswer(r.UID) })
}

// GetSession answers a session, with the pilots of all its managers counted.
func (m *Manager) GetSession(ctx context.Context, r api.OwnerRequest, c Call) (api.SessionAnswer, error) {
	return current(ctx, m, c, func(w *world) (api.SessionAnswer, error) { return w.sessionAnswer(r.UID) })
}

// ListManagers answers the managers of a session, or all, in order of creation.
func (m *Manager) ListManagers(ctx context.Context, r api.OwnersRequest, c Call) (api.ManagersAnswer, error) {
	if err := checkOwnerState(r.State); err != nil {
		return api.ManagersAnswer{}, err
	}
	return current(ctx, m, c, func(w *world) (api.ManagersAnswer, error) {
		if r.Session != "" {
			if _, err := w.session(r.Session); err != nil {
				return api.ManagersAnswer{}, err
			}
		}
		return api.ManagersAnswer{Managers: inState(w.view.Managers(r.Session), r.State), Seq: w.applied}, nil
	})
}

// ListSessions answers all sessions in order of creation.
func (m *Manager) ListSessions(ctx context.Context, r api.OwnersRequest, c Call) (api.SessionsAnswer, error) {
	if err := checkOwnerState(r.State); err != nil {
		return api.SessionsAnswer{}, err
	}
	if r.Session != "" {
		return api.SessionsAnswer{}, fault("session", "is for managers: a session is in none")
	}
	return current(ctx, m, c, func(w *world) (api.SessionsAnswer, error) {
		return api.SessionsAnswer{Sessions: inState(w.view.Sessions(), r.State), Seq: w.applied}, nil
	})
}

func checkOwnerState(s events.OwnerState) error {
	switch s {
	case "", events.StateOpen, events.StateClosing, events.StateClosed:
		return nil
	}
	return fault("state", "%.40q is none of OPEN, CLOSING, CLOSED", s)
}

func inState(all []projection.Owner, s events.OwnerState) []api.Manager {
	shown := make([]api.Manager, 0, len(all))
	for i := range all {
		if s == "" || all[i].State == s {
			shown = append(shown, show(&all[i]))
		}
	}
	return shown
}

// show is an owner as users see it, without counts.
func show(o *projection.Owner) api.Manager {
	out := api.Manager{
		UID: o.UID, Session: o.Session, State: o.State, CreatedAt: o.CreatedAt,
		Labels: o.Labels, Reason: o.Reason, Seq: o.Seq,
	}
	if at := o.ClosedAt; !at.IsZero() {
		out.ClosedAt = &at
	}
	return out
}

func (w *world) managerAnswer(uid pilot.UID) (api.ManagerAnswer, error) {
	o, err := w.manager(uid)
	if err != nil {
		return api.ManagerAnswer{}, err
	}
	shown := show(&o)
	shown.Pilots = map[string]int{}
	w.count(uid, shown.Pilots)
	return api.ManagerAnswer{Manager: shown, Seq: w.applied}, nil
}

func (w *world) sessionAnswer(uid pilot.UID) (api.SessionAnswer, error) {
	o, err := w.session(uid)
	if err != nil {
		return api.SessionAnswer{}, err
	}
	shown := show(&o)
	shown.Pilots = map[string]int{}
	for _, of := range w.view.Managers(uid) {
		w.count(of.UID, shown.Pilots)
	}
	return api.SessionAnswer{Session: shown, Seq: w.applied}, nil
}

// count adds up a manager's pilots by the state that users see.
func (w *world) count(manager pilot.UID, into map[string]int) {
	for state, n := range w.view.CountsOf(manager) {
		into[state.String()] += n
	}
}
