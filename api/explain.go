package api

import (
	"time"

	"github.com/flightlog/flightlog/events"
)

// ExplainAnswer answers pilot.explain: why a pilot is as it is, from the log.
// Its texts are for people, and change with versions.
type ExplainAnswer struct {
	Pilot    Pilot     `json:"pilot"`
	Since    time.Time `json:"since"`              // it has been in its state
	Why      string    `json:"why"`                // in one line
	Waiting  *Waiting  `json:"waiting,omitempty"`  // on what; absent: on nothing of its batch system
	Attempts []Attempt `json:"attempts,omitempty"` // in order
	Evidence *Evidence `json:"evidence,omitempty"` // the last there is
	Keeper   *Keeper   `json:"keeper,omitempty"`   // who looks after it; absent: nobody has to
	Stdout   string    `json:"stdout,omitempty"`   // last lines, once it has ended
	Stderr   string    `json:"stderr,omitempty"`
	Next     string    `json:"next,omitempty"` // what happens next; empty: nothing
	Hints    []string  `json:"hints,omitempty"`
	Seq      uint64    `json:"seq"`
}

// Waiting is what a batch system says of a job that does not run.
type Waiting struct {
	Phase   string `json:"phase"`
	Native  string `json:"native"`            // its own words: state (reason)
	Meaning string `json:"meaning,omitempty"` // in plain words; empty: they are not known here
}

// Attempt is one try to launch a pilot.
type Attempt struct {
	Number   int        `json:"number"`
	Launcher string     `json:"launcher,omitempty"`
	Job      string     `json:"job,omitempty"`
	BeganAt  time.Time  `json:"began_at"`
	EndedAt  *time.Time `json:"ended_at,omitempty"`
	Why      string     `json:"why,omitempty"` // it ended
}

// Evidence is a message of the log.
type Evidence struct {
	At         time.Time   `json:"at"`
	Kind       events.Kind `json:"kind"`
	By         string      `json:"by,omitempty"`
	OnBehalfOf string      `json:"on_behalf_of,omitempty"` // for whom By said he does it, if that is another
	What       string      `json:"what"`
}

// Keeper is the launcher that looks after a pilot.
type Keeper struct {
	ID    string `json:"id"`
	Alive *bool  `json:"alive,omitempty"` // it holds its lease; absent: not known
}

// Position is the log position the answer reflects.
func (a ExplainAnswer) Position() uint64 { return a.Seq }
