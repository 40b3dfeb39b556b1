package batch

import (
	"fmt"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// combineOutcome is how a job ended, by its mark and by what the system says; r is nil
// for one that the system does not know any more. Nil: nobody knows.
func (m *marks) combineOutcome(r *Record) *api.Outcome {
	var out api.Outcome
	switch {
	case m.exit != nil && (r == nil || r.Cause == "" || !m.exit.Vague()):
		out = *m.exit
	case r == nil:
		return nil
	case m.exit != nil:
		out = r.outcome()
		out.Message += "; " + m.exit.Message
		out.ExitCode, out.Signal = m.exit.ExitCode, m.exit.Signal
		if !m.exit.EndedAt.IsZero() {
			out.EndedAt = m.exit.EndedAt
		}
		out.Stdout, out.Stderr = m.exit.Stdout, m.exit.Stderr
	default:
		out = r.outcome()
	}
	if out.Stdout == "" {
		out.Stdout = m.stdout
	}
	if out.Stderr == "" {
		out.Stderr = m.stderr
	}
	return &out
}

// outcome is how a job ended as the system tells it.
func (r *Record) outcome() api.Outcome {
	out := api.Outcome{Kind: api.OutcomeFailed, Code: r.Cause, Message: r.describeEnd(), EndedAt: r.EndedAt, Signal: r.Signal}
	if r.Exited && r.Signal == 0 {
		out.ExitCode = &r.ExitCode
	}
	switch {
	case r.Cause == pilot.JobCanceledByThem:
		out.Kind = api.OutcomeCanceled
	case r.Cause != "":
	case r.Exited && r.ExitCode == 0 && r.Signal == 0:
		out.Kind, out.Code = api.OutcomeDone, pilot.PayloadFinished
	default:
		out.Code = pilot.AgentLost
	}
	return out
}

// describeEnd is the system's words in one line.
func (r *Record) describeEnd() string {
	text := "the batch system says " + r.Native
	if r.Reason != "" {
		text += " (" + clipText(r.Reason, 200) + ")"
	}
	if r.Exited {
		text += fmt.Sprintf(", exit code %d", r.ExitCode)
		if r.Signal != 0 {
			text += fmt.Sprintf(", signal %d", r.Signal)
		}
	}
	if r.Nodes != "" {
		text += " on " + clipText(r.Nodes, 100)
	}
	return text
}
