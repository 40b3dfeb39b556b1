package bus

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff paces retries: doubling from first to most, each wait cut by up to
// half at random so that many who wait do not come back at once.
type backoff struct {
	first, most time.Duration
	n           int
}

func newBackoff(first, most time.Duration) *backoff { return &backoff{first: first, most: most} }

// pause waits for the next turn; false when ctx ended first.
func (b *backoff) pause(ctx context.Context) bool {
	b.n++
	return sleep(ctx, nth(b.n, b.first, b.most))
}

func nth(n int, first, most time.Duration) time.Duration {
	d := most
	if n = max(n, 1); n < 20 {
		d = min(first<<(n-1), most)
	}
	return d - rand.N(d/2+1)
}

// sleep is false when ctx ended first.
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

// Pace of what is tried again.
const (
	tryFirst = 10 * time.Millisecond
	tryMost  = time.Second
	askTime  = 3 * time.Second // for one answer to a question
)

// persist asks, again while there may be an answer later, until ctx ends. Each
// try has its own deadline: a question that was lost with its server gets no
// answer at all.
func persist(ctx context.Context, op string, ask func(ctx context.Context) error) error {
	for wait := newBackoff(tryFirst, tryMost); ; {
		err := fault(op, within(ctx, askTime, ask))
		if err == nil {
			return nil
		}
		if !again(err) || !wait.pause(ctx) {
			return err
		}
	}
}

func within(ctx context.Context, d time.Duration, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return do(ctx)
}
