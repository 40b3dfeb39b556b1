package manager

import (
	"context"

	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// Census is how a replica stands, for those who look after it.
type Census struct {
	CaughtUp bool
	Applied  uint64 // all of the log up to here is folded, once caught up
	Pilots   map[projection.Tally]int
	Degraded int // pilots of which a message was not understood
	Oddities projection.Oddities
	Waiting  int // places in calls of Wait
	// Torn are the lists of which the log has a part and never will have the rest; they
	// are ignored.
	Torn struct{ Lists, Births int }
}

// Census counts, also while the replica catches up. That it does not come back
// before ctx ends means that the owner of the fold is stuck; after Run has
// ended the code is unavailable.
func (m *Manager) Census(ctx context.Context) (Census, error) {
	out := make(chan Census, 1) // the owner never waits for us
	err := m.tell(ctx, func(w *world) {
		c := Census{
			Applied: w.applied, Pilots: w.view.Counts(), Degraded: w.view.Degraded(),
			Oddities: w.view.Oddities(), Waiting: w.places,
		}
		c.Torn.Lists, c.Torn.Births = w.view.Torn(w.applied)
		select {
		case <-m.ready:
			c.CaughtUp = true
		default:
		}
		out <- c
	})
	if err != nil {
		return Census{}, err
	}
	select {
	case c := <-out:
		return c, nil
	case <-m.ended:
		return Census{}, errStopped
	case <-ctx.Done():
		return Census{}, &pilot.Error{Code: pilot.Timeout, Op: "count", Err: context.Cause(ctx)}
	}
}
