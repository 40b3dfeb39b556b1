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
func (m *Manager) GetManager(ctx context.Context, r api.ScopeRequest, c Call) (api.ManagerAnswer, error) {
	return readYourWrites(ctx, m, c, func(st *state) (api.ManagerAnswer, error) { return st.managerAnswer(r.UID) })
}

// GetSession answers a session, with the pilots of all its managers counted.
func (m *Manager) GetSession(ctx context.Context, r api.ScopeRequest, c Call) (api.SessionAnswer, error) {
	return readYourWrites(ctx, m, c, func(st *state) (api.SessionAnswer, error) { return st.sessionAnswer(r.UID) })
}

// ListManagers answers one page of the managers of a session, or of all, in
// order of creation.
func (m *Manager) ListManagers(ctx context.Context, r api.ScopesRequest, c Call) (api.ManagersAnswer, error) {
	if err := checkScopesRequest(&r); err != nil {
		return api.ManagersAnswer{}, err
	}
	return readYourWrites(ctx, m, c, func(st *state) (api.ManagersAnswer, error) {
		if r.Session != "" {
			if _, err := st.findSession(r.Session); err != nil {
				return api.ManagersAnswer{}, err
			}
		}
		page, next, err := scopePage(st.view.Managers(r.Session), &r)
		return api.ManagersAnswer{Managers: page, Next: next, Seq: st.applied}, err
	})
}

// ListSessions answers one page of all sessions in order of creation.
func (m *Manager) ListSessions(ctx context.Context, r api.ScopesRequest, c Call) (api.SessionsAnswer, error) {
	if err := checkScopesRequest(&r); err != nil {
		return api.SessionsAnswer{}, err
	}
	if r.Session != "" {
		return api.SessionsAnswer{}, invalidField("session", "is for managers: a session is in none")
	}
	return readYourWrites(ctx, m, c, func(st *state) (api.SessionsAnswer, error) {
		page, next, err := scopePage(st.view.Sessions(), &r)
		return api.SessionsAnswer{Sessions: page, Next: next, Seq: st.applied}, err
	})
}

func checkScopesRequest(r *api.ScopesRequest) error {
	if r.Limit < 0 {
		return invalidField("limit", "must not be negative")
	}
	switch r.State {
	case "", events.StateOpen, events.StateClosing, events.StateClosed:
		return nil
	}
	return invalidField("state", "%.40q is none of OPEN, CLOSING, CLOSED", r.State)
}

// scopePage gives those of all that match, from the one behind r.After on, and
// the uid of the last one if there are more.
func scopePage(all []projection.Scope, r *api.ScopesRequest) (page []api.Manager, next string, err error) {
	if r.After != "" {
		at := slices.IndexFunc(all, func(o projection.Scope) bool { return o.UID == r.After })
		if at < 0 {
			return nil, "", invalidField("after", "is not what an answer gave as next")
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
		size += 350 + mapSize(all[i].Labels) + textSize(all[i].Reason) + textSize(all[i].ClosedBy) + textSize(all[i].ClosedFor)
		if len(page) == limit || size > maxAnswer && len(page) > 0 {
			return page, page[len(page)-1].UID, nil
		}
		page = append(page, showScope(&all[i]))
	}
	return page, "", nil
}

// showScope is an owner as users see it, without counts.
func showScope(o *projection.Scope) api.Manager {
	out := api.Manager{
		UID: o.UID, Session: o.Session, State: o.State, CreatedAt: o.CreatedAt,
		ClosedBy: o.ClosedBy, ClosedFor: o.ClosedFor, Labels: o.Labels, Reason: o.Reason, Seq: o.Seq,
	}
	if at := o.ClosedAt; !at.IsZero() {
		out.ClosedAt = &at
	}
	return out
}

func (st *state) managerAnswer(uid pilot.UID) (api.ManagerAnswer, error) {
	o, err := st.findManager(uid)
	if err != nil {
		return api.ManagerAnswer{}, err
	}
	shown := showScope(&o)
	shown.Pilots = map[string]int{}
	st.addCounts(uid, shown.Pilots)
	return api.ManagerAnswer{Manager: shown, Seq: st.applied}, nil
}

func (st *state) sessionAnswer(uid pilot.UID) (api.SessionAnswer, error) {
	o, err := st.findSession(uid)
	if err != nil {
		return api.SessionAnswer{}, err
	}
	shown := showScope(&o)
	shown.Pilots = map[string]int{}
	for _, of := range st.view.Managers(uid) {
		st.addCounts(of.UID, shown.Pilots)
	}
	return api.SessionAnswer{Session: shown, Seq: st.applied}, nil
}

// addCounts adds up a manager's pilots by the state that users see.
func (st *state) addCounts(manager pilot.UID, into map[string]int) {
	for state, n := range st.view.CountsOf(manager) {
		into[state.String()] += n
	}
}
