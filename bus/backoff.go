package bus

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff paces retries: doubling from first to most, each wait cut by up to
// half at random so that many who wait do not come back at once.
type backoff struct {
	first, max time.Duration
	attempts   int
}

func newBackoff(first, longest time.Duration) *backoff { return &backoff{first: first, max: longest} }

// wait waits for the next turn; false when ctx ended first.
func (b *backoff) wait(ctx context.Context) bool {
	b.attempts++
	return sleepContext(ctx, backoffDelay(b.attempts, b.first, b.max))
}

func backoffDelay(n int, first, longest time.Duration) time.Duration {
	d := longest
	if n = max(n, 1); n < 20 {
		d = min(first<<(n-1), longest)
	}
	return d - rand.N(d/2+1)
}

// sleepContext is false when ctx ended first.
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
