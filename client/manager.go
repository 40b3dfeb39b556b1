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
	answer, err := call[api.ManagerAnswer](ctx, c, "manager.create", api.CreateRequest{
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
func (c *Client) Managers(ctx context.Context, o Owners) ([]api.Manager, error) {
	answer, err := call[api.ManagersAnswer](ctx, c, "manager.list", api.OwnersRequest{Session: o.Session, State: o.State})
	return answer.Managers, err
}

// UID is the manager's name.
func (m *Manager) UID() pilot.UID { return m.uid }

// Info gives what is known of the manager, with the number of its pilots in
// each state.
func (m *Manager) Info(ctx context.Context) (api.Manager, error) {
	answer, err := call[api.ManagerAnswer](ctx, m.c, "manager.get", api.OwnerRequest{UID: m.uid})
	return answer.Manager, err
}

// Pilot gives the handle of a pilot of this manager, without asking whether it
// exists.
func (m *Manager) Pilot(uid pilot.UID) *Pilot { return &Pilot{m, uid} }

// getChunk keeps an answer far below the bus's 1 MB: a pilot is about 1 kB.
const getChunk = 200

// Get gives pilots in the order asked, or all for none, oldest first. Code
// not_found if one of them is unknown.
func (m *Manager) Get(ctx context.Context, uids ...pilot.UID) ([]api.Pilot, error) {
	ctx, cancel := m.c.bounded(ctx)
	defer cancel()
	var all []api.Pilot
	if len(uids) == 0 {
		for p, err := range m.List(ctx, ListOptions{}) {
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
		return all, nil
	}
	for chunk := range slices.Chunk(uids, getChunk) {
		answer, err := call[api.PilotsAnswer](ctx, m.c, "pilot.get", api.GetRequest{Manager: m.uid, UIDs: chunk})
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Pilots...)
	}
	return all, nil
}

// GetAt gives pilots as they were at a time of the past, all for none.
func (m *Manager) GetAt(ctx context.Context, at time.Time, uids ...pilot.UID) ([]api.Pilot, error) {
	answer, err := call[api.PilotsAnswer](ctx, m.c, "pilot.get", api.GetRequest{Manager: m.uid, UIDs: uids, At: &at})
	return answer.Pilots, err
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

// Cancel asks pilots to end, all for none, and gives where each stands now. It
// does not wait for their end. Pilots that have ended are left as they are.
func (m *Manager) Cancel(ctx context.Context, o CancelOptions, uids ...pilot.UID) ([]api.Canceled, error) {
	ctx, cancel := m.c.bounded(ctx)
	defer cancel()
	ask := api.CancelRequest{Manager: m.uid, Reason: o.Reason, Force: o.Force, Grace: (*api.Duration)(o.Grace)}
	if len(uids) == 0 {
		answer, err := call[api.CancelAnswer](ctx, m.c, "pilot.cancel", ask)
		return answer.Pilots, err
	}
	var all []api.Canceled
	for chunk := range slices.Chunk(uids, api.MaxItems) {
		ask.UIDs = chunk
		answer, err := call[api.CancelAnswer](ctx, m.c, "pilot.cancel", ask)
		if err != nil {
			return all, err
		}
		all = append(all, answer.Pilots...)
	}
	return all, nil
}

// Close closes the manager, so that it takes no more pilots, and gives the
// pilots that were asked to end. It does not wait for their end. Closing again
// is no error.
func (m *Manager) Close(ctx context.Context, o CloseOptions) ([]pilot.UID, error) {
	answer, err := call[api.CloseAnswer](ctx, m.c, "manager.close",
		api.CloseRequest{UID: m.uid, Terminate: o.Terminate, Reason: o.Reason})
	return answer.Canceling, err
}
