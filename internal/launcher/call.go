package launcher

import (
	"context"

	"github.com/flightlog/flightlog/pilot"
)

// ask returns what f finds in the state that belongs to Run's goroutine, which runs f.
// Code unavailable: the launcher has stopped; timeout: ctx ended before f began, and op
// is what was asked for.
func ask[T any](ctx context.Context, l *Launcher, op string, f func() T) (T, error) {
	out := make(chan T, 1) // Run never waits for us
	var none T
	select {
	case l.calls <- func() { out <- f() }:
		return <-out, nil
	case <-l.stopped:
		return none, pilot.Errorf(pilot.Unavailable, "this launcher has stopped")
	case <-ctx.Done():
		return none, &pilot.Error{Code: pilot.Timeout, Op: op, Err: context.Cause(ctx)}
	}
}
