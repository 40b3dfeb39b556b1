package client

import (
	"context"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Session is a handle of a session, which groups managers.
type Session struct {
	c   *Client
	uid pilot.UID
}

// SessionOptions are the wishes for a new session; all may be left out.
type SessionOptions struct {
	UID    pilot.UID // code conflict if it is taken
	Labels map[string]string
}

// Scopes selects managers or sessions; zero fields select all.
type Scopes struct {
	Session pilot.UID // managers only
	State   events.ScopeState
}

// CloseOptions say how to close a manager or a session.
type CloseOptions struct {
	Terminate bool // cancel the pilots; else they live on
	Reason    string
}

// CreateSession makes a session.
func (c *Client) CreateSession(ctx context.Context, o SessionOptions) (*Session, error) {
	answer, err := callEndpoint[api.SessionAnswer](ctx, c, "session.create",
		api.CreateRequest{UID: o.UID, Labels: o.Labels, IdempotencyKey: newKey()})
	if err != nil {
		return nil, err
	}
	return &Session{c, answer.Session.UID}, nil
}

// Session gives the handle of a session that exists; code not_found else.
func (c *Client) Session(ctx context.Context, uid pilot.UID) (*Session, error) {
	s := &Session{c, uid}
	if _, err := s.Info(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Sessions gives the sessions there are, in order of creation.
func (c *Client) Sessions(ctx context.Context, o Scopes) ([]api.Manager, error) {
	return collectPages(func(after string) ([]api.Manager, string, error) {
		answer, err := callEndpoint[api.SessionsAnswer](ctx, c, "session.list", api.ScopesRequest{State: o.State, After: after})
		return answer.Sessions, answer.Next, err
	})
}

// collectPages gives all that is on the pages that ask gets one by one.
func collectPages[T any](ask func(after string) (page []T, next string, err error)) ([]T, error) {
	var all []T
	for after := ""; ; {
		page, next, err := ask(after)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if next == "" {
			return all, nil
		}
		after = next
	}
}

// UID is the session's name.
func (s *Session) UID() pilot.UID { return s.uid }

// Info gives what is known of the session.
func (s *Session) Info(ctx context.Context) (api.Manager, error) {
	answer, err := callEndpoint[api.SessionAnswer](ctx, s.c, "session.get", api.ScopeRequest{UID: s.uid})
	return answer.Session, err
}

// CreateManager makes a manager in the session, whatever o.Session says.
func (s *Session) CreateManager(ctx context.Context, o ManagerOptions) (*Manager, error) {
	o.Session = s.uid
	return s.c.CreateManager(ctx, o)
}

// Managers gives the session's managers, in order of creation.
func (s *Session) Managers(ctx context.Context) ([]api.Manager, error) {
	return s.c.Managers(ctx, Scopes{Session: s.uid})
}

// Close closes the session and its managers and gives the pilots that were
// asked to end. It does not wait for their end. Closing again is no error.
func (s *Session) Close(ctx context.Context, o CloseOptions) ([]pilot.UID, error) {
	answer, err := callEndpoint[api.CloseAnswer](ctx, s.c, "session.close",
		api.CloseRequest{UID: s.uid, Terminate: o.Terminate, Reason: o.Reason})
	return answer.Canceling, err
}
