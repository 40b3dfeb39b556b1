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
	// attemptTimeout is how long one attempt waits for its answer.
	attemptTimeout = 5 * time.Second
	// waitSlice is how long the service is asked to wait for pilots in one go. It
	// answers earlier when there is something to say.
	waitSlice = 10 * time.Second
)

// callEndpoint asks an endpoint and gives its answer. It asks again while the service
// is unavailable or silent, until ctx ends.
func callEndpoint[Answer any](ctx context.Context, c *Client, endpoint string, ask any) (Answer, error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	return callWithin[Answer](ctx, c, c.attemptTimeout, endpoint, ask)
}

// callWithin is call for requests whose answer may take longer than patience.
// ctx must end some day.
func callWithin[Answer any](ctx context.Context, c *Client, each time.Duration, endpoint string, ask any) (_ Answer, err error) {
	ctx, end := c.startSpan(ctx, endpoint)
	defer func() { end(err) }()
	pause := firstPause
	for {
		answer, err := callOnce[Answer](ctx, c, each, endpoint, ask)
		if err == nil || !isRetryable(err) {
			return answer, err
		}
		if !sleepContext(ctx, pause/2+rand.N(pause/2)) { //nolint:gosec // spreads load, guards nothing
			return answer, giveUpError(ctx, endpoint, err)
		}
		c.log.Debug("asking again", zap.String("endpoint", endpoint), zap.Error(err))
		pause = min(2*pause, lastPause)
	}
}

func callOnce[Answer any](ctx context.Context, c *Client, each time.Duration, endpoint string, ask any) (Answer, error) {
	var answer Answer
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	seq, err := c.conn.Call(ctx, endpoint, c.highWater.minSeq(c.conn.Epoch()), ask, &answer)
	if err != nil {
		return answer, err
	}
	c.highWater.raiseTo(c.conn.Epoch(), seq)
	return answer, nil
}

// isRetryable says whether the same request may soon get another answer.
func isRetryable(err error) bool {
	code := pilot.CodeOf(err)
	return (code == pilot.Unavailable || code == pilot.Timeout) && !pilot.Lasting(err)
}

// giveUpError says why a call was given up: because ctx ended, and what had been in
// the way until then.
func giveUpError(ctx context.Context, endpoint string, last error) error {
	code := pilot.Timeout
	if pilot.CodeOf(last) == pilot.Unavailable {
		code = pilot.Unavailable
	}
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return &pilot.Error{Code: pilot.Timeout, Op: endpoint, Err: context.Cause(ctx)}
	}
	return &pilot.Error{Code: code, Op: endpoint, Message: last.Error(), Err: errors.Join(context.Cause(ctx), last)}
}

// sleepContext waits, and says whether it was not ctx that ended it.
func sleepContext(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
