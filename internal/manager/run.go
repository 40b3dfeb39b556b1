package manager

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Run folds the log and serves the methods until ctx ends or the log cannot be
// read on, and says why. It is called once. Code unsupported: a later version
// wrote to the log, and this one must not guess.
func (m *Manager) Run(ctx context.Context) error {
	defer close(m.ended)
	var parts sync.WaitGroup
	defer parts.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	entries := make(chan events.Entry, 512) // what the tail may be ahead of the fold
	broken := make(chan error, 1)
	parts.Go(func() { broken <- m.feedEntries(ctx, entries) })
	parts.Go(func() { m.finishClosing(ctx) })

	w := newState(m.resources, func() {
		select {
		case m.wakeFinisher <- struct{}{}:
		default:
		}
	})
	for {
		select {
		case e := <-entries:
			m.foldEntry(w, &e)
		case call := <-m.calls:
			m.runCall(w, call)
		case err := <-broken:
			return err
		}
	}
}

// feedEntries hands over the entries of the log until it cannot.
func (m *Manager) feedEntries(ctx context.Context, entries chan<- events.Entry) error {
	for e, err := range m.log.Tail(ctx, events.Span{}) {
		if err != nil {
			return err
		}
		select {
		case entries <- e:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return pilot.Errorf(pilot.Unavailable, "the tail of the log has ended")
}

func (m *Manager) foldEntry(st *state, e *events.Entry) {
	switch {
	case e.Mark:
		st.advance(e.Seq)
		m.logger.Info("caught up", zap.Uint64("seq", e.Seq))
		close(m.ready)
		return
	case e.Broken != "":
		st.view.Fold(e)
		st.takeSource(e.Resource)
		m.logger.Warn("message does not decode", zap.Uint64("seq", e.Seq), zap.String("pilot", e.Pilot), zap.String("err", e.Broken))
	default:
		st.applyNext(&e.Event)
		return
	}
	st.advance(e.Seq)
}

// post has the owner run f, unless ctx or Run ends before.
func (m *Manager) post(ctx context.Context, f func(*state)) error {
	select {
	case m.calls <- f:
		return nil
	case <-m.ended:
		return errStopped
	case <-ctx.Done():
		return abandonedError(ctx)
	}
}

// runCall runs f for the owner, which a panic of f does not end.
func (m *Manager) runCall(st *state, f func(*state)) {
	_ = m.catchPanic(func() { f(st) }) // it is in our own log; a caller of query gets an answer all the same
}

// catchPanic runs f and returns its panic, if there is one, as an error of code internal.
// It is written to our own log too.
func (m *Manager) catchPanic(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &pilot.Error{Code: pilot.Internal, Op: "look at the pilots", Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
			m.logger.Error("panic of the owner", zap.Error(err))
		}
	}()
	f()
	return nil
}

var (
	errStopped    = pilot.Errorf(pilot.Unavailable, "this replica has stopped")
	errCatchingUp = pilot.Errorf(pilot.Unavailable, "this replica is catching up with the log")
)

// abandonedError is what a caller gets whose context ended while nothing was written.
func abandonedError(ctx context.Context) error {
	cause := context.Cause(ctx)
	if pilot.CodeOf(cause) != pilot.Internal {
		return cause
	}
	return &pilot.Error{Code: pilot.Unavailable, Op: "ask the replica", Err: cause}
}

// query has the owner run f once the log is folded up to seq, and gives what f
// gives: copies only. f must not block. It may run after look has returned an
// error, so what it uses must not be changed then. Where f panics, code internal.
func query[T any](ctx context.Context, m *Manager, seq uint64, f func(*state) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	select {
	case <-m.ready:
	default:
		return none, errCatchingUp
	}
	out := make(chan result, 1) // the owner never waits for us
	l := &deferredCall{seq: seq, run: func(st *state) {
		var r result
		if err := m.catchPanic(func() { r.value, r.err = f(st) }); err != nil {
			r = result{err: err}
		}
		out <- r
	}}
	if err := m.post(ctx, func(st *state) { st.whenFolded(l) }); err != nil {
		return none, err
	}
	select {
	case r := <-out:
		return r.value, r.err
	case <-m.ended:
		return none, errStopped
	case <-ctx.Done():
		_ = m.post(context.WithoutCancel(ctx), func(st *state) { st.forgetCall(l) }) // refused only if all is over
		return none, abandonedError(ctx)
	}
}
