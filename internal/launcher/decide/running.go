package decide

import (
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// decideRunning looks after a job.
func (o *Observation) decideRunning(now time.Time, lim *Limits) Effect {
	switch {
	case !o.Job.Known():
		last := o.ActiveAt // there was one; its agent, which is heard, has one
		if o.AgentHeardAt.After(last) {
			last = o.AgentHeardAt
		}
		if e, sure := o.findByToken(now, last.Add(max(o.SettleTime, lim.VanishedAfter))); !sure {
			return e
		}
		return o.failPilot(pilot.AgentLost, "the batch system knows no job of attempt %d", o.Attempt)
	case o.LastPoll == nil:
		return Effect{Act: ActPoll}
	}
	if b := o.LastPoll.AgentStart; b != nil && o.State == pilot.PendingActive { // also of a job that began and ended between two polls
		return Effect{Act: ActRecord, Change: Change{Kind: pilot.KindActive, Since: b.At, Agent: &api.AgentRequest{
			Instance: b.Instance, Nodes: b.Nodes, Cores: o.Submission.Description.Cores, GPUs: o.Submission.Description.GPUs,
		}}}
	}
	switch o.LastPoll.Phase {
	case adaptor.Ended:
		return o.recordEnd()
	case adaptor.Vanished:
		if o.stillPlausible(now, lim) {
			return o.addNotes(o.pollAt(o.PolledAt.Add(min(o.PollInterval, lim.VanishedAfter/4)), now))
		}
		return o.failPilot(pilot.JobVanished, "the batch system has not known job %s since %s", o.Job.ID, o.VanishedSince.Format(time.RFC3339))
	default:
		if limit, changed := o.changedLimit(); changed {
			return Effect{Act: ActRecord, Change: Change{Kind: pilot.KindDeadline, Limit: limit}}
		}
		return o.addNotes(o.pollAt(o.PolledAt.Add(o.pollPause(lim)), now))
	}
}

// recordEnd records the end of a job that the agent did not report itself.
func (o *Observation) recordEnd() Effect {
	out := o.LastPoll.Outcome
	if out == nil {
		return o.failPilot(pilot.AgentLost, "job %s ended and left no word", o.Job.ID)
	}
	return Effect{Act: ActRecord, Change: o.outcomeChange(out)}
}

// stillPlausible says that a job which its system does not show may yet be there: that
// is not so for long, or its agent was heard since.
func (o *Observation) stillPlausible(now time.Time, lim *Limits) bool {
	heard := o.AgentHeardAt
	if heard.Before(o.VanishedSince) {
		heard = o.VanishedSince
	}
	return now.Before(heard.Add(o.vanishPatience(lim)))
}

// vanishPatience is how long a job may be gone from its system before it is given up.
func (o *Observation) vanishPatience(lim *Limits) time.Duration {
	if o.Handle.AgentOffline {
		return max(lim.VanishedAfter, lim.VanishedOfflineAfter)
	}
	return lim.VanishedAfter
}

// pollPause is the time between two polls: short only while something is expected.
func (o *Observation) pollPause(lim *Limits) time.Duration {
	switch {
	case o.LastPoll.Phase == adaptor.Completing: // some take hours, because of a node that does not answer
		return min(o.PollInterval, max(lim.PollCanceling, o.PolledAt.Sub(o.CompletingSince)/4))
	case o.AgentEnding:
		return lim.PollCanceling
	case o.Handle.AgentOffline && o.State == pilot.PendingActive && o.LastPoll.Phase == adaptor.Running:
		return lim.PollCanceling
	default:
		return o.PollInterval
	}
}

func (o *Observation) pollAt(at, now time.Time) Effect {
	if now.Before(at) {
		return Effect{At: at}
	}
	return Effect{Act: ActPoll}
}

func earlierTime(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
