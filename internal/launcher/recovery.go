package launcher

import (
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
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
	case r.effect.Act != actLaunch:
		return false, false
	case r.submittedJob != nil:
		return true, true
	default:
		return false, r.submitErr != nil && r.submitErr.NoAnswer
	}
}

// systemRecovered says that the pause of a pilot is over, for its batch system was away and is not.
func (o *observation) systemRecovered() bool {
	return o.Cause != nil && o.Cause.Code == pilot.LaunchError && o.RecoveredAt.After(o.ChangedAt)
}

// retryAt is when the command of a pilot that makes a pause comes again; until then the
// queue gives it to nobody. That is before the pause is over, for its batch system may be
// back; but not at once, for one that answers by fits and starts is not to be rushed at,
// nor the log to be filled with attempts.
func (o *observation) retryAt(now time.Time, lim *Limits) time.Time {
	return earlierTime(o.NotBefore, now.Add(max(o.NotBefore.Sub(o.ChangedAt)/8, lim.LeaseCheck)))
}
