package api

import (
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Headers of requests and answers, beside those of NATS micro services.
const (
	HeaderSeq     = "Pilots-Seq"     // answer: the log position it reflects
	HeaderMinSeq  = "Pilots-Min-Seq" // request: answer only once folded that far
	HeaderTimeout = "Pilots-Timeout" // request: how long the caller waits for the answer, such as 5s
	HeaderEpoch   = "Pilots-Epoch"   // both: creation time of the log, ms; positions of another epoch mean nothing
)

// MaxItems is how many pilots one submit or cancel may name: the most messages
// that JetStream takes as one atomic batch (ADR-50).
const MaxItems = 1000

// Manager is a pilot manager, or, without Session, a session.
type Manager struct {
	UID       pilot.UID         `json:"uid"`
	Session   pilot.UID         `json:"session,omitempty"`
	State     events.ScopeState `json:"state"`
	CreatedAt time.Time         `json:"created_at"`
	ClosedAt  *time.Time        `json:"closed_at,omitempty"`
	ClosedBy  string            `json:"closed_by,omitempty"`           // who closed it first
	ClosedFor string            `json:"closed_on_behalf_of,omitempty"` // for whom ClosedBy said he does, if that is another
	Labels    map[string]string `json:"labels,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	Pilots    map[string]int    `json:"pilots,omitempty"` // by state; absent in lists
	Seq       uint64            `json:"seq"`
}

// CreateRequest asks manager.create or session.create.
type CreateRequest struct {
	UID            pilot.UID         `json:"uid,omitempty"`     // empty: made by the service
	Session        pilot.UID         `json:"session,omitempty"` // manager.create: made too if it is new; empty: "default"
	Labels         map[string]string `json:"labels,omitempty"`
	IdempotencyKey string            `json:"idempotency_key,omitempty"`
}

// ScopeRequest asks manager.get or session.get.
type ScopeRequest struct {
	UID pilot.UID `json:"uid"`
}

// ScopesRequest asks manager.list or session.list.
type ScopesRequest struct {
	Session pilot.UID         `json:"session,omitempty"`
	State   events.ScopeState `json:"state,omitempty"`
	Limit   int               `json:"limit,omitempty"` // 0: 1000, which is also the most
	After   string            `json:"after,omitempty"` // Next of the page before
}

// CloseRequest asks manager.close or session.close.
type CloseRequest struct {
	UID       pilot.UID `json:"uid"`
	Terminate bool      `json:"terminate,omitempty"` // cancel the pilots; else they live on
	Reason    string    `json:"reason,omitempty"`
}

// ManagerAnswer answers manager.create and manager.get.
type ManagerAnswer struct {
	Manager Manager `json:"manager"`
	Seq     uint64  `json:"seq"`
}

// ManagersAnswer answers manager.list.
type ManagersAnswer struct {
	Managers []Manager `json:"managers"`
	Next     string    `json:"next,omitempty"` // empty: that was the last page
	Seq      uint64    `json:"seq"`
}

// SessionAnswer answers session.create and session.get.
type SessionAnswer struct {
	Session Manager `json:"session"`
	Seq     uint64  `json:"seq"`
}

// SessionsAnswer answers session.list.
type SessionsAnswer struct {
	Sessions []Manager `json:"sessions"`
	Next     string    `json:"next,omitempty"` // empty: that was the last page
	Seq      uint64    `json:"seq"`
}

// CloseAnswer answers manager.close and session.close.
type CloseAnswer struct {
	Manager   *Manager    `json:"manager,omitempty"`
	Session   *Manager    `json:"session,omitempty"`
	Canceling []pilot.UID `json:"canceling"` // pilots that were asked to end
	Seq       uint64      `json:"seq"`
}

// SubmitRequest asks pilot.submit: all of the list or nothing.
type SubmitRequest struct {
	Manager        pilot.UID           `json:"manager"`
	Pilots         []pilot.Description `json:"pilots"`
	IdempotencyKey string              `json:"idempotency_key,omitempty"` // asked again with the same key: the same pilots
	// Check asks only what is wrong with the list: nothing is written, and the answer
	// to a list without fault holds no pilots. Manager may then be empty: any.
	Check bool `json:"check,omitempty"`
}

// GetRequest asks pilot.get.
type GetRequest struct {
	Manager pilot.UID   `json:"manager"`
	UIDs    []pilot.UID `json:"uids,omitzero"` // absent: all; empty: none
	At      *time.Time  `json:"at,omitempty"`  // as it was then
}

// PilotsAnswer answers pilot.submit and pilot.get, in the order asked.
type PilotsAnswer struct {
	Pilots []Pilot `json:"pilots"`
	Seq    uint64  `json:"seq"`
}

// ListRequest asks pilot.list.
type ListRequest struct {
	Manager  pilot.UID         `json:"manager,omitempty"`
	States   []pilot.State     `json:"states,omitempty"`
	Resource string            `json:"resource,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Live     bool              `json:"live,omitempty"`  // only those that have not ended
	Limit    int               `json:"limit,omitempty"` // 0: 1000, which is also the most
	After    string            `json:"after,omitempty"` // Next of the page before
}

// ListAnswer answers pilot.list, oldest first.
type ListAnswer struct {
	Pilots []Pilot `json:"pilots"`
	Next   string  `json:"next,omitempty"` // empty: that was the last page
	Seq    uint64  `json:"seq"`
}

// WaitRequest asks pilot.wait.
type WaitRequest struct {
	Manager pilot.UID     `json:"manager"`
	UIDs    []pilot.UID   `json:"uids,omitzero"`     // absent: all there are now; empty: none
	States  []pilot.State `json:"states,omitempty"`  // absent: the finals
	Timeout *Duration     `json:"timeout,omitempty"` // absent: 30s; 0: answers at once; at most 10m, ask again for more
}

// WaitAnswer answers pilot.wait.
type WaitAnswer struct {
	Pilots   []Waited `json:"pilots"`
	TimedOut bool     `json:"timed_out"`
	Seq      uint64   `json:"seq"`
}

// Waited is one pilot of a WaitAnswer.
type Waited struct {
	UID     pilot.UID   `json:"uid"`
	State   pilot.State `json:"state"`
	Reached bool        `json:"reached"` // one of the states was reached, even if left again
}

// CancelRequest asks pilot.cancel.
type CancelRequest struct {
	Manager pilot.UID   `json:"manager"`
	UIDs    []pilot.UID `json:"uids,omitzero"` // absent: all; empty: none
	Reason  string      `json:"reason,omitempty"`
	Force   bool        `json:"force,omitempty"` // no grace
	Grace   *Duration   `json:"grace,omitempty"` // absent: 10s
}

// CancelAnswer answers pilot.cancel; finals are left as they are.
type CancelAnswer struct {
	Pilots []Canceled `json:"pilots"`
	Seq    uint64     `json:"seq"`
}

// Canceled is one pilot of a CancelAnswer.
type Canceled struct {
	UID   pilot.UID   `json:"uid"`
	State pilot.State `json:"state"`
}

// PilotRequest asks pilot.history, pilot.logs and pilot.explain.
type PilotRequest struct {
	Manager pilot.UID `json:"manager"`
	UID     pilot.UID `json:"uid"`
	After   uint64    `json:"after,omitempty"` // history: only what is behind that position
}

// HistoryAnswer answers pilot.history, in log order.
type HistoryAnswer struct {
	Events []Event `json:"events"`
	Seq    uint64  `json:"seq"`
}

// LogsAnswer answers pilot.logs.
type LogsAnswer struct {
	Stdout string `json:"stdout"` // bounded tails, once the pilot has ended
	Stderr string `json:"stderr"`
	Lines  []Line `json:"lines"` // what happened, for people
	Seq    uint64 `json:"seq"`
}

// Line is one line of a pilot's log.
type Line struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
}

// ErrorAnswer is the body of an error, beside the headers of NATS micro services.
type ErrorAnswer struct {
	Error ErrorBody `json:"error"`
}

// ErrorBody is a pilot.Error on its way.
type ErrorBody struct {
	Code        pilot.Code         `json:"code"`
	Message     string             `json:"message"`
	FieldErrors []pilot.FieldError `json:"faults,omitempty"`
	Lasting     bool               `json:"lasting,omitempty"` // of unavailable: it does not pass by itself soon
}
