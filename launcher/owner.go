package launcher

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/pilot"
)

// startLeases looks, every now and then, at the leases of the other launchers
// that live pilots belong to.
func (l *Launcher) startLeases(now time.Time) {
	if l.leasing || l.leaving || now.Before(l.leasedAt.Add(l.lim.Lease)) {
		return
	}
	others := map[string]bool{}
	for key := range l.tracks {
		if p, ok := l.view.Get(key.Manager, key.Pilot); ok && p.State.Live() && p.Launcher != "" && p.Launcher != l.id {
			others[p.Launcher] = false
		}
	}
	l.leasedAt = now
	if len(others) == 0 {
		clear(l.owners)
		return
	}
	l.leasing = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), l.lim.Effect)
		defer cancel()
		for id := range others {
			alive, err := l.leases.Alive(ctx, pilot.LeaseOf(l.resource, id))
			if err != nil {
				l.logger.Warn("lease cannot be read", zap.String("owner", id), zap.Error(err))
				alive = true // nothing is known: nothing is taken over
			}
			others[id] = alive
		}
		l.leased <- others
	}()
}

func (l *Launcher) takeLeases(alive map[string]bool) {
	l.leasing = false
	now := time.Now()
	owners := make(map[string]ownership, len(alive))
	for id, is := range alive {
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
