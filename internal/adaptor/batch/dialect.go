package batch

import (
	"regexp"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// Dialect is a batch system as a value: what its commands are called, and what
// their answers mean. It is pure; System runs the protocol.
type Dialect struct {
	Name     string
	Manual   string   // URL of what Words and Refusals come from
	Env      []string // NAME=value, for every command; a job may see it
	QueryEnv []string // NAME=value, for commands that list or ask, and never for one that submits
	// Unset are variables, or beginnings with a *, that no command sees: wishes of the
	// user, and what a job or a step has in which the launcher runs, for some systems
	// hand it on to what is submitted. One after a ! stays: it tells where the system is.
	Unset []string

	// ParseSubmit reads the id out of the answer of a submit that exited with 0.
	// False: no id can be read, so it is not known whether there is a job.
	ParseSubmit func(r runner.Result) (Ref, bool)
	// SubmitPattern names the job that was made, by id and cluster, wherever it stands and
	// however the submit exited; nil: there is none.
	SubmitPattern *regexp.Regexp
	// NotSubmitted are words by which a submit that exits with 0 says that it made no job.
	NotSubmitted []Message
	// Refusals say what a submit that made no job means, first match first; what
	// matches none is adaptor.Uncertain. They see stderr and then stdout.
	Refusals []Refusal

	// List asks for all jobs of this user that the system shows.
	List func() Query
	// History asks for the ends of jobs that List does not show any more; nil:
	// the system keeps none. since is before they were submitted.
	History func(jobs []Ref, since time.Time) Query
	// Recent asks for all of this user's jobs, ended ones too, submitted since
	// then, for one whose id was lost; nil: List shows as much.
	Recent func(since time.Time) Query

	// Tokens asks jobs that are listed under other names for the tokens they were
	// submitted with, which renaming leaves as they are: of each Record that Read gives,
	// only ID and Token count. One that has no token is given without. nil: a listing
	// shows all that could be asked.
	Tokens func(jobs []Ref) Query

	// FixedLimit says that a job which runs never gets more time, whatever limit a listing shows.
	FixedLimit bool

	// ListsAll says that a listing shows every job there is: what it does not show
	// has ended.
	ListsAll bool

	// ListOnMachine lists the jobs of the machine that it runs on, as List does, and says before them
	// which machine that is, for readMachineProcesses; nil: a job may be seen from any.
	ListOnMachine []string

	// Cancel gives the commands that end jobs. Gentle: the script's shell is to
	// get a TERM, and nothing else, of the jobs that run.
	Cancel func(jobs []Record, gentle bool) []runner.Command
	// CancelAccepted says whether a cancel's answer means that it was taken, or that the
	// job is gone.
	CancelAccepted func(r runner.Result) bool
	// Gone are the lines that CancelAccepted takes for that.
	Gone []Message
	// Harmless are lines of commands that go on: they are no part of an answer, and
	// no error beside one.
	Harmless []Message
	// States are the system's words for where a job stands; Reasons those on how it
	// ended, of which the first that matches counts.
	States  map[string]StateMeaning
	Reasons []Reason

	// Probe is a cheap command that exits with 0 while the system answers; nil: none.
	Probe []string

	Settle time.Duration // how long a submit whose answer was lost may take to show; 0: adaptor.DefaultSettleTime
	Floor  time.Duration // between two List calls; 0: DefaultFloor
}

// DefaultFloor is the least time between two listings of one endpoint. Sites
// have banned users for more than a few calls a minute for each job; this is one
// for all of them, and only while something is expected to change.
const DefaultFloor = 2 * time.Second

// Ref names a job: an id alone proves nothing.
type Ref struct {
	ID, Cluster string
}

// Query is one command, and how to read its answer.
type Query struct {
	Argv []string
	// Read gives the jobs; an error says that the answer tells nothing about any.
	Read func(r runner.Result) ([]Record, error)
	// Fallback is asked instead where Read gives an error; nil: nothing is.
	Fallback *Query
	// NoHistory are the system's words where Read gives an error because nothing is kept
	// that could be asked about; nil: there are none.
	NoHistory *regexp.Regexp
}

// Record is a job as a listing shows it.
type Record struct {
	Ref
	Name, Token string // what the listing shows of ours; the token may be empty
	Native      string // the system's word for the state
	Phase       adaptor.Phase
	Reason      string // the system's words on why it waits, or how it ended
	Restarts    int    // times that the system took it back into the queue
	Nodes       string
	Submitted   time.Time     // zero: not shown
	Started     time.Time     // zero: not shown, or not yet
	Limit       time.Duration // how long it may run; 0: not shown, or as long as it likes

	// Of an Ended one:
	Cause    pilot.CauseCode // empty: by ExitCode and Signal
	ExitCode int             // of the script
	Exited   bool            // ExitCode and Signal are known
	Signal   int             // that ended the script
	EndedAt  time.Time       // zero: not shown
}

// clearEnd takes back what is only true of an Ended job, where it is none: systems
// show the end of a run before, or the one that they expect.
func (r *Record) clearEnd() {
	if r.Phase != adaptor.Ended {
		r.Cause, r.ExitCode, r.Exited, r.Signal, r.EndedAt = "", 0, false, 0, time.Time{}
	}
}

// StateMeaning is the meaning of a system's word for a job's state.
type StateMeaning struct {
	Phase adaptor.Phase
	Cause pilot.CauseCode // of an Ended one; empty: by its exit
}

// isPending says that a job has not begun.
func isPending(r *Record) bool { return r.Phase == adaptor.Queued || r.Phase == adaptor.Held }
