package api

import (
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// OrphansRequest asks the launchers of a resource for jobs that carry a token or a
// tag and belong to no live pilot.
type OrphansRequest struct {
	// Kill are orphans of an earlier answer that are to be ended, if they still are
	// some; none: they are shown.
	Kill []OrphanName `json:"kill,omitempty"`
	// Foreign lets Kill end jobs too of which the log knows nothing.
	Foreign bool `json:"foreign,omitempty"`
}

// OrphanName names a job beyond doubt: an id alone is given out again.
type OrphanName struct {
	System string `json:"system"`          // the endpoint
	ID     string `json:"id"`              // the batch system's
	Token  string `json:"token,omitempty"` // of the attempt; empty: only the tag is shown
	Tag    string `json:"tag,omitempty"`   // that the job's name ends in
}

// OrphanReason is why a job belongs to no live pilot.
type OrphanReason string

// The reasons. The last three say that the log does not know the job: it is of
// another log, or of what this one has forgotten.
const (
	PilotEnded        OrphanReason = "pilot_ended"
	AttemptSuperseded OrphanReason = "attempt_superseded"
	AttemptEnded      OrphanReason = "attempt_ended" // the pilot waits for another one
	UnknownManager    OrphanReason = "unknown_manager"
	UnknownPilot      OrphanReason = "unknown_pilot" // or, of a tag alone, unknown altogether
	UnknownAttempt    OrphanReason = "unknown_attempt"
)

// Foreign says that the log does not know the job.
func (r OrphanReason) Foreign() bool {
	return r == UnknownManager || r == UnknownPilot || r == UnknownAttempt
}

// Orphan is a job that belongs to no live pilot.
type Orphan struct {
	OrphanName
	Cluster   string       `json:"cluster,omitempty"`
	Name      string       `json:"name,omitempty"` // of the job
	Resource  string       `json:"resource"`       // whose launcher tells of it
	Manager   pilot.UID    `json:"manager,omitempty"`
	Pilot     pilot.UID    `json:"pilot,omitempty"`
	Attempt   int          `json:"attempt,omitempty"`
	Reason    OrphanReason `json:"reason"`
	Foreign   bool         `json:"foreign"`
	Phase     string       `json:"phase"`
	Native    string       `json:"native,omitempty"` // the system's own word
	Submitted *time.Time   `json:"submitted_at,omitempty"`
	// Fate is what came of Kill; empty: it was not to be killed.
	Fate  OrphanFate `json:"fate,omitempty"`
	Error string     `json:"error,omitempty"` // Fate: why it was not killed
}

// OrphanFate is what came of the wish to kill a job.
type OrphanFate string

// The fates.
const (
	OrphanKilled OrphanFate = "killed"
	OrphanGone   OrphanFate = "gone" // before anybody could
	OrphanKept   OrphanFate = "kept" // foreign, and Foreign was not set
	OrphanFailed OrphanFate = "failed"
)

// OrphansAnswer is what one launcher of a resource sees.
type OrphansAnswer struct {
	Resource string         `json:"resource"`
	Launcher string         `json:"launcher"`
	Host     string         `json:"host,omitempty"` // whose processes it sees
	Systems  []OrphanSystem `json:"systems"`
	Orphans  []Orphan       `json:"orphans"`
	LeftOut  int            `json:"left_out,omitempty"` // more than fit into an answer
	Seq      uint64         `json:"seq"`                // the log was read up to there, after the systems were asked
}

// OrphanSystem is a batch system that was asked.
type OrphanSystem struct {
	System string `json:"system"`
	Jobs   int    `json:"jobs"`            // with a token or a tag
	Error  string `json:"error,omitempty"` // it could not be: nothing is known of its jobs
}
