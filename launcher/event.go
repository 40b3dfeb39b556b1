package launcher

import (
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// event makes what a change appends. False if the machine has no such move.
func (l *Launcher) event(s *sight, c change, r *result) (events.Event, bool) {
	now := time.Now()
	e, ok := events.Moved(s.Key, s.Seq, s.Status, c.Kind, func(st *pilot.Status) {
		switch {
		case st.State.Final():
			end(&s.Status, st, c, now)
		case c.Kind == pilot.Claimed:
			l.claim(s, st, r)
		case c.Kind == pilot.Queued:
			st.Launcher, st.Job, st.Sandbox = l.id, c.Placed.Job, c.Placed.Sandbox
		case c.Kind == pilot.Retried:
			st.NotBefore, st.Cause, st.SecretHash = c.NotBefore, c.Cause, nil
			if c.Lost {
				st.Failures++
			}
		case c.Kind == pilot.Adopted:
			st.Launcher = l.id
		case c.Kind == pilot.DeadlineMoved:
			st.Limit, st.Deadline = c.Limit, st.ActiveAt.Add(c.Limit)
		case c.Kind == pilot.Activated:
			a := c.Agent
			st.Instance, st.Nodes, st.Cores, st.GPUs = a.Instance, a.Nodes, a.Cores, a.GPUs
			st.ActiveAt = now
			if !c.Since.IsZero() && c.Since.Before(now) && c.Since.After(s.SubmittedAt) {
				st.ActiveAt = c.Since
			}
			st.Deadline = st.ActiveAt.Add(s.Birth.Description.Runtime.Duration())
		}
	})
	e.ID, e.At, e.Actor = newID(), now, l.id
	if c.Agent != nil {
		e.Actor = "agent"
	}
	return e, ok
}

func (l *Launcher) claim(s *sight, st *pilot.Status, r *result) {
	var hash []byte
	r.secret, hash = newSecret()
	*st = pilot.Status{
		State: st.State, Peak: st.Peak, Left: st.Left, Attempt: st.Attempt + 1,
		Failures: st.Failures, Crashes: st.Crashes, Launcher: l.id, SecretHash: hash,
		Job: s.Place, // nobody elsewhere can look after it
	}
	if s.State == pilot.Launching {
		st.Crashes++
	}
}

// end completes a final status. What the batch system or the agent said of a
// canceled pilot becomes the underlying cause of its end.
func end(before, st *pilot.Status, c change, now time.Time) {
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
	case st.State == pilot.Canceled && c.Kind != pilot.JobCanceled:
		st.Cause = canceledCause(before, string(said.Code)+": "+said.Message)
		st.Cause.ExitCode, st.Cause.Signal = said.ExitCode, said.Signal
		if before.State == pilot.Stopping && said.Code == pilot.JobCanceledByThem {
			st.Cause.Code = pilot.CanceledByAgent // our own TERM, of which the agent had not heard
		}
	case st.State == pilot.Failed && before.State == pilot.PendingActive &&
		(c.Kind == pilot.JobDone || said.Code == pilot.AgentLost || said.Code == pilot.RuntimeReached):
		said.Code = pilot.BootstrapFailed
		said.Message = "the job ended without ever being ACTIVE: " + said.Message
		st.Cause = &said
	}
}
