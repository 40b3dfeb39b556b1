package decide

import (
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// Observation is all that the decisions about a pilot look at.
type Observation struct {
	projection.Pilot // as the log has it
	AttemptState
	SystemTraits

	Self         string         // the id of this launcher
	Handle       adaptor.Handle // of the pilot's job
	HoldsCommand bool           // this launcher holds the submit command
	CanSeeJob    bool           // this launcher sees the pilot's job, as far as that is bound to a host

	OwnerLease     Lease
	SoleOwnerSince time.Time // nobody else has been at work on the attempt since; zero: nobody was
	BusSilentAt    time.Time // no agent could be heard then

	PollInterval time.Duration // between polls, while nothing is expected
	RecoveredAt  time.Time     // its batch system answered again then, after it had not
}

// AttemptState is what is known of one attempt of a pilot beside the log. A new attempt
// begins with the zero value.
type AttemptState struct {
	Number int // of the attempt, as the log has it

	Reachable        bool      // the way to the batch system is open
	UnreachableWhy   string    // why it is closed; empty: not known to be
	UnreachableSince time.Time // zero: it was open when last asked

	Secret         string                // set: this process claimed the attempt and can submit it
	SubmittedJob   *adaptor.SubmittedJob // the job of this attempt; it may not be in the log yet
	SubmitErr      *adaptor.Error        // of this attempt's submit
	SubmitFailedAt time.Time
	NotFoundAt     time.Time // when Find last said that there is no job; zero: not asked

	AgentHeardAt time.Time // its agent was heard, here
	AgentEnding  bool      // its agent said that it ends, and its batch system knows why

	FirstJobLimit   time.Duration   // of its job, when this launcher first saw one; 0: it has not
	LastPoll        *adaptor.Status // last answer; nil: ask
	PolledAt        time.Time
	LastAnswerAt    time.Time // its batch system last said something of it
	VanishedSince   time.Time // first of the answers Vanished, one after the other
	CompletingSince time.Time // the same of Completing
	FailedQueries   int       // polls and finds that failed, one after the other
	FailedFinds     int       // finds alone

	StopSent   StopLevel
	StopSentAt time.Time // when the last stop was sent
	StopFailed bool      // it could not be

	LossNotedOf    time.Time // a note says that the owner is gone since then
	FailedCleanups int       // tries to remove the sandbox
	Cleaned        bool
}

// SystemTraits is what decisions depend on of a pilot's batch system.
type SystemTraits struct {
	Supported      bool          // there is an adaptor for it
	OpenErr        string        // why there is none; empty: there is one
	NeverSupported bool          // and there will be none
	ChecksReach    bool          // the way to it may be closed
	BulkPolled     bool          // it must not be asked often, and shows phases
	SettleTime     time.Duration // how long a submit without an answer may still show up
	JobsHost       pilot.Job     // where its jobs are seen from; its Host is empty: anywhere
}

// Lease is what is known of the launcher that a pilot belongs to.
type Lease struct {
	Known     bool // false: its lease was not looked at yet
	Alive     bool
	DeadSince time.Time // not alive since
}

// StopLevel is how far a job was told to stop.
type StopLevel uint8

// The levels.
const (
	StopNotSent StopLevel = iota
	StopAsked             // with its grace
	StopForced            // at once
)

// pollsFailingAfter is how many queries in a row may fail before people are told.
const pollsFailingAfter = 3

// pollsFailing reports whether the batch system cannot be asked about the pilot's job.
func (o *Observation) pollsFailing() bool { return o.FailedQueries >= pollsFailingAfter }

// lossNoted reports whether a note says already that the owner is gone.
func (o *Observation) lossNoted() bool {
	return !o.LossNotedOf.IsZero() && o.LossNotedOf.Equal(o.OwnerLease.DeadSince)
}
