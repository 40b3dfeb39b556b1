package bus

import (
	"context"
	"iter"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

var errPending = pilot.Errorf(pilot.Unsupported, "this build has no such part")

// Connect connects to the bus and stays connected: it reconnects for ever.
// Code unavailable: nobody answered before ctx ended.
func Connect(ctx context.Context, cfg Config) (*Conn, error) { return nil, errPending }

// Close stops what was subscribed, sends what is in flight, and disconnects; it
// takes a few seconds at most.
func (c *Conn) Close() {}

// ServerConfig says how to run a server inside this process.
type ServerConfig struct {
	Store    string      // directory of the log; made if it is missing
	Listen   string      // host:port; empty: 127.0.0.1:4222; port 0 or -1: any free one
	Sync     string      // "always" (or empty): every append is on disk before it is acknowledged; else how long it may take, e.g. "1s"
	MaxStore int64       // bytes of disk; 0: three quarters of what is free
	Logger   *zap.Logger // nil: only what stops the start is told, in Embed's error
	Cluster  *Cluster    // nil: a server alone
}

// Cluster makes a server one of several.
type Cluster struct {
	Name   string   // of this server; unique in the cluster
	Listen string   // host:port for the other servers
	Routes []string // nats://host:port of the other servers
}

// Server is a NATS server with JetStream in this process.
type Server struct{}

// Embed starts a server and returns once it takes connections. The store is
// locked for this process: code conflict names the one that has it, or says
// that the listen address is taken.
func Embed(ctx context.Context, cfg ServerConfig) (*Server, error) { return nil, errPending }

// URL is where clients connect.
func (s *Server) URL() string { return "" }

// Shutdown stops the server, waits for it, and unlocks the store.
func (s *Server) Shutdown() {}

// StreamConfig is what may differ between logs.
type StreamConfig struct {
	Replicas int   // 0: 1 for a new log; whatever an existing one has
	MaxBytes int64 // appends are refused beyond; 0: no limit for a new log; whatever an existing one has
}

// Ensure creates the log, or checks that the one that is there is as it must
// be: code unsupported lists the differences.
func (c *Conn) Ensure(ctx context.Context, cfg StreamConfig) error { return errPending }

// Log is the durable log of everything.
type Log struct{}

// Log opens the log. Code unavailable: there is none yet.
func (c *Conn) Log(ctx context.Context) (*Log, error) { return nil, errPending }

// Epoch is when the log was created, in milliseconds: positions of another
// epoch mean nothing in this one.
func (l *Log) Epoch() int64 { return 0 }

// Append stores one event and gives its position.
func (l *Log) Append(ctx context.Context, e *events.Event) (uint64, error) { return 0, errPending }

// AppendBatch stores all events or none and gives the position of the last.
func (l *Log) AppendBatch(ctx context.Context, es []*events.Event) (uint64, error) {
	return 0, errPending
}

// Tail yields the log as span says, until ctx ends or an error ends it.
func (l *Log) Tail(ctx context.Context, span events.Span) iter.Seq2[events.Entry, error] {
	return func(yield func(events.Entry, error) bool) { yield(events.Entry{}, errPending) }
}

// Last gives the last event of the subject that e has.
func (l *Log) Last(ctx context.Context, e events.Event) (events.Event, bool, error) {
	return events.Event{}, false, errPending
}

// History gives what the log holds about one pilot behind position after.
func (l *Log) History(ctx context.Context, key pilot.Key, after uint64) ([]events.Event, error) {
	return nil, errPending
}

// PresentAt gives the last events, as of that time, of a manager and its pilots.
func (l *Log) PresentAt(ctx context.Context, manager pilot.UID, at time.Time) ([]events.Event, error) {
	return nil, errPending
}

// Inbox hands out the submit commands of one resource.
type Inbox struct{}

// Inbox opens the queue of a resource, which its whole fleet shares.
func (c *Conn) Inbox(ctx context.Context, resource string, cfg InboxConfig) (*Inbox, error) {
	return nil, errPending
}

// Receive yields commands until ctx ends; each is kept for this process until
// its Done or Again is called.
func (i *Inbox) Receive(ctx context.Context) iter.Seq2[*events.Delivery, error] {
	return func(yield func(*events.Delivery, error) bool) { yield(nil, errPending) }
}

// Leases are names that processes hold while they live.
type Leases struct{}

// Leases opens the leases; all users of one log must give the same ttl.
func (c *Conn) Leases(ctx context.Context, ttl time.Duration, replicas int) (*Leases, error) {
	return nil, errPending
}

// Hold takes the lease and keeps it until ctx ends, then releases it and
// returns nil. about says who holds it: a lease left by a dead holder with the
// same about is taken over at once. Code conflict: somebody else holds it, or
// has taken it over.
func (l *Leases) Hold(ctx context.Context, id, about string) error { return errPending }

// Alive says whether somebody holds the lease.
func (l *Leases) Alive(ctx context.Context, id string) (bool, error) { return false, errPending }

// Request is one question to an endpoint.
type Request struct {
	Data   []byte // JSON, whatever came; empty: {}
	MinSeq uint64 // answer only once folded that far; 0: at once
	Epoch  int64  // of MinSeq; 0: not said
	Actor  string // who asks, as he says; may be empty
}

// Decode reads the request strictly into a struct of package api.
func (r *Request) Decode(into any) error { return errPending }

// Endpoint is one thing that can be asked.
type Endpoint struct {
	Name   string // e.g. "pilot.submit"
	Limit  int    // handlers at once; 0: 64. More than that are refused as unavailable.
	Handle func(ctx context.Context, r Request) (answer any, seq uint64, err error)
}

// Service is what a replica serves.
type Service struct {
	Name      string // "pilots"
	Version   string // semantic version
	Epoch     int64  // of the log it has folded
	Endpoints []Endpoint
	Logger    *zap.Logger // nil: silent
}

// Serve answers the endpoints until stop is called, which waits for those that
// are being answered.
func (c *Conn) Serve(ctx context.Context, s Service) (stop func(), err error) {
	return nil, errPending
}

// Call asks an endpoint and reads its answer into out; seq is the position the
// answer reflects. Code unavailable: no replica serves.
func (c *Conn) Call(ctx context.Context, endpoint string, minSeq uint64, in, out any) (seq uint64, err error) {
	return 0, errPending
}

// AgentHandler answers one agent.
type AgentHandler func(ctx context.Context, key pilot.Key, verb api.Verb, r api.AgentRequest) (api.AgentReply, error)

// ServeAgents answers the agents of a resource, together with the rest of its
// fleet, until ctx ends.
func (c *Conn) ServeAgents(ctx context.Context, resource string, handle AgentHandler) error {
	return errPending
}

// AskLauncher asks the launchers of a pilot's resource. Code unavailable: none
// listens.
func (c *Conn) AskLauncher(ctx context.Context, key pilot.Key, verb api.Verb, r api.AgentRequest) (api.AgentReply, error) {
	return api.AgentReply{}, errPending
}
