package decide

import (
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// showsSign says that a job which should not be seen from here is: its processes, or the
// word it left.
func (o *Observation) showsSign() bool {
	if o.LastPoll == nil {
		return false
	}
	return o.LastPoll.Phase == adaptor.Running || o.LastPoll.Phase == adaptor.Ended && o.LastPoll.Outcome != nil
}

// decideUnseen waits for the end of a job that cannot be seen from here, and whose launcher is
// gone, or is this one at another place. Its agent says it to any launcher of the
// resource, and takes from any that it is to stop; it is lost once nobody has heard
// that for long, and no launcher that sees the job has come.
func (o *Observation) decideUnseen(now time.Time, lim *Limits) Effect {
	since := o.SoleOwnerSince
	for _, at := range []time.Time{o.AgentHeardAt, o.LastAnswerAt, o.BusSilentAt} {
		if at.After(since) {
			since = at
		}
	}
	if until := since.Add(lim.LostAfter); now.Before(until) {
		return o.addLossNote(o.pollForSign(until, now, lim))
	}
	return o.failPilot(pilot.Lost, "launcher %s and its host %s stayed away for %s, and its agent was not heard", o.Launcher, o.Job.Host, lim.LostAfter)
}

// pollForSign looks now and then for a sign of the job here: who polls knows more than what
// the log says of its place.
func (o *Observation) pollForSign(until, now time.Time, lim *Limits) Effect {
	switch {
	case !o.Job.Known():
		return Effect{At: until}
	case o.LastPoll == nil:
		return Effect{Act: ActPoll}
	}
	next := o.pollAt(o.PolledAt.Add(max(o.PollInterval, lim.PollCanceling)), now)
	if next.Act == ActWait {
		next.At = earlierTime(next.At, until)
	}
	return next
}

// addLossNote adds what people should know.
func (o *Observation) addLossNote(next Effect) Effect {
	switch o.Note.Health {
	case api.HealthLostContact, api.HealthAgentHeard, api.HealthUnseen:
		return next
	}
	if next.Act != ActWait || o.lossNoted() {
		return next
	}
	n := Note{Kind: events.Health, Text: "launcher " + o.Launcher + " is gone", Health: api.HealthLostContact, Since: o.OwnerLease.DeadSince}
	switch {
	case o.Launcher == o.Self:
		n.Text = "its job, on host " + o.Job.Host + ", cannot be seen from " + o.JobsHost.Host
		n.Health = api.HealthUnseen
	case !o.AgentHeardAt.IsZero():
		n.Text += ", and its agent is heard"
		n.Health = api.HealthAgentHeard
	}
	return Effect{Act: ActNote, Note: n}
}
