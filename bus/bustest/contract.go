package bustest

import (
	"context"
	"iter"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// EventLog is the log as its users know it; bus.Log and Memory are both.
type EventLog interface {
	Epoch() int64
	Append(ctx context.Context, e *events.Event) (uint64, error)
	AppendBatch(ctx context.Context, es []*events.Event) (uint64, error)
	Tail(ctx context.Context, span events.Span) iter.Seq2[events.Entry, error]
	Last(ctx context.Context, e events.Event) (events.Event, bool, error)
	History(ctx context.Context, key pilot.Key, after uint64) ([]events.Event, error)
	PresentAt(ctx context.Context, manager pilot.UID, at time.Time) ([]events.Event, error)
}

// Queue is an inbox as launchers know it.
type Queue interface {
	Receive(ctx context.Context) iter.Seq2[*events.Delivery, error]
}

// Leases are leases as launchers know them.
type Leases interface {
	Hold(ctx context.Context, id, about string) error
	Alive(ctx context.Context, id string) (bool, error)
}
