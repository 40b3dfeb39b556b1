package launcher

import (
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/launcher/decide"
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

// queryStateOf is how a batch system is asked.
func (l *Launcher) queryStateOf(system adaptor.Adaptor) *queryState {
	a := l.queries[system]
	if a == nil {
		a = &queryState{}
		l.queries[system] = a
	}
	return a
}

// systemAnswered says what an effect tells of whether its batch system answers, if anything.
func (r *result) systemAnswered() (does, known bool) {
	switch {
	case r.effect.Act != decide.ActLaunch:
		return false, false
	case r.submittedJob != nil:
		return true, true
	default:
		return false, r.submitErr != nil && r.submitErr.NoAnswer
	}
}
