package batch

import (
	"context"
	"sync"
	"time"
)

// ListingCache keeps the last answer of a query and shares it: one query is under
// way at a time, and two begin a floor apart.
type ListingCache struct {
	query func(context.Context) ([]Record, error)
	floor time.Duration

	querySlot   chan struct{} // holds one; who has it may ask
	mu          sync.Mutex
	last        *Listing
	nextQueryAt time.Time // no query before
}

// NewListingCache makes a Lister of a query.
func NewListingCache(query func(context.Context) ([]Record, error), floor time.Duration) *ListingCache {
	l := &ListingCache{query: query, floor: floor, querySlot: make(chan struct{}, 1)} // 1: one turn
	l.querySlot <- struct{}{}
	return l
}

// ListAfter gives one that was asked for after a time. It waits for one that is
// under way and for the floor. An error is that of the query this caller made;
// others make their own, a floor later.
func (l *ListingCache) ListAfter(ctx context.Context, after time.Time) (*Listing, error) {
	if known := l.cachedAfter(after); known != nil {
		return known, nil
	}
	select {
	case <-l.querySlot:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { l.querySlot <- struct{}{} }()
	if known := l.cachedAfter(after); known != nil { // that of the turn before
		return known, nil
	}
	if err := l.waitFloor(ctx); err != nil {
		return nil, err
	}
	at := time.Now()
	l.mu.Lock()
	l.nextQueryAt = at.Add(l.floor)
	l.mu.Unlock()
	jobs, err := l.query(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = &Listing{At: at, Jobs: jobs}
	return l.last, nil
}

func (l *ListingCache) cachedAfter(after time.Time) *Listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last != nil && l.last.At.After(after) {
		return l.last
	}
	return nil
}

// waitFloor keeps the floor.
func (l *ListingCache) waitFloor(ctx context.Context) error {
	l.mu.Lock()
	left := time.Until(l.nextQueryAt)
	l.mu.Unlock()
	if left <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
