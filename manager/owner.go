package manager

import (
	"context"
	"slices"

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

// ListManagers answers one page of the managers of a session, or of all, in
// order of creation.
func (m *Manager) ListManagers(ctx context.Context, r api.OwnersRequest, c Call) (api.ManagersAnswer, error) {
	if err := checkOwners(&r); err != nil {
		return api.ManagersAnswer{}, err
	}
	return current(ctx, m, c, func(w *world) (api.ManagersAnswer, error) {
		if r.Session != "" {
			if _, err := w.session(r.Session); err != nil {
				return api.ManagersAnswer{}, err
			}
		}
		page, next, err := ownerPage(w.view.Managers(r.Session), &r)
		return api.ManagersAnswer{Managers: page, Next: next, Seq: w.applied}, err
	})
}

// ListSessions answers one page of all sessions in order of creation.
func (m *Manager) ListSessions(ctx context.Context, r api.OwnersRequest, c Call) (api.SessionsAnswer, error) {
	if err := checkOwners(&r); err != nil {
		return api.SessionsAnswer{}, err
	}
	if r.Session != "" {
		return api.SessionsAnswer{}, fault("session", "is for managers: a session is in none")
	}
	return current(ctx, m, c, func(w *world) (api.SessionsAnswer, error) {
		page, next, err := ownerPage(w.view.Sessions(), &r)
		return api.SessionsAnswer{Sessions: page, Next: next, Seq: w.applied}, err
	})
}

func checkOwners(r *api.OwnersRequest) error {
	if r.Limit < 0 {
		return fault("limit", "must not be negative")
	}
	switch r.State {
	case "", events.StateOpen, events.StateClosing, events.StateClosed:
		return nil
	}
	return fault("state", "%.40q is none of OPEN, CLOSING, CLOSED", r.State)
}

// ownerPage gives those of all that match, from the one behind r.After on, and
// the uid of the last one if there are more.
func ownerPage(all []projection.Owner, r *api.OwnersRequest) (page []api.Manager, next string, err error) {
	if r.After != "" {
		at := slices.IndexFunc(all, func(o projection.Owner) bool { return o.UID == r.After })
		if at < 0 {
			return nil, "", fault("after", "is not what an answer gave as next")
		}
		all = all[at+1:]
	}
	limit := r.Limit
	if limit == 0 || limit > api.MaxItems {
		limit = api.MaxItems
	}
	page, size := []api.Manager{}, 0
	for i := range all {
		if r.State != "" && all[i].State != r.State {
			continue
		}
		size += 350 + texts(all[i].Labels) + text(all[i].Reason) + text(all[i].ClosedBy) + text(all[i].ClosedFor)
		if len(page) == limit || size > maxAnswer && len(page) > 0 {
			return page, page[len(page)-1].UID, nil
		}
		page = append(page, show(&all[i]))
	}
	return page, "", nil
}

// show is an owner as users see it, without counts.
func show(o *projection.Owner) api.Manager {
	out := api.Manager{
		UID: o.UID, Session: o.Session, State: o.State, CreatedAt: o.CreatedAt,
		ClosedBy: o.ClosedBy, ClosedFor: o.ClosedFor, Labels: o.Labels, Reason: o.Reason, Seq: o.Seq,
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
