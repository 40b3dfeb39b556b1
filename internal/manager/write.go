package manager

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Bounds of what a caller waits for.
const (
	// maxFoldLag is how long a replica may be behind a caller's MinSeq: the fold
	// lags by milliseconds (measured: 99 % of folds are 2 ms behind at most), so this is trouble.
	maxFoldLag = 2 * time.Second
	// callTimeout is how long a write may take, folding included. The log repeats an
	// append for as long; a leader election takes seconds.
	callTimeout = 20 * time.Second
)

var errBehind = pilot.Errorf(pilot.Unavailable, "this replica has not yet folded the log as far as was asked")

// readYourWrites is look at a call's minimum position. What f does not find there may be
// newer than what this replica has folded, and its writer have told of it: so f looks
// again at the log's end. It must have no effect where it gives code not_found.
func readYourWrites[T any](ctx context.Context, m *Manager, c Call, f func(*state) (T, error)) (T, error) {
	value, err := queryWithin(ctx, m, c.MinSeq, f)
	if pilot.CodeOf(err) != pilot.NotFound {
		return value, err
	}
	limited, stop := context.WithTimeoutCause(ctx, maxFoldLag, errBehind) // End asks until then
	defer stop()
	end, unknown := m.log.End(limited, events.Span{})
	if unknown != nil {
		return value, &pilot.Error{Code: pilot.Unavailable, Op: "see what the log has of it", Err: unknown}
	}
	return query(limited, m, end, f)
}

// queryWithin is look, not longer than patience.
func queryWithin[T any](ctx context.Context, m *Manager, seq uint64, f func(*state) (T, error)) (T, error) {
	if seq > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, maxFoldLag, errBehind)
		defer stop()
	}
	return query(ctx, m, seq, f)
}

var errUnfolded = pilot.Errorf(pilot.Timeout, "written, but this replica has not folded it in time")

// afterCommit is look after an append: what fails here has taken effect.
func afterCommit[T any](ctx context.Context, m *Manager, seq uint64, f func(*state) (T, error)) (T, error) {
	value, err := query(ctx, m, seq, f)
	if err != nil && pilot.CodeOf(err) == pilot.Unavailable {
		return value, &pilot.Error{Code: pilot.Timeout, Message: errUnfolded.Message, Err: err}
	}
	return value, err
}

// appendEvents stores one event, or several as a whole.
func (m *Manager) appendEvents(ctx context.Context, es ...*events.Event) (uint64, error) {
	if len(es) == 1 {
		return m.log.Append(ctx, es[0])
	}
	return m.log.AppendBatch(ctx, es)
}

// awaitConflict waits, after an append was refused with code conflict, until this
// replica has folded what is on the subjects now, so that it can decide anew.
func (m *Manager) awaitConflict(ctx context.Context, try int, es ...*events.Event) error {
	var last uint64
	for _, e := range es {
		if !e.Expects() {
			continue
		}
		found, ok, err := m.log.Last(ctx, *e)
		if err != nil {
			return err
		}
		if ok {
			last = max(last, found.Seq)
		}
	}
	if err := backOff(ctx, try); err != nil {
		return err
	}
	_, err := query(ctx, m, last, func(*state) (struct{}, error) { return struct{}{}, nil })
	return err
}

// backOff is longer the more tries were in vain; the first cost nothing.
func backOff(ctx context.Context, try int) error {
	if try < 2 {
		return nil
	}
	t := time.NewTimer(min(time.Millisecond<<min(try, 7), 100*time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return abandonedError(ctx)
	}
}

func withCallTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout)
}
