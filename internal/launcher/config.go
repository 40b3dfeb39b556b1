package launcher

import (
	"context"
	"errors"
	"iter"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/launcher/decide"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// Log is the part of the bus that a launcher reads and writes facts with.
type Log interface {
	// Append stores e if e.Prev is the last position of its subject. Code
	// conflict: it is not. Code timeout: not known; read Last.
	Append(ctx context.Context, e *events.Event) (uint64, error)
	// Tail yields what the span asks for in log order, then waits for more.
	Tail(ctx context.Context, span events.Span) iter.Seq2[events.Entry, error]
	// Last reads the last message of e's subject, as of now.
	Last(ctx context.Context, e events.Event) (events.Event, bool, error)
	// List reads the list of a birth, as far as the log has it, whatever the resources
	// of the others in it.
	List(ctx context.Context, birth *events.Event) ([]events.Entry, events.Extent, error)
}

// CommandQueue hands out the submit commands of the resource, each to one launcher.
type CommandQueue interface {
	Receive(ctx context.Context) iter.Seq2[*events.Delivery, error]
}

// Leases say which launchers live.
type Leases interface {
	// Hold keeps the lease id until ctx ends. Code conflict: another process has it.
	Hold(ctx context.Context, id, about string) error
	Alive(ctx context.Context, id string) (bool, error)
}

// Systems are the batch systems a launcher can drive.
type Systems interface {
	// For gives the adaptor of a resource configuration's batch system, the same
	// one for the same endpoint. Code unsupported: there is none, and will be none;
	// any other error may pass. Only Run's goroutine asks, again and again.
	For(cfg *resource.Config) (adaptor.Adaptor, error)
}

// Config is what a Launcher needs.
type Config struct {
	Resource string // <site>.<host>, the resource it serves
	ID       string // unique among living launchers, kept over restarts
	Host     string // where it runs, for people
	Log      Log
	Queue    CommandQueue
	Leases   Leases
	Systems  Systems
	Policy   resource.Policy // of this host's owner: what it forbids is not launched, whoever took it on
	Logger   *zap.Logger     // nil: silent
	Meter    Meter           // nil: nobody is told
	Limits   Limits
}

// Limits bound what a launcher does at once and how long it waits. Zero fields
// mean the default.
type Limits = decide.Limits

// DefaultEffects is how many commands, and how many writes, a launcher has under way
// at once unless its Limits say else.
const DefaultEffects = decide.DefaultEffects

func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, field string) {
		if !ok {
			errs = append(errs, pilot.Errorf(pilot.Invalid, "launcher: %s is missing", field))
		}
	}
	need(c.Resource != "", "Resource")
	need(pilot.ValidToken(c.ID), "a valid ID")
	need(c.Log != nil, "Log")
	need(c.Queue != nil, "Inbox")
	need(c.Leases != nil, "Leases")
	need(c.Systems != nil, "Systems")
	return errors.Join(errs...)
}
