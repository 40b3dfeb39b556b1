package manager

import (
	"context"
	"maps"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// DefaultSession is where managers go that name no session.
const DefaultSession pilot.UID = "default"

// CreateManager makes a manager, and its session with it if that is new. Code
// closed: the session takes no more. Code conflict: the uid is taken, unless by
// the same request under the same idempotency key, which is answered again.
func (m *Manager) CreateManager(ctx context.Context, r api.CreateRequest, c Call) (api.ManagerAnswer, error) {
	if r.Session == "" {
		r.Session = DefaultSession
	}
	if err := checkCreate(&r); err != nil {
		return api.ManagerAnswer{}, err
	}
	if r.UID == "" {
		r.UID = newScopeUID("mgr", r.Session, r.IdempotencyKey)
	}
	seq, err := m.commitCreate(ctx, &r, c, func(st *state) ([]*events.Event, error) { return st.newManager(&r, c) })
	if err != nil {
		return api.ManagerAnswer{}, err
	}
	return afterCommit(ctx, m, seq, func(st *state) (api.ManagerAnswer, error) { return st.managerAnswer(r.UID) })
}

// CreateSession makes a session; codes as with CreateManager.
func (m *Manager) CreateSession(ctx context.Context, r api.CreateRequest, c Call) (api.SessionAnswer, error) {
	if r.Session != "" {
		return api.SessionAnswer{}, invalidField("session", "is for managers: a session is in none")
	}
	if err := checkCreate(&r); err != nil {
		return api.SessionAnswer{}, err
	}
	if r.UID == "" {
		r.UID = newScopeUID("ses", "", r.IdempotencyKey)
	}
	seq, err := m.commitCreate(ctx, &r, c, func(st *state) ([]*events.Event, error) { return st.newSession(&r, c) })
	if err != nil {
		return api.SessionAnswer{}, err
	}
	return afterCommit(ctx, m, seq, func(st *state) (api.SessionAnswer, error) { return st.sessionAnswer(r.UID) })
}

func checkCreate(r *api.CreateRequest) error {
	faults := pilot.ValidateLabels(r.Labels)
	if r.UID != "" && !pilot.ValidToken(r.UID) {
		faults = append(faults, pilot.FieldError{Field: "uid", Reason: pilot.TokenRule})
	}
	if r.Session != "" && !pilot.ValidToken(r.Session) {
		faults = append(faults, pilot.FieldError{Field: "session", Reason: pilot.TokenRule})
	}
	if len(r.IdempotencyKey) > maxIdempotencyKey {
		faults = append(faults, pilot.FieldError{Field: "idempotency_key", Reason: "is longer than 256 bytes"})
	}
	if faults != nil {
		return refusalOf(pilot.Invalid, "", faults)
	}
	return nil
}

func newScopeUID(kind, of, key string) pilot.UID {
	if key == "" {
		return kind + "-" + newID()
	}
	return deriveUID(kind, of, key, 0)
}

// commitCreate appends the events that plan returns; none: what was asked for exists already.
func (m *Manager) commitCreate(ctx context.Context, r *api.CreateRequest, c Call, plan func(*state) ([]*events.Event, error)) (uint64, error) {
	fields := []zap.Field{zap.String("uid", r.UID), zap.String("session", r.Session)}
	return m.commit(ctx, c, func(st *state) (decision, error) {
		es, err := plan(st)
		return decision{events: es, logText: "created", fields: fields}, err
	})
}

func (st *state) newManager(r *api.CreateRequest, c Call) ([]*events.Event, error) {
	if o, ok := st.view.Manager(r.UID); ok {
		return nil, checkRepeatedCreate(&o, r)
	}
	var es []*events.Event
	switch s, ok := st.view.Session(r.Session); {
	case !ok:
		es = append(es, newCreated(scopeRef{true, r.Session}, &api.CreateRequest{}, c))
	case s.State == events.StateClosed && r.Session == DefaultSession: // nobody made it, so it is not closed for ever
		e := newCreated(scopeRef{true, DefaultSession}, &api.CreateRequest{}, c)
		e.Prev = s.Seq
		es = append(es, e)
	case s.State != events.StateOpen:
		return nil, pilot.Errorf(pilot.Closed, "session %s is closed: it takes no more managers", r.Session)
	}
	return append(es, newCreated(scopeRef{false, r.UID}, r, c)), nil
}

func (st *state) newSession(r *api.CreateRequest, c Call) ([]*events.Event, error) {
	if o, ok := st.view.Session(r.UID); ok {
		return nil, checkRepeatedCreate(&o, r)
	}
	return []*events.Event{newCreated(scopeRef{true, r.UID}, r, c)}, nil
}

// checkRepeatedCreate is nil if o is what an earlier request with the same key has made.
func checkRepeatedCreate(o *projection.Scope, r *api.CreateRequest) error {
	switch {
	case r.IdempotencyKey == "" || o.Key != r.IdempotencyKey:
		return pilot.Errorf(pilot.Conflict, "%s exists already", r.UID)
	case o.Session != r.Session || !maps.Equal(o.Labels, r.Labels):
		return pilot.Errorf(pilot.Conflict, "the idempotency key was used for another request")
	}
	return nil
}

func newCreated(o scopeRef, r *api.CreateRequest, c Call) *events.Event {
	at := nowMillis()
	return o.newEvent(events.Created, 0, c.identity(), events.Scope{
		Session: r.Session, State: events.StateOpen, Labels: r.Labels, CreatedAt: at, Key: r.IdempotencyKey,
	})
}

// newEvent is a change of a manager or session that was last changed at prev.
func (o scopeRef) newEvent(kind events.Kind, prev uint64, by identity, after events.Scope) *events.Event {
	e := by.stampActor(&events.Event{ID: newID(), Kind: kind, Prev: prev, At: nowMillis(), Scope: &after})
	if o.isSession {
		e.Class, e.Session = events.ClassSession, o.uid
	} else {
		e.Class, e.Manager = events.ClassManager, o.uid
	}
	return e
}
