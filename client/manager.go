package client

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Manager is a handle of a pilot manager, which owns pilots.
type Manager struct {
	c   *Client
	uid pilot.UID
}

// ManagerOptions are the wishes for a new manager; all may be left out.
type ManagerOptions struct {
	UID     pilot.UID // code conflict if it is taken
	Session pilot.UID // made too if it is new; empty: "default"
	Labels  map[string]string
}

// CreateManager makes a manager.
func (c *Client) CreateManager(ctx context.Context, o ManagerOptions) (*Manager, error) {
	answer, err := callEndpoint[api.ManagerAnswer](ctx, c, "manager.create", api.CreateRequest{
		UID: o.UID, Session: o.Session, Labels: o.Labels, IdempotencyKey: newKey(),
	})
	if err != nil {
		return nil, err
	}
	return &Manager{c, answer.Manager.UID}, nil
}

// Manager reconnects: it gives the handle of a manager that exists, whoever
// made it; code not_found else.
func (c *Client) Manager(ctx context.Context, uid pilot.UID) (*Manager, error) {
	m := &Manager{c, uid}
	if _, err := m.Info(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// Managers gives the managers there are, in order of creation.
func (c *Client) Managers(ctx context.Context, o Scopes) ([]api.Manager, error) {
	return collectPages(func(after string) ([]api.Manager, string, error) {
		answer, err := callEndpoint[api.ManagersAnswer](ctx, c, "manager.list",
			api.ScopesRequest{Session: o.Session, State: o.State, After: after})
		return answer.Managers, answer.Next, err
	})
}

// UID is the manager's name.
func (m *Manager) UID() pilot.UID { return m.uid }

// Info gives what is known of the manager, with the number of its pilots in
// each state.
func (m *Manager) Info(ctx context.Context) (api.Manager, error) {
	answer, err := callEndpoint[api.ManagerAnswer](ctx, m.c, "manager.get", api.ScopeRequest{UID: m.uid})
	return answer.Manager, err
}

// Pilot gives the handle of a pilot of this manager, without asking whether it
// exists.
func (m *Manager) Pilot(uid pilot.UID) *Pilot { return &Pilot{m: m, uid: uid} }

// getChunk keeps an answer far below the bus's 1 MB: a pilot is about 1 kB.
const getChunk = 200

// Get gives pilots in the order asked. Code not_found names all that are
// unknown. For all pilots of a manager see List.
func (m *Manager) Get(ctx context.Context, uids ...pilot.UID) ([]api.Pilot, error) {
	return m.getInChunks(ctx, nil, uids)
}

// GetAt gives pilots as they were at a time of the past.
func (m *Manager) GetAt(ctx context.Context, at time.Time, uids ...pilot.UID) ([]api.Pilot, error) {
	return m.getInChunks(ctx, &at, uids)
}

// ListAt gives the manager's pilots as they were at a time of the past.
func (m *Manager) ListAt(ctx context.Context, at time.Time) ([]api.Pilot, error) {
	answer, err := callEndpoint[api.PilotsAnswer](ctx, m.c, "pilot.get", api.GetRequest{Manager: m.uid, At: &at})
	return answer.Pilots, err
}

func (m *Manager) getInChunks(ctx context.Context, at *time.Time, uids []pilot.UID) ([]api.Pilot, error) {
	ctx, cancel := m.c.withDeadline(ctx)
	defer cancel()
	all := make([]api.Pilot, 0, len(uids))
	for chunk := range slices.Chunk(uids, getChunk) {
		answer, err := callEndpoint[api.PilotsAnswer](ctx, m.c, "pilot.get", api.GetRequest{Manager: m.uid, UIDs: chunk, At: at})
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Pilots...)
	}
	return all, nil
}

// List gives the manager's pilots, oldest first, asking page by page.
func (m *Manager) List(ctx context.Context, o ListOptions) iter.Seq2[api.Pilot, error] {
	o.Manager = m.uid
	return m.c.List(ctx, o)
}

// CancelOptions say how to cancel.
type CancelOptions struct {
	Reason string
	Force  bool           // kill at once
	Grace  *time.Duration // between asking the payload to end and killing it; nil: 10 s
}

// Cancel asks pilots to end and gives where each stands now. It does not wait
// for their end. Pilots that have ended are left as they are. No uids: nothing
// happens.
func (m *Manager) Cancel(ctx context.Context, o CancelOptions, uids ...pilot.UID) ([]api.Canceled, error) {
	ctx, cancel := m.c.withDeadline(ctx)
	defer cancel()
	all := make([]api.Canceled, 0, len(uids))
	for chunk := range slices.Chunk(uids, api.MaxItems) {
		answer, err := m.cancelOnce(ctx, o, chunk)
		if err != nil {
			return all, err
		}
		all = append(all, answer...)
	}
	return all, nil
}

// CancelAll cancels all pilots of the manager that have not ended.
func (m *Manager) CancelAll(ctx context.Context, o CancelOptions) ([]api.Canceled, error) {
	return m.cancelOnce(ctx, o, nil)
}

func (m *Manager) cancelOnce(ctx context.Context, o CancelOptions, uids []pilot.UID) ([]api.Canceled, error) {
	answer, err := callEndpoint[api.CancelAnswer](ctx, m.c, "pilot.cancel", api.CancelRequest{
		Manager: m.uid, UIDs: uids, Reason: o.Reason, Force: o.Force, Grace: (*api.Duration)(o.Grace),
	})
	return answer.Pilots, err
}

// Close closes the manager, so that it takes no more pilots, and gives the
// pilots that were asked to end. It does not wait for their end. Closing again
// is no error.
func (m *Manager) Close(ctx context.Context, o CloseOptions) ([]pilot.UID, error) {
	answer, err := callEndpoint[api.CloseAnswer](ctx, m.c, "manager.close",
		api.CloseRequest{UID: m.uid, Terminate: o.Terminate, Reason: o.Reason})
	return answer.Canceling, err
}
