package manager

import (
	"context"

	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// Stats is how a replica stands, for those who look after it.
type Stats struct {
	CaughtUp   bool
	Applied    uint64 // all of the log up to here is folded, once caught up
	Pilots     map[projection.Tally]int
	Degraded   int // pilots of which a message was not understood
	Oddities   projection.Oddities
	WaitPlaces int // places in calls of Wait
	// Torn are the lists of which the log has a part and never will have the rest; they
	// are ignored.
	Torn struct{ Lists, Births int }
}

// Stats counts, also while the replica catches up. That it does not come back
// before ctx ends means that the owner of the fold is stuck; after Run has
// ended the code is unavailable.
func (m *Manager) Stats(ctx context.Context) (Stats, error) {
	out := make(chan Stats, 1) // the owner never waits for us
	err := m.post(ctx, func(st *state) {
		c := Stats{
			Applied: st.applied, Pilots: st.view.Counts(), Degraded: st.view.Degraded(),
			Oddities: st.view.Oddities(), WaitPlaces: st.waitPlaces,
		}
		c.Torn.Lists, c.Torn.Births = st.view.CountTorn(st.applied)
		select {
		case <-m.ready:
			c.CaughtUp = true
		default:
		}
		out <- c
	})
	if err != nil {
		return Stats{}, err
	}
	select {
	case c := <-out:
		return c, nil
	case <-m.ended:
		return Stats{}, errStopped
	case <-ctx.Done():
		return Stats{}, &pilot.Error{Code: pilot.Timeout, Op: "count", Err: context.Cause(ctx)}
	}
}
