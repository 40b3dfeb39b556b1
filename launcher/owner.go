package launcher

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/pilot"
)

// leaseRead is what a look at leases brought.
type leaseRead struct {
	alive  map[string]bool // by the launcher's id
	failed bool            // some could not be read
}

// startLeases looks, every now and then, at the leases of the other launchers
// that live pilots belong to; and at its own, to know whether the bus answers, while
// there is a pilot whose end would be taken from its agent's silence.
func (l *Launcher) startLeases(now time.Time) {
	if l.leasing || l.leaving || now.Before(l.leasedAt.Add(l.lim.Lease)) {
		return
	}
	owners := l.awaited()
	l.leasedAt = now
	if len(owners) == 0 {
		clear(l.owners)
		return
	}
	l.leasing = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), l.lim.Effect)
		defer cancel()
		r := leaseRead{alive: owners}
		for id := range owners {
			alive, err := l.leases.Alive(ctx, pilot.LeaseOf(l.resource, id))
			if err != nil {
				l.logger.Warn("lease cannot be read", zap.String("owner", id), zap.Error(err))
				alive, r.failed = true, true // nothing is known: nothing is taken over
			}
			owners[id] = alive
		}
		l.leased <- r
	}()
}

// awaited gives the launchers whose leases matter.
func (l *Launcher) awaited() map[string]bool {
	owners := map[string]bool{}
	for key, t := range l.tracks {
		p, ok := l.view.Get(key.Manager, key.Pilot)
		if !ok || !p.State.Live() || p.Launcher == "" {
			continue
		}
		if p.Launcher != l.id || !t.near(&p) {
			owners[p.Launcher] = false
		}
	}
	return owners
}

func (l *Launcher) takeLeases(r leaseRead) {
	l.leasing = false
	now := time.Now()
	if r.failed {
		l.unheard = now
	}
	owners := make(map[string]ownership, len(r.alive))
	for id, is := range r.alive {
		o := ownership{Known: true, Alive: is}
		if !is {
			o.Since = now
			if was := l.owners[id]; was.Known && !was.Alive {
				o.Since = was.Since
			}
		}
		owners[id] = o
	}
	l.owners = owners
	for key, t := range l.tracks {
		if p, ok := l.view.Get(key.Manager, key.Pilot); ok && p.Launcher != l.id && owners[p.Launcher].Known {
			l.look(t)
		}
	}
}
