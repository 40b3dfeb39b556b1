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
