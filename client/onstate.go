package client

import (
	"context"
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/pilot"
)

// Handler is told of a change of state; ctx ends with the registration. An error
// it returns is passed on to HandlerOptions.OnError and ends nothing.
type Handler func(ctx context.Context, ch Change) error

// HandlerOptions say what a handler is told.
type HandlerOptions struct {
	Replay Replay
	// OnError is told what the handler returned, that it panicked (code
	// internal), or why the registration ended by itself. Nil: it is logged.
	OnError func(error)
}

// OnState calls handler for every change of state of the manager's pilots, one
// call at a time and in the order of the log. Each registration reads the log
// for itself, so a slow, failing or panicking handler delays and disturbs no
// other. It returns once the registration stands: what happens from then on is
// told. ctx bounds only that.
//
// The registration ends by [Registration.Stop], by [Client.Close], or by itself after an
// error that it passes to HandlerOptions.OnError.
func (m *Manager) OnState(ctx context.Context, handler Handler, o HandlerOptions) (*Registration, error) {
	return m.c.onState(ctx, WatchOptions{Manager: m.uid, Replay: o.Replay}, handler, o.OnError)
}

// OnState calls handler for every change of the pilot's state; see
// [Manager.OnState].
func (p *Pilot) OnState(ctx context.Context, handler Handler, o HandlerOptions) (*Registration, error) {
	return p.m.c.onState(ctx, WatchOptions{Manager: p.m.uid, Pilot: p.uid, Replay: o.Replay}, handler, o.OnError)
}

// Registration is a handler that OnState registered. Its methods may be called from many
// goroutines at once, and Stop also from inside the handler.
type Registration struct {
	handler Handler
	onError func(error)
	stop    context.CancelFunc
	done    chan struct{} // closed when the goroutine that runs the handler has ended
}

// Stop ends the registration without waiting, and may be called again. The context of a call
// that is running ends. From inside the handler, that call is the last; elsewhere, wait for
// Done to be sure that no call is running and none will begin.
func (r *Registration) Stop() { r.stop() }

// Done returns a channel that is closed once the registration has ended and its last call
// has returned. Inside the handler it must not be waited for: it closes only afterwards.
func (r *Registration) Done() <-chan struct{} { return r.done }

func (c *Client) onState(ctx context.Context, o WatchOptions, h Handler, onError func(error)) (*Registration, error) {
	if onError == nil {
		onError = func(err error) { c.log.Warn("state handler failed", zap.Error(err)) }
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &Registration{handler: h, onError: onError, stop: stop, done: make(chan struct{})}
	if !c.addRegistration(r) {
		stop()
		return nil, pilot.Errorf(pilot.Closed, "the client is closed")
	}
	stands, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(r.done)
		defer c.removeRegistration(r)
		r.runHandler(run, c, o, stands, failed)
	}()
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	select {
	case <-stands:
		return r, nil
	case err := <-failed:
		return nil, err
	case <-ctx.Done():
		stop()
		<-r.done
		return nil, &pilot.Error{Code: pilot.Timeout, Op: "register handler", Err: context.Cause(ctx)}
	}
}

// runHandler watches until the registration is ended. An error before it stands goes
// to failed, a later one to the handler's owner.
func (r *Registration) runHandler(ctx context.Context, c *Client, o WatchOptions, stands chan<- struct{}, failed chan<- error) {
	stood := false
	stand := func() {
		if !stood {
			stood = true
			close(stands)
		}
	}
	if o.Replay == ReplayAll {
		stand() // from the beginning on, nothing can be missed
	}
	for ch, err := range c.watchFrom(ctx, o, stand) {
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && stood:
			r.onError(err)
		case err != nil:
			failed <- err
		case ch.Moved() || ch.Kind == "":
			r.callHandler(ctx, ch)
		}
	}
}

// callHandler runs the handler once and survives it.
func (r *Registration) callHandler(ctx context.Context, ch Change) {
	defer func() {
		if p := recover(); p != nil {
			r.onError(&pilot.Error{
				Code: pilot.Internal, Op: "state handler",
				Message: fmt.Sprintf("panic: %v\n%s", p, debug.Stack()),
			})
		}
	}()
	if err := r.handler(ctx, ch); err != nil {
		r.onError(err)
	}
}

func (c *Client) addRegistration(r *Registration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.handlers[r] = struct{}{}
	return true
}

func (c *Client) removeRegistration(r *Registration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.handlers, r)
}
