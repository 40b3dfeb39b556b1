package sandbox

import (
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Assignment is all that an agent must know. It reaches the agent as JSON on stdin: from a launcher
// over a pipe, or out of [AssignmentFile].
type Assignment struct {
	Resource string    `json:"resource"`
	Manager  pilot.UID `json:"manager"`
	Pilot    pilot.UID `json:"pilot"`
	Attempt  int       `json:"attempt"`
	Token    string    `json:"token"`            // names the attempt inside the batch system
	Secret   string    `json:"secret"`           // the ticket of the attempt
	Serial   int       `json:"serial,omitempty"` // of the assignment among those of its process

	Executable  string            `json:"executable,omitempty"` // empty: hold the allocation
	Arguments   []string          `json:"arguments,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`

	Runtime api.Duration `json:"runtime"`
	Cores   int64        `json:"cores,omitempty"`
	GPUs    int64        `json:"gpus,omitempty"`
	Nodes   []string     `json:"nodes,omitempty"` // names; none: this one
	// Nodefile names a file that lists the nodes, a line each, and is no other
	// user's to change. The agent makes its own if it says anything else.
	Nodefile string `json:"nodefile,omitempty"`

	Sandbox string       `json:"sandbox"`         // absolute; exists
	Beat    api.Duration `json:"beat,omitempty"`  // 0: 10s
	Grace   api.Duration `json:"grace,omitempty"` // between TERM and KILL where nobody says another; 0: 10s

	Offline  bool `json:"mute,omitempty"` // launchers cannot be reached: the marks say it all
	BatchJob bool `json:"job,omitempty"`  // of a batch system, which knows better why it sends a TERM
}

// Idle is the line that an agent process writes to stdout when it waits for an assignment: at
// first, and when all of the one before is over.
const Idle = "idle\n"

// Key addresses the pilot.
func (a *Assignment) Key() pilot.Key {
	return pilot.Key{Resource: a.Resource, Manager: a.Manager, Pilot: a.Pilot}
}

// Complete refuses an assignment that cannot be run (code invalid), and fills in what may be absent.
func (a *Assignment) Complete() error {
	switch {
	case !pilot.ValidToken(a.Manager) || !pilot.ValidToken(a.Pilot) || a.Attempt < 1:
		return pilot.Errorf(pilot.Invalid, "assignment names no pilot and attempt")
	case a.Secret == "" || a.Token == "" || a.Sandbox == "":
		return pilot.Errorf(pilot.Invalid, "assignment lacks secret, token or sandbox")
	case a.Runtime <= 0:
		return pilot.Errorf(pilot.Invalid, "assignment has no runtime")
	}
	if a.Beat <= 0 {
		a.Beat = api.Duration(10 * time.Second)
	}
	if a.Grace <= 0 {
		a.Grace = api.Duration(pilot.DefaultGrace)
	}
	return nil
}
