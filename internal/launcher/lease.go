package launcher

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/launcher/decide"
	"github.com/flightlog/flightlog/internal/subject"
)

// leaseRead is what a look at leases brought.
type leaseRead struct {
	alive  map[string]bool // by the launcher's id
	failed bool            // some could not be read
}

// startLeaseRead looks, every now and then, at the leases of the other launchers
// that live pilots belong to; and at its own, to know whether the bus answers, while
// there is a pilot whose end would be taken from its agent's silence.
func (l *Launcher) startLeaseRead(now time.Time) {
	if l.readingLeases || l.draining || now.Before(l.leasesReadAt.Add(l.lim.LeaseCheck)) {
		return
	}
	owners := l.leasesToRead()
	l.leasesReadAt = now
	if len(owners) == 0 {
		clear(l.leaseStates)
		return
	}
	l.readingLeases = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), l.lim.EffectTimeout)
		defer cancel()
		r := leaseRead{alive: owners}
		for id := range owners {
			alive, err := l.leases.Alive(ctx, subject.LauncherLease(l.resource, id))
			if err != nil {
				l.logger.Warn("lease cannot be read", zap.String("owner", id), zap.Error(err))
				alive, r.failed = true, true // nothing is known: nothing is taken over
			}
			owners[id] = alive
		}
		l.leaseReads <- r
	}()
}

// leasesToRead gives the launchers whose leases matter.
func (l *Launcher) leasesToRead() map[string]bool {
	owners := map[string]bool{}
	for key, t := range l.tracked {
		p, ok := l.view.Get(key.Manager, key.Pilot)
		if !ok || !p.State.Live() || p.Launcher == "" {
			continue
		}
		if p.Launcher != l.id || !t.canSeeJob(&p) {
			owners[p.Launcher] = false
		}
	}
	return owners
}

func (l *Launcher) applyLeases(r leaseRead) {
	l.readingLeases = false
	now := time.Now()
	if r.failed {
		l.busSilentAt = now
	}
	owners := make(map[string]decide.Lease, len(r.alive))
	for id, is := range r.alive {
		o := decide.Lease{Known: true, Alive: is}
		if !is {
			o.DeadSince = now
			if was := l.leaseStates[id]; was.Known && !was.Alive {
				o.DeadSince = was.DeadSince
			}
		}
		owners[id] = o
	}
	l.leaseStates = owners
	for key, t := range l.tracked {
		if p, ok := l.view.Get(key.Manager, key.Pilot); ok && p.Launcher != l.id && owners[p.Launcher].Known {
			l.reconcile(t)
		}
	}
}
