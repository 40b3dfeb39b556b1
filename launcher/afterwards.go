package launcher

import (
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// afterEnd looks after what a pilot that has ended may leave: its command, a job that
// its system takes into the queue again, and its sandbox.
func (s *sight) afterEnd(now time.Time, lim *Limits) effect {
	switch {
	case s.Held:
		return effect{Act: ack}
	case s.Launcher != s.Me:
		return effect{}
	case s.Closed != "":
		if s.untidy() {
			return effect{At: s.reopen(s.EndedAt, now, lim, maxBackoff)}
		}
		return effect{}
	case s.takenBack():
		if now.Before(s.StoppedAt.Add(10 * lim.PollLeaving)) {
			return s.pollAt(s.PolledAt.Add(lim.PollLeaving), now)
		}
		return effect{Act: stop, Stop: adaptor.Stop{Force: true}}
	}
	if e := s.tidy(now, lim); e.Act != wait || !e.At.IsZero() {
		return e
	}
	if s.mayComeBack() && now.Before(s.ChangedAt.Add(lim.Vanish)) {
		return s.pollAt(s.PolledAt.Add(s.Pace), now)
	}
	return effect{}
}

// mayComeBack: a system that preempted a job, or lost its node, may begin it once more.
func (s *sight) mayComeBack() bool { return s.State == pilot.Failed && s.Shared && s.Job.Known() }

// takenBack says that the job of a pilot that has failed waits in the queue.
func (s *sight) takenBack() bool {
	return s.mayComeBack() && s.Poll != nil && s.PolledAt.After(s.ChangedAt) &&
		(s.Poll.Phase == adaptor.Queued || s.Poll.Phase == adaptor.Held)
}

// untidy says that there is a sandbox to remove.
func (s *sight) untidy() bool {
	return s.Birth != nil && s.Birth.Description.Cleanup && s.Sandbox != "" && !s.Cleaned
}

// tidy removes the sandbox, where that is wished and nothing writes there any more.
func (s *sight) tidy(now time.Time, lim *Limits) effect {
	switch {
	case !s.untidy():
		return effect{}
	case s.Cause != nil && s.Cause.Code == pilot.JobVanished:
		return effect{} // it may run on, for all that is known
	case s.Poll != nil && (s.Poll.Phase == adaptor.Ended || s.Poll.Phase == adaptor.Vanished):
		return effect{Act: cleanup}
	case now.After(s.EndedAt.Add(lim.Vanish)) && s.Poll != nil:
		return effect{} // something of it still runs, or nobody can say
	default:
		return s.pollAt(s.PolledAt.Add(lim.PollLeaving), now) // the agent may still be writing
	}
}
