package decide

import (
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// decideEnded looks after what a pilot that has ended may leave: its command, a job that
// its system takes into the queue again, and its sandbox.
func (o *Observation) decideEnded(now time.Time, lim *Limits) Effect {
	switch {
	case o.HoldsCommand:
		return Effect{Act: ActAck}
	case o.Launcher != o.Self:
		return Effect{}
	case o.OpenErr != "":
		if o.hasSandboxLeft() {
			return Effect{At: o.reopenAt(o.EndedAt, now, lim, maxBackoff)}
		}
		return Effect{}
	case o.wasRequeued():
		if now.Before(o.StopSentAt.Add(10 * lim.PollCanceling)) {
			return o.pollAt(o.PolledAt.Add(lim.PollCanceling), now)
		}
		return Effect{Act: ActStop, Stop: adaptor.Stop{Force: true}}
	}
	if e := o.removeSandbox(now, lim); e.Act != ActWait || !e.At.IsZero() {
		return e
	}
	if o.mayBeRequeued() && now.Before(o.ChangedAt.Add(lim.VanishedAfter)) {
		return o.pollAt(o.PolledAt.Add(o.PollInterval), now)
	}
	return Effect{}
}

// mayBeRequeued: a system that preempted a job, or lost its node, may begin it once more.
func (o *Observation) mayBeRequeued() bool {
	return o.State == pilot.Failed && o.BulkPolled && o.Job.Known()
}

// wasRequeued says that the job of a pilot that has failed waits in the queue.
func (o *Observation) wasRequeued() bool {
	return o.mayBeRequeued() && o.LastPoll != nil && o.PolledAt.After(o.ChangedAt) &&
		(o.LastPoll.Phase == adaptor.Queued || o.LastPoll.Phase == adaptor.Held)
}

// hasSandboxLeft says that there is a sandbox to remove.
func (o *Observation) hasSandboxLeft() bool {
	return o.Submission != nil && o.Submission.Description.Cleanup && o.Sandbox != "" && !o.Cleaned
}

// removeSandbox removes the sandbox, where that is wished and nothing writes there any more.
func (o *Observation) removeSandbox(now time.Time, lim *Limits) Effect {
	switch {
	case !o.hasSandboxLeft():
		return Effect{}
	case o.Cause != nil && o.Cause.Code == pilot.JobVanished:
		return Effect{} // it may run on, for all that is known
	case o.LastPoll != nil && (o.LastPoll.Phase == adaptor.Ended || o.LastPoll.Phase == adaptor.Vanished):
		return Effect{Act: ActCleanup}
	case now.After(o.EndedAt.Add(lim.VanishedAfter)) && o.LastPoll != nil:
		return Effect{} // something of it still runs, or nobody can say
	default:
		return o.pollAt(o.PolledAt.Add(lim.PollCanceling), now) // the agent may still be writing
	}
}
