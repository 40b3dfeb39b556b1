package client

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/bus"
)

// Client is a connection to the service.
type Client struct {
	conn    *bus.Conn
	owned   bool
	timeout time.Duration // of calls whose context has no deadline
	log     *zap.Logger
	tracers trace.TracerProvider // nil: the global one

	attemptTimeout, waitSlice time.Duration // see the constants

	highWater highWaterMark

	mu       sync.Mutex // guards what is below
	closed   bool
	handlers map[*Registration]struct{}
}

// Connect connects to the NATS server at url; an empty url is the one of the
// environment, or nats://127.0.0.1:4222. Where nobody says who asks, and a 'flightlog
// up' of the same user is there, its credentials are found and used (package owner). It
// waits for the server until ctx ends, then the code is unavailable; denied, at once: it
// does not let us in. A connection that is lost later comes back by itself.
func Connect(ctx context.Context, url string, opts ...Option) (*Client, error) {
	s := newSettings(url, opts)
	c := &Client{
		conn: s.conn, timeout: s.timeout, log: s.log, attemptTimeout: attemptTimeout, waitSlice: waitSlice, tracers: s.tracers,
		handlers: map[*Registration]struct{}{},
	}
	if c.conn != nil {
		return c, nil
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	conn, err := bus.Connect(ctx, s.bus)
	if err != nil {
		return nil, err
	}
	c.conn, c.owned = conn, true
	return c, nil
}

// Close ends all handlers, waiting for those that are running, and the
// connection. Nothing happens to pilots. It must not be called from inside a
// handler.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	running := c.handlers
	c.handlers = nil
	c.mu.Unlock()
	for r := range running {
		r.stop()
		<-r.done
	}
	if c.owned {
		c.conn.Close()
	}
}

// Bus is the connection below, for what this package does not offer.
func (c *Client) Bus() *bus.Conn { return c.conn }

// withDeadline gives ctx a deadline if it has none.
func (c *Client) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.timeout)
}
