package decide

import (
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// ChangeEvent returns the event that a change appends, without its ID. secretHash is
// that of the attempt which a claim begins. False: the pilot's state has no such move.
func (o *Observation) ChangeEvent(c *Change, secretHash []byte, now time.Time) (events.Event, bool) {
	e, ok := events.Moved(o.Key, o.Seq, o.Status, c.Kind, func(st *pilot.Status) {
		switch {
		case st.State.Final():
			setEnded(&o.Status, st, c, now)
		case c.Kind == pilot.KindLaunching:
			o.setClaimed(st, secretHash)
		case c.Kind == pilot.KindPendingActive:
			st.Launcher, st.Job, st.Sandbox = o.Self, c.SubmittedJob.Job, c.SubmittedJob.Sandbox
		case c.Kind == pilot.KindRetrying:
			st.NotBefore, st.Cause, st.SecretHash = c.NotBefore, c.Cause, nil
			if c.AnswerLost {
				st.Failures++
			}
		case c.Kind == pilot.KindAdopted:
			st.Launcher = o.Self
		case c.Kind == pilot.KindDeadline:
			st.Limit, st.Deadline = c.Limit, st.ActiveAt.Add(c.Limit)
		case c.Kind == pilot.KindActive:
			o.setActive(st, c, now)
		}
	})
	e.At, e.Actor = now, o.Self
	if c.Agent != nil {
		e.Actor = "agent"
	}
	return e, ok
}

// NoteEvent returns the event that a note appends, without its ID; it moves nothing.
func (o *Observation) NoteEvent(n *Note, now time.Time) events.Event {
	e := events.Event{
		Class: events.ClassNote, Key: o.Key, Kind: n.Kind, At: now, Actor: o.Self,
		Note: &events.Note{Text: n.Text, Phase: o.Note.Phase, Native: o.Note.Native, Health: n.Health, Limit: o.firstLimit()},
	}
	if n.Observed {
		e.Note.Phase, e.Note.Native = string(o.LastPoll.Phase), o.nativeState()
	}
	return e
}

// setClaimed begins an attempt: whatever was known of the one before is gone.
func (o *Observation) setClaimed(st *pilot.Status, secretHash []byte) {
	*st = pilot.Status{
		State: st.State, FurthestState: st.FurthestState, WasCanceling: st.WasCanceling, Attempt: st.Attempt + 1,
		Failures: st.Failures, Crashes: st.Crashes, Launcher: o.Self, SecretHash: secretHash,
		Job: o.JobsHost, // nobody elsewhere can look after it
	}
	if o.State == pilot.Launching {
		st.Crashes++
	}
}

// setActive records what the agent found, and when its runtime ends.
func (o *Observation) setActive(st *pilot.Status, c *Change, now time.Time) {
	a := c.Agent
	st.Instance, st.Nodes, st.Cores, st.GPUs = a.Instance, a.Nodes, a.Cores, a.GPUs
	st.ActiveAt = now
	if !c.Since.IsZero() && c.Since.Before(now) && c.Since.After(o.SubmittedAt) {
		st.ActiveAt = c.Since
	}
	st.Deadline = st.ActiveAt.Add(o.Submission.Description.Runtime.Duration())
}

// setEnded completes a final status. What the batch system or the agent said of a
// canceled pilot becomes the underlying cause of its end.
func setEnded(before, st *pilot.Status, c *Change, now time.Time) {
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
