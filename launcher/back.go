package launcher

import (
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// takeAnswer takes note of whether a batch system answers polls and submits. When it does
// again, pilots that wait for it are tried soon, whatever pause they were told to make
// while it was away: those that a launcher looks for a job of, at once; those that are
// to be submitted, when their command comes again, see retryAt.
func (l *Launcher) takeAnswer(system adaptor.Adaptor, does bool, now time.Time) {
	a := l.askingOf(system)
	back := a.away && does
	if a.away = !does; !back {
		return
	}
	a.back = now
	for _, t := range l.tracks {
		if t.system == system && t.unasked > 0 {
			t.unasked, t.wake = 0, now
		}
	}
}

// askingOf is how a batch system is asked.
func (l *Launcher) askingOf(system adaptor.Adaptor) *asking {
	a := l.asking[system]
	if a == nil {
		a = &asking{}
		l.asking[system] = a
	}
	return a
}

// systemAnswers says what an effect tells of whether its batch system answers, if anything.
func (r *result) systemAnswers() (does, known bool) {
	switch {
	case r.effect.Act != launch:
		return false, false
	case r.placed != nil:
		return true, true
	default:
		return false, r.refusal != nil && r.refusal.Away
	}
}

// back says that the pause of a pilot is over, for its batch system was away and is not.
func (s *sight) back() bool {
	return s.Cause != nil && s.Cause.Code == pilot.LaunchError && s.Back.After(s.ChangedAt)
}

// retryAt is when the command of a pilot that makes a pause comes again; until then the
// queue gives it to nobody. That is before the pause is over, for its batch system may be
// back; but not at once, for one that answers by fits and starts is not to be rushed at,
// nor the log to be filled with attempts.
func (s *sight) retryAt(now time.Time, lim *Limits) time.Time {
	return earlier(s.NotBefore, now.Add(max(s.NotBefore.Sub(s.ChangedAt)/8, lim.Lease)))
}
