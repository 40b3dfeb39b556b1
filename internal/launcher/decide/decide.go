package decide

import (
	"fmt"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// NextEffect returns what a pilot needs now. Where it waits for something that makes no
// noise, the effect says when to look again.
func NextEffect(o *Observation, now time.Time, lim *Limits) Effect {
	switch {
	case o.State.Final():
		return o.decideEnded(now, lim)
	case o.State == pilot.PendingLaunch:
		return o.decidePendingLaunch(now, lim)
	case !o.Supported:
		return o.handBack(now, lim)
	case o.Launcher != o.Self:
		return o.decideForeign(now, lim)
	case o.State == pilot.Launching:
		return o.decideLaunching(now, lim)
	case o.SubmittedJob != nil && !o.Job.Known(): // the agent, or a cancel, was faster
		return Effect{Act: ActRecord, Change: Change{Kind: pilot.KindPendingActive, SubmittedJob: o.SubmittedJob}}
	case o.HoldsCommand:
		return Effect{Act: ActAck}
	case o.Job.Known() && !o.CanSeeJob && !o.showsSign():
		return o.decideUnseen(now, lim)
	case o.State.IsCanceling():
		return o.decideCanceling(now, lim)
	default:
		return o.decideRunning(now, lim)
	}
}

// handBack leaves a pilot to launchers that can drive its batch system.
func (o *Observation) handBack(now time.Time, lim *Limits) Effect {
	switch {
	case o.HoldsCommand:
		return Effect{Act: ActRequeue, At: now.Add(lim.LeaseCheck)}
	case o.OpenErr != "" && !o.NeverSupported && o.Launcher == o.Self:
		return o.noteUnreachable(o.OpenErr, Effect{At: o.reopenAt(o.ChangedAt, now, lim, maxBackoff)})
	default:
		return Effect{}
	}
}

func (o *Observation) decidePendingLaunch(now time.Time, lim *Limits) Effect {
	switch {
	case o.Submission == nil: // its command does not decode, so the queue gives it to nobody
		return o.failPilot(pilot.LaunchError, "the log holds no description of this pilot that can be read")
	case !o.HoldsCommand:
		return Effect{} // the queue gives it to somebody
	case !o.Supported && o.NeverSupported:
		return o.failPilot(pilot.LaunchError, "no launcher of %s can drive its batch system: %s", o.Resource, o.OpenErr)
	case !o.Supported:
		return o.noteUnreachable(o.OpenErr, Effect{Act: ActRequeue, At: o.reopenAt(o.SubmittedAt, now, lim, maxBackoff)})
	case o.Failures >= lim.Attempts && !now.Before(o.SubmittedAt.Add(lim.GiveUp)):
		return o.failPilot(pilot.RetriesExhausted, "the answers of %d submits were lost or not understood; the last: %s", o.Failures, o.lastCauseText())
	case now.Before(o.NotBefore) && !o.systemRecovered():
		return o.noteNotLaunched(Effect{Act: ActRequeue, At: o.retryAt(now, lim)})
	case o.UnreachableWhy != "":
		return o.noteUnreachable(o.UnreachableWhy, Effect{Act: ActRequeue, At: o.reopenAt(o.UnreachableSince, now, lim, maxReachPause)})
	case o.ChecksReach && !o.Reachable:
		return Effect{Act: ActReach}
	default:
		return Effect{Act: ActRecord, Change: Change{Kind: pilot.KindLaunching}}
	}
}

// lastCauseText is why the last attempt ended.
func (o *Observation) lastCauseText() string {
	if o.Cause == nil {
		return "for an unknown reason"
	}
	return o.Cause.Message
}

// decideLaunching goes on with an attempt that is this launcher's.
func (o *Observation) decideLaunching(now time.Time, lim *Limits) Effect {
	switch {
	case o.SubmittedJob != nil:
		return Effect{Act: ActRecord, Change: Change{Kind: pilot.KindPendingActive, SubmittedJob: o.SubmittedJob}}
	case o.SubmitErr != nil:
		return o.submitFailed(now, lim)
	case o.Secret != "":
		return Effect{Act: ActLaunch}
	default:
		return o.relaunch(now, lim) // begun by an earlier life of this launcher
	}
}

// decideForeign decides about a pilot that another launcher looks after.
func (o *Observation) decideForeign(now time.Time, lim *Limits) Effect {
	begun := o.State == pilot.Launching || o.State.IsCanceling() && !o.Job.Known()
	switch {
	case o.HoldsCommand && !begun:
		return Effect{Act: ActAck}
	case !o.OwnerLease.Known || o.OwnerLease.Alive:
		if o.HoldsCommand {
			return Effect{Act: ActRequeue, At: now.Add(lim.LeaseCheck)}
		}
		return Effect{}
	case o.State == pilot.Launching:
		return o.takeOverLaunch(now, lim)
	case o.CanSeeJob || o.showsSign():
		return Effect{Act: ActRecord, Change: Change{Kind: pilot.KindAdopted}}
	default:
		return o.decideUnseen(now, lim)
	}
}

// takeOverLaunch continues an attempt whose launcher is gone: whatever job it made
// is recorded; if there is none, a new attempt shuts the old one out.
func (o *Observation) takeOverLaunch(now time.Time, lim *Limits) Effect {
	switch {
	case !o.HoldsCommand:
		return Effect{} // the queue gives it to somebody
	case o.SubmittedJob != nil:
		return Effect{Act: ActRecord, Change: Change{Kind: pilot.KindPendingActive, SubmittedJob: o.SubmittedJob}}
	default:
		return o.relaunch(now, lim)
	}
}

func (o *Observation) failPilot(code pilot.CauseCode, format string, args ...any) Effect {
	return Effect{Act: ActRecord, Change: Change{
		Kind: pilot.KindFailed, Cause: &pilot.Cause{Code: code, Message: fmt.Sprintf(format, args...)},
	}}
}

// systemRecovered says that the pause of a pilot is over, for its batch system was away and is not.
func (o *Observation) systemRecovered() bool {
	return o.Cause != nil && o.Cause.Code == pilot.LaunchError && o.RecoveredAt.After(o.ChangedAt)
}

// retryAt is when the command of a pilot that makes a pause comes again; until then the
// queue gives it to nobody. That is before the pause is over, for its batch system may be
// back; but not at once, for one that answers by fits and starts is not to be rushed at,
// nor the log to be filled with attempts.
func (o *Observation) retryAt(now time.Time, lim *Limits) time.Time {
	return earlierTime(o.NotBefore, now.Add(max(o.NotBefore.Sub(o.ChangedAt)/8, lim.LeaseCheck)))
}

// reopenAt is when to try again: ever more seldom, up to a pause.
func (o *Observation) reopenAt(since, now time.Time, lim *Limits, most time.Duration) time.Time {
	return now.Add(min(max(now.Sub(since)/8, lim.LeaseCheck), most))
}

// maxReachPause is the longest pause before a pilot asks again whether there is a way to
// its batch system: that asks nobody but the connection here, which has pauses of its own.
const maxReachPause = time.Minute
