package decide

import (
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// outcomeChange says what an outcome means for the pilot, whoever tells of it: its agent,
// which may be of an earlier version, or its batch system. A payload that the end of the
// runtime cut off has not done what was asked; a pilot without one has, by holding its
// allocation to the end.
func (o *Observation) outcomeChange(out *api.Outcome) Change {
	cause := &pilot.Cause{Code: out.Code, Message: out.Message, ExitCode: out.ExitCode, Signal: out.Signal}
	c := Change{Kind: pilot.KindFailed, Cause: cause, Outcome: out}
	if o.cutByShortLimit(out) {
		cause.Code = pilot.RuntimeReached
	}
	switch {
	case cause.Code == pilot.RuntimeReached && o.Submission != nil:
		if o.Submission.Description.Executable == "" {
			c.Kind = pilot.KindDone
		}
	case out.Kind == api.OutcomeDone:
		c.Kind = pilot.KindDone
	case out.Kind == api.OutcomeCanceled && o.State.IsCanceling():
		c.Kind = pilot.KindCanceled
		if out.Code == pilot.JobCanceledByThem { // by us: its batch system does not know why
			c.Cause = canceledCause(&o.Status, out.Message)
		}
	case out.Kind == api.OutcomeCanceled:
		cause.Code = pilot.JobCanceledByThem
	}
	return c
}

// warningLead is how long before a job's end its system may warn it: 60 s, as package
// render asks, and 60 s more (sbatch(1), --signal).
const warningLead = 2 * time.Minute

// cutByShortLimit says that an agent was asked to end, and did not know by whom, because of a
// limit that was made so short that it had heard nothing of it yet.
func (o *Observation) cutByShortLimit(out *api.Outcome) bool {
	if o.LastPoll == nil || o.ActiveAt.IsZero() || out.Kind != api.OutcomeFailed || out.Code != pilot.JobCanceledByThem {
		return false
	}
	limit := o.LastPoll.Limit
	return limit > 0 && limit < o.firstLimit() && !out.EndedAt.Before(o.ActiveAt.Add(limit-warningLead))
}
