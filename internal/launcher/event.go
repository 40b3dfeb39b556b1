package launcher

import (
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// changeEvent makes what a change appends. False if the machine has no such move.
func (l *Launcher) changeEvent(o *observation, c change, r *result) (events.Event, bool) {
	now := time.Now()
	e, ok := events.Moved(o.Key, o.Seq, o.Status, c.Kind, func(st *pilot.Status) {
		switch {
		case st.State.Final():
			setEnded(&o.Status, st, c, now)
		case c.Kind == pilot.KindLaunching:
			l.setClaimed(o, st, r)
		case c.Kind == pilot.KindPendingActive:
			st.Launcher, st.Job, st.Sandbox = l.id, c.SubmittedJob.Job, c.SubmittedJob.Sandbox
		case c.Kind == pilot.KindRetrying:
			st.NotBefore, st.Cause, st.SecretHash = c.NotBefore, c.Cause, nil
			if c.AnswerLost {
				st.Failures++
			}
		case c.Kind == pilot.KindAdopted:
			st.Launcher = l.id
		case c.Kind == pilot.KindDeadline:
			st.Limit, st.Deadline = c.Limit, st.ActiveAt.Add(c.Limit)
		case c.Kind == pilot.KindActive:
			a := c.Agent
			st.Instance, st.Nodes, st.Cores, st.GPUs = a.Instance, a.Nodes, a.Cores, a.GPUs
			st.ActiveAt = now
			if !c.Since.IsZero() && c.Since.Before(now) && c.Since.After(o.SubmittedAt) {
				st.ActiveAt = c.Since
			}
			st.Deadline = st.ActiveAt.Add(o.Submission.Description.Runtime.Duration())
		}
	})
	e.ID, e.At, e.Actor = newID(), now, l.id
	if c.Agent != nil {
		e.Actor = "agent"
	}
	return e, ok
}

func (l *Launcher) setClaimed(o *observation, st *pilot.Status, r *result) {
	var hash []byte
	r.secret, hash = newSecret()
	*st = pilot.Status{
		State: st.State, FurthestState: st.FurthestState, WasCanceling: st.WasCanceling, Attempt: st.Attempt + 1,
		Failures: st.Failures, Crashes: st.Crashes, Launcher: l.id, SecretHash: hash,
		Job: o.JobsHost, // nobody elsewhere can look after it
	}
	if o.State == pilot.Launching {
		st.Crashes++
	}
}

// setEnded completes a final status. What the batch system or the agent said of a
// canceled pilot becomes the underlying cause of its end.
func setEnded(before, st *pilot.Status, c change, now time.Time) {
	st.Cause, st.EndedAt = c.Cause, now
	if c.Outcome != nil {
		st.Stdout, st.Stderr = c.Outcome.Stdout, c.Outcome.Stderr
		if !c.Outcome.EndedAt.IsZero() {
			st.EndedAt = c.Outcome.EndedAt
		}
	}
	if c.Cause == nil {
		return
	}
	switch said := *c.Cause; {
	case st.State == pilot.Canceled && c.Kind != pilot.KindCanceled:
		st.Cause = canceledCause(before, string(said.Code)+": "+said.Message)
		st.Cause.ExitCode, st.Cause.Signal = said.ExitCode, said.Signal
		if before.State == pilot.Stopping && said.Code == pilot.JobCanceledByThem {
			st.Cause.Code = pilot.CanceledByAgent // our own TERM, of which the agent had not heard
		}
	case st.State == pilot.Failed && before.State == pilot.PendingActive &&
		(c.Kind == pilot.KindDone || said.Code == pilot.AgentLost || said.Code == pilot.RuntimeReached):
		said.Code = pilot.BootstrapFailed
		said.Message = "the job ended without ever being ACTIVE: " + said.Message
		st.Cause = &said
	}
}
