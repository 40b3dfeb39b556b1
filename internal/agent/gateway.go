package agent

import (
	"context"
	"sync/atomic"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Gateway is the agent's way to the launchers of its resource.
type Gateway interface {
	// Ask sends a request about the pilot and returns a launcher's answer. It ends
	// with its context; code unavailable: nobody is there to answer.
	Ask(ctx context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (api.AgentReply, error)
}

// ConnectInBackground is a Gateway that is not there yet: dial is tried in the background, with
// growing pauses of at most 10 s, until it gives one or ctx ends, and Ask waits for it as
// long as its own context. An agent whose bus is away so still hears that its stdin
// ended, and no error of one attempt is the last word: a bus that is starting may not
// know its users yet, and a file of credentials may be shown late. The func ends what
// dial does and waits for it; it does not close what it gave.
func ConnectInBackground(ctx context.Context, dial func(context.Context) (Gateway, error)) (Gateway, func()) {
	ctx, cancel := context.WithCancel(ctx)
	c := &backgroundGateway{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.dialUntilConnected(ctx, dial)
	}()
	return c, func() {
		cancel()
		<-c.done
	}
}

type backgroundGateway struct {
	lastErr atomic.Pointer[error] // of the last attempt that failed
	done    chan struct{}
	gateway Gateway // once done; nil: ctx ended before
}

func (c *backgroundGateway) dialUntilConnected(ctx context.Context, dial func(context.Context) (Gateway, error)) {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		gateway, err := dial(ctx)
		if err == nil {
			c.gateway = gateway
			return
		}
		c.lastErr.Store(&err)
		sleepFor(ctx, addJitter(pause))
	}
}

// Ask asks once there is somebody to ask.
func (c *backgroundGateway) Ask(ctx context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (api.AgentReply, error) {
	select {
	case <-c.done:
	case <-ctx.Done():
		return api.AgentReply{}, c.unavailableError(context.Cause(ctx))
	}
	if c.gateway == nil {
		return api.AgentReply{}, c.unavailableError(context.Canceled)
	}
	return c.gateway.Ask(ctx, key, verb, req)
}

// unavailableError says that there is nobody to ask, and why, as far as an attempt told.
func (c *backgroundGateway) unavailableError(err error) error {
	if why := c.lastErr.Load(); why != nil {
		err = *why
	}
	return &pilot.Error{Code: pilot.Unavailable, Op: "connect", Err: err}
}
