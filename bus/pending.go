package bus

import (
	"context"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

var errPending = pilot.Errorf(pilot.Unsupported, "this build has no such part")

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
