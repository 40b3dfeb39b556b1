package sandbox

import (
	"time"

	"github.com/flightlog/flightlog/internal/proc"
)

// SubmittedJob is what [JobFile] holds of a batch job: the answer to its submit.
type SubmittedJob struct {
	ID      string    `json:"id"`
	Cluster string    `json:"cluster,omitempty"`
	Token   string    `json:"token"`
	Digest  string    `json:"digest"`
	Raw     string    `json:"raw,omitempty"` // the answer's text, clipped
	At      time.Time `json:"at"`
}

// ForkedJob is what [JobFile] holds of a fork job: the agent process that gets the attempt. It is
// written before that process learns of it.
type ForkedJob struct {
	proc.Identity
	Serial int       `json:"serial,omitempty"` // of the assignment among those of the process
	Host   string    `json:"host"`
	Space  string    `json:"space,omitempty"` // see proc.Space; empty: written by a version that did not record it
	Token  string    `json:"token"`
	URL    string    `json:"url"`
	At     time.Time `json:"at"`
}

// Machine is where processes see each other, as the script of a job finds it when it begins:
// a process namespace of one boot of one machine. The name of the host is not enough, for a
// name may lead to several machines, and people change it. Scripts of earlier versions write
// neither Space nor Machine.
type Machine struct {
	Boot    string `json:"boot"`
	Space   string `json:"space"`
	Machine string `json:"machine"` // a sum of its machine-id(5); empty: it has none
	Host    string `json:"host"`
}

// Bootstrap is what [BootstrapFile] holds: the script of a batch job that began as the first of
// its attempt.
type Bootstrap struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // of the process, see proc.Identity; 0: not known
	Machine
	Job   string    `json:"job"` // its native id
	Token string    `json:"token"`
	At    time.Time `json:"at"`
}

// Started is what [StartedFile] holds: the one agent that may run the attempt.
type Started struct {
	proc.Identity
	Serial   int       `json:"serial,omitempty"` // see [Assignment]
	Token    string    `json:"token"`
	Instance string    `json:"instance"`
	At       time.Time `json:"at"`
}
