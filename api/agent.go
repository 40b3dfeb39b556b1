package api

import (
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// Verb is what an agent asks of the launchers of its resource.
type Verb string

// The verbs.
const (
	Activate Verb = "activate" // may this agent run its payload? Answered once the pilot is ACTIVE in the log.
	Beat     Verb = "beat"     // it still runs; go on?
	Finish   Verb = "finish"   // it ended. Answered once the end is in the log.
)

// AgentRequest is what an agent says; its subject names the pilot and the verb.
type AgentRequest struct {
	Attempt  int    `json:"attempt"`
	Secret   string `json:"secret"`   // of the attempt; its ticket
	Instance string `json:"instance"` // this agent process; a second one of the same attempt is refused

	Nodes []string `json:"nodes,omitempty"` // activate: what the allocation really is
	Cores int64    `json:"cores,omitempty"`
	GPUs  int64    `json:"gpus,omitempty"`

	// Near says, with a beat, that the agent's deadline is near: if the time limit of its job was
	// changed, this is the time to find out. Launchers of earlier versions know nothing of it.
	Near bool `json:"near,omitempty"`

	Outcome *Outcome `json:"outcome,omitempty"` // finish
}

// Outcome is how an agent's work ended.
type Outcome struct {
	Kind     OutcomeKind     `json:"kind"`
	Code     pilot.CauseCode `json:"code"`
	Message  string          `json:"message,omitempty"`
	ExitCode *int            `json:"exit_code,omitempty"`
	Signal   int             `json:"signal,omitempty"`
	Stdout   string          `json:"stdout,omitempty"` // bounded tails
	Stderr   string          `json:"stderr,omitempty"`
	EndedAt  time.Time       `json:"ended_at"`
}

// Vague says that whoever left the outcome cannot know the reason: a signal came, or
// the agent is gone. A batch system may know more.
func (o *Outcome) Vague() bool {
	switch o.Code {
	case pilot.JobCanceledByThem, pilot.AgentLost, pilot.BootstrapFailed:
		return true
	default:
		return o.Code == pilot.PayloadFailed && o.Signal != 0
	}
}

// OutcomeKind is the end an agent reports.
type OutcomeKind string

// The ends.
const (
	OutcomeDone     OutcomeKind = "done"     // the payload exited 0, or the allocation was held, without one, until the runtime was over
	OutcomeCanceled OutcomeKind = "canceled" // it was told to stop, and has
	OutcomeFailed   OutcomeKind = "failed"
)

// AgentReply answers an agent. Refused is final for this agent process: it
// must exit without running, or go on running, its payload.
type AgentReply struct {
	Refused string `json:"refused,omitempty"` // why; empty: granted

	ActiveAt time.Time `json:"active_at,omitzero"` // activate
	Deadline time.Time `json:"deadline,omitzero"`
	// Moved says that the deadline is not the runtime's any more: the position of the pilot's last
	// change that the launcher knows, so that an agent can tell a later word from an earlier one.
	// 0: it is, or the launcher is of a version that moves none; then a beat's deadline means nothing.
	Moved uint64 `json:"moved,omitempty"`

	Stop  bool     `json:"stop,omitempty"` // beat, activate: end now
	Force bool     `json:"force,omitempty"`
	Grace Duration `json:"grace,omitempty"`
}
