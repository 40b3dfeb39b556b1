package agent

import (
	"context"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Connecting is a Gateway that is not there yet: dial runs in the background
// until it has one or ctx ends, and Ask waits for it as long as its own
// context. An agent whose bus is away so still hears that its stdin ended. The
// func ends what dial does and waits for it; it does not close what it gave.
func Connecting(ctx context.Context, dial func(context.Context) (Gateway, error)) (Gateway, func()) {
	ctx, cancel := context.WithCancel(ctx)
	c := &connecting{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.gateway, c.err = dial(ctx)
	}()
	return c, func() {
		cancel()
		<-c.done
	}
}

type connecting struct {
	done    chan struct{}
	gateway Gateway // once done
	err     error   // once done
}

// Ask asks once there is somebody to ask.
func (c *connecting) Ask(ctx context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (api.AgentReply, error) {
	select {
	case <-c.done:
	case <-ctx.Done():
		return api.AgentReply{}, &pilot.Error{Code: pilot.Unavailable, Op: "connect", Err: context.Cause(ctx)}
	}
	if c.err != nil {
		return api.AgentReply{}, c.err
	}
	return c.gateway.Ask(ctx, key, verb, req)
}
