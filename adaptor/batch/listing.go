package batch

import (
	"context"
	"sync"
	"time"
)

// Listings keeps the last answer of a query and shares it: one query is under
// way at a time, and two begin a floor apart.
type Listings struct {
	query func(context.Context) ([]Record, error)
	floor time.Duration

	turn chan struct{} // holds one; who has it may ask
	mu   sync.Mutex
	last *Listing
	next time.Time // no query before
}

// NewListings makes a Lister of a query.
func NewListings(query func(context.Context) ([]Record, error), floor time.Duration) *Listings {
	l := &Listings{query: query, floor: floor, turn: make(chan struct{}, 1)} // 1: one turn
	l.turn <- struct{}{}
	return l
}

// Listing gives one that was asked for after a time. It waits for one that is
// under way and for the floor. An error is that of the query this caller made;
// others make their own, a floor later.
func (l *Listings) Listing(ctx context.Context, after time.Time) (*Listing, error) {
	if known := l.newer(after); known != nil {
		return known, nil
	}
	select {
	case <-l.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { l.turn <- struct{}{} }()
	if known := l.newer(after); known != nil { // that of the turn before
		return known, nil
	}
	if err := l.wait(ctx); err != nil {
		return nil, err
	}
	at := time.Now()
	l.mu.Lock()
	l.next = at.Add(l.floor)
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

func (l *Listings) newer(after time.Time) *Listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last != nil && l.last.At.After(after) {
		return l.last
	}
	return nil
}

// wait keeps the floor.
func (l *Listings) wait(ctx context.Context) error {
	l.mu.Lock()
	left := time.Until(l.next)
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
