package bustest

import (
	"context"
	"iter"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Faults is trouble to order; each function may be nil. They are called with
// the first event of a batch, and not at the same time.
type Faults struct {
	Refuse  func(e *events.Event) error         // not nil: nothing is stored, this is the error
	LoseAck func(e *events.Event) bool          // it is stored, but the caller gets code timeout
	Delay   func(e *events.Event) time.Duration // before anything else; ctx may end it (code unavailable)
}

// Memory is a log in memory.
type Memory struct {
	Faults Faults // set it before the log is used
}

// NewMemory makes an empty log.
func NewMemory() *Memory { return &Memory{} }

var (
	_ EventLog = (*Memory)(nil)
	_ EventLog = (*bus.Log)(nil)
)

// Epoch is when the log was made, in milliseconds.
func (m *Memory) Epoch() int64 { return 0 }

// Append is bus.Log's, but for what Faults say.
func (m *Memory) Append(ctx context.Context, e *events.Event) (uint64, error) { return 0, errPending }

// AppendBatch is bus.Log's, but for what Faults say.
func (m *Memory) AppendBatch(ctx context.Context, es []*events.Event) (uint64, error) {
	return 0, errPending
}

// Tail is bus.Log's.
func (m *Memory) Tail(ctx context.Context, span events.Span) iter.Seq2[events.Entry, error] {
	return func(yield func(events.Entry, error) bool) { yield(events.Entry{}, errPending) }
}

// Last is bus.Log's.
func (m *Memory) Last(ctx context.Context, e events.Event) (events.Event, bool, error) {
	return events.Event{}, false, errPending
}

// History is bus.Log's.
func (m *Memory) History(ctx context.Context, key pilot.Key, after uint64) ([]events.Event, error) {
	return nil, errPending
}

// PresentAt is bus.Log's.
func (m *Memory) PresentAt(ctx context.Context, manager pilot.UID, at time.Time) ([]events.Event, error) {
	return nil, errPending
}

// Inbox gives a handle on the queue of a resource; handles of one resource
// share it, as the processes of a fleet do.
func (m *Memory) Inbox(resource string, cfg bus.InboxConfig) *MemoryInbox { return &MemoryInbox{} }

// Leases gives the leases that belong to this log.
func (m *Memory) Leases(ttl time.Duration) *MemoryLeases { return &MemoryLeases{} }

// MemoryInbox is an inbox in memory.
type MemoryInbox struct{}

// Receive is bus.Inbox's.
func (i *MemoryInbox) Receive(ctx context.Context) iter.Seq2[*events.Delivery, error] {
	return func(yield func(*events.Delivery, error) bool) { yield(nil, errPending) }
}

// MemoryLeases are leases in memory.
type MemoryLeases struct{}

// Hold is bus.Leases's.
func (l *MemoryLeases) Hold(ctx context.Context, id, about string) error { return errPending }

// Alive is bus.Leases's.
func (l *MemoryLeases) Alive(ctx context.Context, id string) (bool, error) { return false, errPending }

var errPending = pilot.Errorf(pilot.Unsupported, "this build has no such part")
