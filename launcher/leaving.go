package launcher

import (
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// leaving ends a job that somebody wants gone, asking first.
func (s *sight) leaving(now time.Time, lim *Limits) effect {
	switch {
	case !s.Job.Known():
		return s.leavingWithoutJob(now)
	case s.Poll != nil && s.Poll.Phase == adaptor.Ended && s.Poll.Outcome != nil:
		return effect{Act: record, Change: s.outcomeChange(s.Poll.Outcome)}
	case s.Poll != nil && s.Poll.Phase == adaptor.Ended:
		return s.gone("")
	case s.Poll != nil && s.Poll.Phase == adaptor.Vanished && !now.Before(s.GoneAt.Add(s.patience(lim))):
		return s.gone("the batch system does not know the job any more")
	}
	if order, due := s.stopDue(now, lim); due {
		return effect{Act: stop, Stop: order}
	}
	next := s.pollAt(s.PolledAt.Add(s.seldom(s.PolledAt, lim.PollLeaving, s.Pace)), now)
	if next.Act == wait && s.StopSent == asked {
		next.At = earlier(next.At, s.graceOver(lim))
	}
	return s.tellHealth(next)
}

func (s *sight) leavingWithoutJob(now time.Time) effect {
	settled := s.ChangedAt.Add(s.Settle)
	switch {
	case s.Refusal != nil && s.Refusal.Class != adaptor.Uncertain, s.Secret && s.Refusal == nil:
		// Nothing was submitted, or certainly nothing arrived.
	case s.Refusal != nil:
		settled = s.RefusedAt.Add(s.Settle)
		fallthrough
	default:
		if e, sure := s.seek(now, settled); !sure {
			return e
		}
	}
	if s.State == pilot.Stopping {
		return s.gone("the batch system knows no job of it")
	}
	return effect{Act: record, Change: change{Kind: pilot.JobCanceled, Cause: &pilot.Cause{
		Code: pilot.CanceledBeforeLaunch, Message: s.Cancel.Reason,
	}}}
}

// stopDue says whether the job is to be told to stop now, and how: first with
// its grace, then, or if asked for, by force, again and again while it runs.
func (s *sight) stopDue(now time.Time, lim *Limits) (adaptor.Stop, bool) {
	order := adaptor.Stop{Grace: api.Duration(s.Cancel.Grace)}
	order.Force = s.Cancel.Force || s.StopSent != notSent && !now.Before(s.graceOver(lim))
	switch s.StopSent {
	case notSent:
		return order, true
	case asked:
		return order, order.Force || s.StopFailed && !now.Before(s.StoppedAt.Add(10*lim.PollLeaving))
	default:
		order.Force = true
		return order, !now.Before(s.StoppedAt.Add(s.seldom(s.StoppedAt, 10*lim.PollLeaving, maxBackoff)))
	}
}

// seldom is the pause after what was done at a time about a job that should be gone: a
// tenth of how long it has not gone then, from least to most. On a node that does
// not answer, jobs end for hours.
func (s *sight) seldom(at time.Time, least, most time.Duration) time.Duration {
	return max(least, min(most, at.Sub(s.ChangedAt)/10))
}

// graceOver is when asking has been enough. A launcher that came late to it
// does not begin anew.
func (s *sight) graceOver(lim *Limits) time.Time {
	all := s.Cancel.Grace + lim.Slack
	asked := s.Cancel.At.Add(all)
	if soon := s.StoppedAt.Add(min(all, lim.Slack)); asked.Before(soon) {
		asked = soon
	}
	return earlier(s.StoppedAt.Add(all), asked)
}

// gone records that a job which was to end is there no more.
func (s *sight) gone(underlying string) effect {
	return effect{Act: record, Change: change{Kind: pilot.JobCanceled, Cause: canceledCause(&s.Status, underlying)}}
}

// canceledCause is the cause of a canceled pilot whose job did not say so itself.
func canceledCause(st *pilot.Status, underlying string) *pilot.Cause {
	code := pilot.KilledAfterGrace
	if st.State != pilot.Stopping {
		code = pilot.CanceledInQueue
	}
	return &pilot.Cause{Code: code, Message: st.Cancel.Reason, Underlying: underlying}
}
