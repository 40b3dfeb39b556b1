package client

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"

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
// unregister ends the registration, after a call that is running; from inside
// the handler it returns at once and that call is the last.
func (m *Manager) OnState(ctx context.Context, handler Handler, o HandlerOptions) (unregister func(), err error) {
	return m.c.onState(ctx, WatchOptions{Manager: m.uid, Replay: o.Replay}, handler, o.OnError)
}

// OnState calls handler for every change of the pilot's state; see
// Manager.OnState.
func (p *Pilot) OnState(ctx context.Context, handler Handler, o HandlerOptions) (unregister func(), err error) {
	return p.m.c.onState(ctx, WatchOptions{Manager: p.m.uid, Pilot: p.uid, Replay: o.Replay}, handler, o.OnError)
}

type registration struct {
	handler          Handler
	onError          func(error)
	stop             context.CancelFunc
	done             chan struct{} // closed when the goroutine has ended
	handlerGoroutine atomic.Int64  // id of the goroutine that runs the handler, for unregister
}

func (c *Client) onState(ctx context.Context, o WatchOptions, h Handler, onError func(error)) (func(), error) {
	if onError == nil {
		onError = func(err error) { c.log.Warn("state handler failed", zap.Error(err)) }
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &registration{handler: h, onError: onError, stop: stop, done: make(chan struct{})}
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
		return r.unregister, nil
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
func (r *registration) runHandler(ctx context.Context, c *Client, o WatchOptions, stands chan<- struct{}, failed chan<- error) {
	r.handlerGoroutine.Store(goroutineID())
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
func (r *registration) callHandler(ctx context.Context, ch Change) {
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

func (r *registration) unregister() {
	r.stop()
	if goroutineID() != r.handlerGoroutine.Load() {
		<-r.done
	}
}

func (c *Client) addRegistration(r *registration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.handlers[r] = struct{}{}
	return true
}

func (c *Client) removeRegistration(r *registration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.handlers, r)
}

// goroutineID is the number of the goroutine that calls it, as the head of its
// stack shows it ("goroutine 7 [running]:"). Only unregister needs it: it must
// not wait for a handler that is waiting for it.
func goroutineID() (n int64) {
	var buf [64]byte
	head := buf[:runtime.Stack(buf[:], false)]
	for _, digit := range bytes.TrimPrefix(head, []byte("goroutine ")) {
		if digit < '0' || digit > '9' {
			break
		}
		n = 10*n + int64(digit-'0')
	}
	return n
}
