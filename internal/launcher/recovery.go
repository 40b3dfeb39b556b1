package launcher

import (
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
)

// recordAnswering takes note of whether a batch system answers polls and submits. When it does
// again, pilots that wait for it are tried soon, whatever pause they were told to make
// while it was away: those that a launcher looks for a job of, at once; those that are
// to be submitted, when their command comes again, see retryAt.
func (l *Launcher) recordAnswering(system adaptor.Adaptor, does bool, now time.Time) {
	a := l.queryStateOf(system)
	back := a.unanswered && does
	if a.unanswered = !does; !back {
		return
	}
	a.recoveredAt = now
	for _, t := range l.tracked {
		if t.system == system && t.FailedFinds > 0 {
			t.FailedFinds, t.wakeAt = 0, now
		}
	}
}
