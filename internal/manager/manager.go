package manager

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

// Log is the part of the bus that a manager needs.
type Log interface {
	// Append stores e if e.Prev is the last position of its subject. Code
	// conflict: it is not. Code timeout: not known.
	Append(ctx context.Context, e *events.Event) (uint64, error)
	// AppendBatch stores all of them or none.
	AppendBatch(ctx context.Context, es []*events.Event) (uint64, error)
	// Tail yields what the span asks for in log order, then waits for more.
	Tail(ctx context.Context, span events.Span) iter.Seq2[events.Entry, error]
	// End is the position of the last message that a tail of the span gives.
	End(ctx context.Context, span events.Span) (uint64, error)
	// Last reads the last message of e's subject, as of now.
	Last(ctx context.Context, e events.Event) (events.Event, bool, error)
	// History reads all of one pilot behind a position.
	History(ctx context.Context, key pilot.Key, after uint64) ([]events.Event, error)
	// Versions reads all that was put of a resource.
	Versions(ctx context.Context, label string) ([]events.Event, error)
	// PresentAt reads the last message of each subject of a manager as of then.
	PresentAt(ctx context.Context, manager pilot.UID, at time.Time) ([]events.Event, error)
}

// Leases say which launchers live.
type Leases interface {
	LeaseHeld(ctx context.Context, id string) (bool, error)
}

// Config is what a Manager needs.
type Config struct {
	Log       Log
	Leases    Leases              // nil: it is not said whether launchers live
	Resources *resource.Catalogue // the layers below what is put at run time
	Systems   *render.Systems     // the batch systems that pilots can be launched on; nil: those of this build
	Admit     func() error        // why nothing new may begin now; nil, or what gives nil: it may. Must not block
	Name      string              // acts where no user does: finishing what another replica began; "manager"
	Logger    *zap.Logger         // nil: silent
}

// Manager is one replica.
type Manager struct {
	log       Log
	leases    Leases
	resources *resource.Catalogue
	systems   *render.Systems
	name      string
	logger    *zap.Logger
	admit     func() error

	calls        chan func(*state)
	ready        chan struct{} // closed once caught up
	ended        chan struct{} // closed once Run is over
	wakeFinisher chan struct{} // one slot: something may be there to finish
}

// Call says who asks, and how much of the log the answer must reflect.
type Call struct {
	Actor      string // the user of the bus where it knows any, else who he says he is
	OnBehalfOf string // for whom a user of the bus says he asks, if that is not himself
	MinSeq     uint64
}

// withMinSeq is the call once the log is at a later position.
func (c Call) withMinSeq(seqs ...uint64) Call {
	c.MinSeq = slices.Max(append(seqs, c.MinSeq))
	return c
}

// identity is who does something, and on whose behalf; empty: on his own.
type identity struct{ actor, onBehalfOf string }

// maxActorBytes bounds what is kept of a name that anybody may send: 256 bytes.
const maxActorBytes = 256

func (c Call) identity() identity {
	cut := func(name string) string { return strings.ToValidUTF8(name[:min(len(name), maxActorBytes)], "") }
	return identity{cut(c.Actor), cut(c.OnBehalfOf)}
}

// stampActor writes on an event who does it.
func (w identity) stampActor(e *events.Event) *events.Event {
	e.Actor, e.OnBehalfOf = w.actor, w.onBehalfOf
	return e
}

// New makes a replica; Run brings it to life.
func New(c Config) (*Manager, error) {
	if c.Log == nil || c.Resources == nil {
		return nil, pilot.Errorf(pilot.Internal, "a manager needs a log and a catalogue of resources")
	}
	m := &Manager{
		log: c.Log, leases: c.Leases, resources: c.Resources, systems: c.Systems, name: c.Name, logger: c.Logger, admit: c.Admit,
		calls: make(chan func(*state), 64), // spares callers a switch while the owner folds
		ready: make(chan struct{}), ended: make(chan struct{}), wakeFinisher: make(chan struct{}, 1),
	}
	if m.name == "" {
		m.name = "manager"
	}
	if m.logger == nil {
		m.logger = zap.NewNop()
	}
	if m.admit == nil {
		m.admit = func() error { return nil }
	}
	return m, nil
}

// Ready is closed once all that was in the log when Run began is folded.
func (m *Manager) Ready() <-chan struct{} { return m.ready }

// newID gives a fresh ULID in lower case.
func newID() string { return strings.ToLower(ulid.Make().String()) }

// nowMillis is the time as the log keeps it.
func nowMillis() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
