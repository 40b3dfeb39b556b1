package adaptor

import (
	"context"
	"fmt"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// Adaptor drives one batch system through one endpoint. All methods may be
// called at the same time; each ends with its context.
type Adaptor interface {
	// Submit starts exactly one job for the attempt, or says how it failed
	// with an *Error. The job's name and environment carry the spec's token.
	Submit(ctx context.Context, spec *Spec) (SubmittedJob, error)
	// Find looks for a job that carries the token of the attempt, whether it
	// runs or has ended; the spec has no secret. False says that there is none
	// and, as far as the system can tell, will be none; an error says that this is
	// not known.
	Find(ctx context.Context, spec *Spec) (SubmittedJob, bool, error)
	// Poll asks for the state of jobs, in one call to the system if it can.
	// The answers are in the order asked, and newer than after; a BulkPolled system
	// may be waited for. An error says nothing about any job.
	Poll(ctx context.Context, jobs []Handle, after time.Time) ([]Status, error)
	// Cancel asks a job to end: its agent gets the grace to stop the payload,
	// then everything of the job is killed. With force it is killed at once.
	// It returns when the request is made; a job that is gone is no error.
	Cancel(ctx context.Context, job Handle, stop Stop) error
}

// EndNotifier is an Adaptor that can tell of a job's end without being asked.
type EndNotifier interface {
	// JobEnds gives the pilots whose job ended since Submit, Find or Poll saw it
	// running. The channel is never closed.
	JobEnds() <-chan pilot.Key
}

// SettleTimer is an Adaptor that knows how long a submit whose answer was lost may
// still show up in Find; without it that is DefaultSettleTime.
type SettleTimer interface {
	SettleTime() time.Duration
}

// DefaultSettleTime is what batch systems get: a loaded SLURM controller was seen to
// answer after its client's 30 s message timeout.
const DefaultSettleTime = 30 * time.Second

// BulkPolled is an Adaptor that asks about all jobs in one query, to a service that
// must not be asked often: who asks about one job asks about all of them.
type BulkPolled interface {
	// MinPollInterval is the least time between two queries.
	MinPollInterval() time.Duration
}

// HostLocal is an Adaptor whose jobs only processes at the same place can see: on one boot
// of one machine, and in the same process namespace there.
type HostLocal interface {
	// JobsHost says where the jobs are that it starts; only Host, Boot and Space are set.
	JobsHost() pilot.Job
	// SeesJob says whether a job is at this place, or was before its machine started anew:
	// whoever sees it is right about its end. Of one that it does not see, or is not
	// sure of, Poll may find a sign all the same, and else answers Unknown. It does not block.
	SeesJob(job *pilot.Job) bool
}

// Reacher is an Adaptor with a way to its batch system that may be closed for a while.
type Reacher interface {
	// Reach says why nothing can be submitted now; nil: as far as is known, it can.
	// It may wait for a login. The error may pass: pilots are kept.
	Reach(ctx context.Context) error
}

// SandboxRemover is an Adaptor that can remove the sandbox of a job that has ended.
type SandboxRemover interface {
	RemoveSandbox(ctx context.Context, job Handle) error
}

// Spec is one attempt to launch a pilot.
type Spec struct {
	Key         pilot.Key
	Attempt     int
	Secret      string // for the agent only: never on a command line, in an environment or in a log
	Description pilot.Description
	Config      resource.Config
	SubmittedAt time.Time // when the pilot was submitted: no job of it is older
	LiveOnly    bool      // the pilot is to end: to Find only a job that lives matters
}

// Token names the attempt inside the batch system: it is what Find looks for.
func (s *Spec) Token() string { return s.Key.Token(s.Attempt, s.SubmittedAt) }

// SubmittedJob is a job the batch system has.
type SubmittedJob struct {
	Job     pilot.Job
	Sandbox string // absolute path, where the job runs
}

// Handle is what a job is asked about with.
type Handle struct {
	Key          pilot.Key
	Attempt      int
	Job          pilot.Job
	Sandbox      string
	SubmittedAt  time.Time // when the pilot was submitted: no job of it is older
	AgentOffline bool      // its agent reaches no launcher: only its marks tell of it
}

// Token is that of the attempt.
func (h *Handle) Token() string { return h.Key.Token(h.Attempt, h.SubmittedAt) }

// Stop is how to end a job.
type Stop struct {
	Force bool
	Grace api.Duration
}

// Phase is where a job stands, in words of no batch system.
type Phase string

// The phases.
const (
	Unknown    Phase = "unknown" // the system could not say; not an end
	Queued     Phase = "queued"
	Held       Phase = "held"
	Running    Phase = "running"
	Suspended  Phase = "suspended"
	Completing Phase = "completing"
	Ended      Phase = "ended"
	Vanished   Phase = "vanished" // the system does not know the job; not yet an end
)

// Status is what a poll learnt of a job.
type Status struct {
	Phase      Phase
	Native     string        // the system's own word
	Reason     string        // the system's own reason
	At         time.Time     // when this was so
	Limit      time.Duration // how long the job may run, suspensions not counted; 0: the system shows none
	LimitFixed bool          // it never gets more time once it runs, whatever limit is shown
	// AgentStart says that the agent of a Mute job has begun; nil: not yet, or it tells
	// so itself.
	AgentStart *AgentStart
	// Outcome of an Ended job: the agent's own mark in the sandbox where there
	// is one, else what the system knows of its exit. Nil: nothing is known.
	Outcome *api.Outcome
}

// AgentStart is an agent at work, by its mark.
type AgentStart struct {
	Instance string
	Nodes    []string // where the system shows them
	At       time.Time
}

// Class says what is known after a submit that failed.
type Class string

// The classes.
const (
	Rejected   Class = "rejected"   // the batch system refuses it for good: the pilot fails with its words
	Impossible Class = "impossible" // it can never be submitted from here, and was not: the pilot fails
	Throttled  Class = "throttled"  // a limit: try again later
	NotSent    Class = "not_sent"   // it cannot have arrived, whatever was in the way: try again
	Uncertain  Class = "unknown"    // it may have arrived: find by token before anything else
)

// Error is a submit that failed.
type Error struct {
	Class Class
	Err   error
	// NoAnswer: the batch system, or the way to it, did not answer; nothing about the pilot
	// was in the way. Only of NotSent and Uncertain.
	NoAnswer bool
}

// Error gives the system's words.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Class, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
