package launcher

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/projection"
)

// Meter is told what a launcher does, for those who look after it. Its methods
// must not block; they are called from several goroutines at once.
type Meter interface {
	// PilotMoved: a change of this launcher is in the log. before is the pilot as
	// it was. Neither may be kept or written to.
	PilotMoved(before *projection.Pilot, e *events.Event)
	// DuplicateFenced: a duplicate was shut out.
	DuplicateFenced(what Fence)
}

// Fence is what was shut out.
type Fence string

// What can be: a batch job whose attempt was superseded while it was
// submitted, and an agent that has no claim to the present attempt.
const (
	FencedJob   Fence = "job"
	FencedAgent Fence = "agent"
)

// noopMeter is who is told where nobody wants to know.
type noopMeter struct{}

func (noopMeter) PilotMoved(*projection.Pilot, *events.Event) {}

func (noopMeter) DuplicateFenced(Fence) {}

// Stats is how a launcher stands, for those who look after it.
type Stats struct {
	CaughtUp bool
	Applied  uint64 // highest position folded, of what is about its resource
	Live     int    // pilots of the resource that it follows
	Held     int    // submit commands it has off the queue
	Effects  int    // under way
	Waiting  int    // pilots that wait for an effect's turn
	// PollAge is, for each batch system, how old the oldest answer is about a
	// job that this launcher looks after; none: there are no such jobs.
	PollAge map[string]time.Duration
}

// Stats counts. That it does not come back before ctx ends means that the
// owner is stuck; after Run has ended the code is unavailable.
func (l *Launcher) Stats(ctx context.Context) (Stats, error) {
	return ask(ctx, l, "count", func() Stats { return l.collectStats(time.Now()) })
}

func (l *Launcher) collectStats(now time.Time) Stats {
	c := Stats{CaughtUp: l.caughtUp, Applied: l.view.Applied(), Live: len(l.tracked), PollAge: map[string]time.Duration{}}
	c.Effects, c.Waiting = l.countEffects()
	for key, t := range l.tracked {
		if t.heldCommand != nil {
			c.Held++
		}
		p, ok := l.view.Get(key.Manager, key.Pilot)
		if !ok || !p.State.Live() || t.system == nil || p.Launcher != l.id || !p.Job.Known() {
			continue
		}
		heard := t.LastAnswerAt
		if heard.IsZero() {
			heard = p.ChangedAt
		}
		system := t.config.System()
		c.PollAge[system] = max(c.PollAge[system], now.Sub(heard), 0)
	}
	return c
}
