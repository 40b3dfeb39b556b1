package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/pilot"
)

// The pauses between attempts double from the first to the last, each drawn
// anew between half of it and all of it, so that clients of a replica that
// died do not come back as one.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 2 * time.Second
)

// A replica that was killed with a request in hand never answers; another one
// will. So no attempt waits for ever.
const (
	// patience is how long one attempt waits for its answer.
	patience = 5 * time.Second
	// slice is how long the service is asked to wait for pilots in one go. It
	// answers earlier when there is something to say.
	slice = 10 * time.Second
)

// call asks an endpoint and gives its answer. It asks again while the service
// is unavailable or silent, until ctx ends.
func call[Answer any](ctx context.Context, c *Client, endpoint string, ask any) (Answer, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	return callWithin[Answer](ctx, c, c.patience, endpoint, ask)
}

// callWithin is call for requests whose answer may take longer than patience.
// ctx must end some day.
func callWithin[Answer any](ctx context.Context, c *Client, each time.Duration, endpoint string, ask any) (_ Answer, err error) {
	ctx, end := c.trace(ctx, endpoint)
	defer func() { end(err) }()
	pause := firstPause
	for {
		answer, err := attempt[Answer](ctx, c, each, endpoint, ask)
		if err == nil || !again(err) {
			return answer, err
		}
		if !sleep(ctx, pause/2+rand.N(pause/2)) { //nolint:gosec // spreads load, guards nothing
			return answer, ended(ctx, endpoint, err)
		}
		c.log.Debug("asking again", zap.String("endpoint", endpoint), zap.Error(err))
		pause = min(2*pause, lastPause)
	}
}

func attempt[Answer any](ctx context.Context, c *Client, each time.Duration, endpoint string, ask any) (Answer, error) {
	var answer Answer
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	seq, err := c.conn.Call(ctx, endpoint, c.seen.least(c.conn.Epoch()), ask, &answer)
	if err != nil {
		return answer, err
	}
	c.seen.saw(c.conn.Epoch(), seq)
	return answer, nil
}

// again says whether the same request may soon get another answer.
func again(err error) bool {
	code := pilot.CodeOf(err)
	return (code == pilot.Unavailable || code == pilot.Timeout) && !pilot.Lasting(err)
}

// ended says why a call was given up: because ctx ended, and what had been in
// the way until then.
func ended(ctx context.Context, endpoint string, last error) error {
	code := pilot.Timeout
	if pilot.CodeOf(last) == pilot.Unavailable {
		code = pilot.Unavailable
	}
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return &pilot.Error{Code: pilot.Timeout, Op: endpoint, Err: context.Cause(ctx)}
	}
	return &pilot.Error{Code: code, Op: endpoint, Message: last.Error(), Err: errors.Join(context.Cause(ctx), last)}
}

// sleep waits, and says whether it was not ctx that ended it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
