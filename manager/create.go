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
		r.UID = ownerUID("mgr", r.Session, r.IdempotencyKey)
	}
	seq, err := m.create(ctx, &r, c, func(w *world) ([]*events.Event, error) { return w.newManager(&r, c) })
	if err != nil {
		return api.ManagerAnswer{}, err
	}
	return written(ctx, m, seq, func(w *world) (api.ManagerAnswer, error) { return w.managerAnswer(r.UID) })
}

// CreateSession makes a session; codes as with CreateManager.
func (m *Manager) CreateSession(ctx context.Context, r api.CreateRequest, c Call) (api.SessionAnswer, error) {
	if r.Session != "" {
		return api.SessionAnswer{}, fault("session", "is for managers: a session is in none")
	}
	if err := checkCreate(&r); err != nil {
		return api.SessionAnswer{}, err
	}
	if r.UID == "" {
		r.UID = ownerUID("ses", "", r.IdempotencyKey)
	}
	seq, err := m.create(ctx, &r, c, func(w *world) ([]*events.Event, error) { return w.newSession(&r, c) })
	if err != nil {
		return api.SessionAnswer{}, err
	}
	return written(ctx, m, seq, func(w *world) (api.SessionAnswer, error) { return w.sessionAnswer(r.UID) })
}

func checkCreate(r *api.CreateRequest) error {
	faults := pilot.ValidateLabels(r.Labels)
	if r.UID != "" && !pilot.ValidToken(r.UID) {
		faults = append(faults, pilot.Fault{Field: "uid", Reason: pilot.TokenRule})
	}
	if r.Session != "" && !pilot.ValidToken(r.Session) {
		faults = append(faults, pilot.Fault{Field: "session", Reason: pilot.TokenRule})
	}
	if len(r.IdempotencyKey) > maxKey {
		faults = append(faults, pilot.Fault{Field: "idempotency_key", Reason: "is longer than 256 bytes"})
	}
	if faults != nil {
		return refuse(pilot.Invalid, "", faults)
	}
	return nil
}

func ownerUID(kind, of, key string) pilot.UID {
	if key == "" {
		return kind + "-" + newID()
	}
	return derived(kind, of, key, 0)
}

// create appends what plan gives; nothing to append: it is there already. It
// plans anew where others were first.
func (m *Manager) create(ctx context.Context, r *api.CreateRequest, c Call, plan func(*world) ([]*events.Event, error)) (uint64, error) {
	ctx, stop := bounded(ctx)
	defer stop()
	for try := 0; ; try++ {
		es, err := current(ctx, m, c, plan)
		if err != nil || len(es) == 0 {
			return 0, err
		}
		if err := m.admit(); err != nil {
			return 0, err
		}
		seq, err := m.append(ctx, es...)
		if err == nil {
			m.logger.Info("created", zap.String("uid", r.UID), zap.String("session", r.Session), zap.Uint64("seq", seq))
		}
		if pilot.CodeOf(err) != pilot.Conflict || try == tries {
			return seq, err
		}
		if err := m.yield(ctx, try, es...); err != nil {
			return 0, err
		}
	}
}

func (w *world) newManager(r *api.CreateRequest, c Call) ([]*events.Event, error) {
	if o, ok := w.view.Manager(r.UID); ok {
		return nil, again(&o, r)
	}
	var es []*events.Event
	switch s, ok := w.view.Session(r.Session); {
	case !ok:
		es = append(es, opening(owner{true, r.Session}, &api.CreateRequest{}, c))
	case s.State == events.StateClosed && r.Session == DefaultSession: // nobody made it, so it is not closed for ever
		e := opening(owner{true, DefaultSession}, &api.CreateRequest{}, c)
		e.Prev = s.Seq
		es = append(es, e)
	case s.State != events.StateOpen:
		return nil, pilot.Errorf(pilot.Closed, "session %s is closed: it takes no more managers", r.Session)
	}
	return append(es, opening(owner{false, r.UID}, r, c)), nil
}

func (w *world) newSession(r *api.CreateRequest, c Call) ([]*events.Event, error) {
	if o, ok := w.view.Session(r.UID); ok {
		return nil, again(&o, r)
	}
	return []*events.Event{opening(owner{true, r.UID}, r, c)}, nil
}

// again is nil if o is what an earlier request with the same key has made.
func again(o *projection.Owner, r *api.CreateRequest) error {
	switch {
	case r.IdempotencyKey == "" || o.Key != r.IdempotencyKey:
		return pilot.Errorf(pilot.Conflict, "%s exists already", r.UID)
	case o.Session != r.Session || !maps.Equal(o.Labels, r.Labels):
		return pilot.Errorf(pilot.Conflict, "the idempotency key was used for another request")
	}
	return nil
}

func opening(o owner, r *api.CreateRequest, c Call) *events.Event {
	at := now()
	return o.event(events.Created, 0, c.who(), events.Owner{
		Session: r.Session, State: events.StateOpen, Labels: r.Labels, CreatedAt: at, Key: r.IdempotencyKey,
	})
}

// event is a change of a manager or session that was last changed at prev.
func (o owner) event(kind events.Kind, prev uint64, by who, after events.Owner) *events.Event {
	e := by.sign(&events.Event{ID: newID(), Kind: kind, Prev: prev, At: now(), Owner: &after})
	if o.session {
		e.Class, e.Session = events.OfSession, o.uid
	} else {
		e.Class, e.Manager = events.OfManager, o.uid
	}
	return e
}
