package decide

import (
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// decideCanceling ends a job that somebody wants gone, asking first.
func (o *Observation) decideCanceling(now time.Time, lim *Limits) Effect {
	switch {
	case !o.Job.Known():
		return o.cancelWithoutJob(now)
	case o.LastPoll != nil && o.LastPoll.Phase == adaptor.Ended && o.LastPoll.Outcome != nil:
		return Effect{Act: ActRecord, Change: o.outcomeChange(o.LastPoll.Outcome)}
	case o.LastPoll != nil && o.LastPoll.Phase == adaptor.Ended:
		return o.recordCanceled("")
	case o.LastPoll != nil && o.LastPoll.Phase == adaptor.Vanished && !now.Before(o.VanishedSince.Add(o.vanishPatience(lim))):
		return o.recordCanceled("the batch system does not know the job any more")
	}
	if stop, due := o.stopDue(now, lim); due {
		return Effect{Act: ActStop, Stop: stop}
	}
	next := o.pollAt(o.PolledAt.Add(o.overdueBackoff(o.PolledAt, lim.PollCanceling, o.PollInterval)), now)
	if next.Act == ActWait && o.StopSent == StopAsked {
		next.At = earlierTime(next.At, o.graceEnd(lim))
	}
	return o.addHealthNote(next)
}

func (o *Observation) cancelWithoutJob(now time.Time) Effect {
	settled := o.ChangedAt.Add(o.SettleTime)
	switch {
	case o.SubmitErr != nil && o.SubmitErr.Class != adaptor.Uncertain, o.Secret != "" && o.SubmitErr == nil:
		// Nothing was submitted, or certainly nothing arrived.
	case o.SubmitErr != nil:
		settled = o.SubmitFailedAt.Add(o.SettleTime)
		fallthrough
	default:
		if e, sure := o.findByToken(now, settled); !sure {
			return e
		}
	}
	if o.State == pilot.Stopping {
		return o.recordCanceled("the batch system knows no job of it")
	}
	return Effect{Act: ActRecord, Change: Change{Kind: pilot.KindCanceled, Cause: &pilot.Cause{
		Code: pilot.CanceledBeforeLaunch, Message: o.Cancel.Reason,
	}}}
}

// stopDue says whether the job is to be told to stop now, and how: first with
// its grace, then, or if asked for, by force, again and again while it runs.
func (o *Observation) stopDue(now time.Time, lim *Limits) (adaptor.Stop, bool) {
	stop := adaptor.Stop{Grace: api.Duration(o.Cancel.Grace)}
	stop.Force = o.Cancel.Force || o.StopSent != StopNotSent && !now.Before(o.graceEnd(lim))
	switch o.StopSent {
	case StopNotSent:
		return stop, true
	case StopAsked:
		return stop, stop.Force || o.StopFailed && !now.Before(o.StopSentAt.Add(10*lim.PollCanceling))
	default:
		stop.Force = true
		return stop, !now.Before(o.StopSentAt.Add(o.overdueBackoff(o.StopSentAt, 10*lim.PollCanceling, maxBackoff)))
	}
}

// overdueBackoff is the pause after what was done at a time about a job that should be gone: a
// tenth of how long it has not gone then, from least to most. On a node that does
// not answer, jobs end for hours.
func (o *Observation) overdueBackoff(at time.Time, least, most time.Duration) time.Duration {
	return max(least, min(most, at.Sub(o.ChangedAt)/10))
}

// graceEnd is when asking has been enough. A launcher that came late to it
// does not begin anew.
func (o *Observation) graceEnd(lim *Limits) time.Time {
	all := o.Cancel.Grace + lim.KillSlack
	askedUntil := o.Cancel.At.Add(all)
	if soon := o.StopSentAt.Add(min(all, lim.KillSlack)); askedUntil.Before(soon) {
		askedUntil = soon
	}
	return earlierTime(o.StopSentAt.Add(all), askedUntil)
}

// recordCanceled records that a job which was to end is there no more.
func (o *Observation) recordCanceled(underlying string) Effect {
	return Effect{Act: ActRecord, Change: Change{Kind: pilot.KindCanceled, Cause: canceledCause(&o.Status, underlying)}}
}

// canceledCause is the cause of a canceled pilot whose job did not say so itself.
func canceledCause(st *pilot.Status, underlying string) *pilot.Cause {
	code := pilot.KilledAfterGrace
	if st.State != pilot.Stopping {
		code = pilot.CanceledInQueue
	}
	return &pilot.Cause{Code: code, Message: st.Cancel.Reason, Underlying: underlying}
}
