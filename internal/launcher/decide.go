package launcher

import (
	"fmt"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// action is what a launcher can do about a pilot.
type action uint8

const (
	actWait    action = iota // nothing now; look again at effect.At, if set, or when something happens
	actAck                   // take the submit command off the queue
	actRequeue               // hand it back, to come again at effect.At
	actRecord                // append a change
	actFind                  // ask the batch system for the attempt's token
	actLaunch                // submit the job, and record it
	actPoll                  // ask what the job does
	actStop                  // ask the job to end
	actCleanup               // remove the sandbox
	actNote                  // append a remark
	actRefresh               // read the pilot's subject again
	actCount                 // see how much of the list that its birth belongs to is in the log
	actReach                 // ask whether there is a way to the batch system
)

var actNames = [...]string{
	actWait: "wait", actAck: "ack", actRequeue: "again", actRecord: "record", actFind: "find", actLaunch: "launch", actPoll: "poll",
	actStop: "stop", actCleanup: "cleanup", actNote: "note", actRefresh: "refresh", actCount: "count", actReach: "reach",
}

// String is for logs.
func (a action) String() string { return actNames[a] }

// effect is one thing to do about one pilot.
type effect struct {
	Act    action
	At     time.Time
	Change change       // record
	Stop   adaptor.Stop // stop
	Note   note         // note
	waiter *agentWaiter // on whose behalf; nil: nobody's

	command *events.Delivery // ack: one that another has taken the place of; nil: the one that is held
}

// note is what a note says; the observation it carries on is the last one's.
type note struct {
	Kind     events.Kind
	Text     string
	Observed bool      // it is a new observation: that of the last poll
	Health   string    // empty: well
	Since    time.Time // Health: the owner's absence it is about
}

// change is what a recorded change says beyond its kind.
type change struct {
	Kind         pilot.Kind
	Cause        *pilot.Cause
	NotBefore    time.Time
	AnswerLost   bool                  // retried: nobody knows what became of the submit
	Outcome      *api.Outcome          // finals: tails and time of the end
	SubmittedJob *adaptor.SubmittedJob // pending_active
	Limit        time.Duration         // deadline
	Agent        *api.AgentRequest     // active, and finals that the agent reported
	Since        time.Time             // active: when its agent began, if that is known and was earlier
}

// observation is all that decide looks at.
type observation struct {
	projection.Pilot // as the log has it
	attemptState
	systemTraits

	Self         string         // the id of this launcher
	Handle       adaptor.Handle // of the pilot's job
	HoldsCommand bool           // this launcher holds the submit command
	CanSeeJob    bool           // this launcher sees the pilot's job, as far as that is bound to a host

	OwnerLease     leaseState
	SoleOwnerSince time.Time // nobody else has been at work on the attempt since; zero: nobody was
	BusSilentAt    time.Time // no agent could be heard then

	PollInterval time.Duration // between polls, while nothing is expected
	RecoveredAt  time.Time     // its batch system answered again then, after it had not
}

// attemptState is what is known of one attempt of a pilot beside the log. A new attempt
// begins with the zero value.
type attemptState struct {
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

	StopSent   stopLevel
	StopSentAt time.Time // when the last stop was sent
	StopFailed bool      // it could not be

	LossNotedOf    time.Time // a note says that the owner is gone since then
	FailedCleanups int       // tries to remove the sandbox
	Cleaned        bool
}

// systemTraits is what decisions depend on of a pilot's batch system.
type systemTraits struct {
	Supported      bool          // there is an adaptor for it
	OpenErr        string        // why there is none; empty: there is one
	NeverSupported bool          // and there will be none
	ChecksReach    bool          // the way to it may be closed
	BulkPolled     bool          // it must not be asked often, and shows phases
	SettleTime     time.Duration // how long a submit without an answer may still show up
	JobsHost       pilot.Job     // where its jobs are seen from; its Host is empty: anywhere
}

// pollsFailingAfter is how many queries in a row may fail before people are told.
const pollsFailingAfter = 3

// pollsFailing reports whether the batch system cannot be asked about the pilot's job.
func (o *observation) pollsFailing() bool { return o.FailedQueries >= pollsFailingAfter }

// lossNoted reports whether a note says already that the owner is gone.
func (o *observation) lossNoted() bool {
	return !o.LossNotedOf.IsZero() && o.LossNotedOf.Equal(o.OwnerLease.DeadSince)
}

// leaseState is what is known of the launcher that a pilot belongs to.
type leaseState struct {
	Known     bool // false: its lease was not looked at yet
	Alive     bool
	DeadSince time.Time // not alive since
}

type stopLevel uint8

const (
	stopNotSent stopLevel = iota
	stopAsked
	stopForced
)

// decide says what a pilot needs now. It is pure: equal sights and times give
// equal effects. Where it waits for something that makes no noise, the effect
// says when to look again.
func decide(o *observation, now time.Time, lim *Limits) effect {
	switch {
	case o.State.Final():
		return o.decideEnded(now, lim)
	case o.State == pilot.PendingLaunch:
		return o.decidePendingLaunch(now, lim)
	case !o.Supported:
		return o.handBack(now, lim)
	case o.Launcher != o.Self:
		return o.decideForeign(now, lim)
	case o.State == pilot.Launching:
		return o.decideLaunching(now, lim)
	case o.SubmittedJob != nil && !o.Job.Known(): // the agent, or a cancel, was faster
		return effect{Act: actRecord, Change: change{Kind: pilot.KindPendingActive, SubmittedJob: o.SubmittedJob}}
	case o.HoldsCommand:
		return effect{Act: actAck}
	case o.Job.Known() && !o.CanSeeJob && !o.showsSign():
		return o.decideUnseen(now, lim)
	case o.State.IsCanceling():
		return o.decideCanceling(now, lim)
	default:
		return o.decideRunning(now, lim)
	}
}

// handBack leaves a pilot to launchers that can drive its batch system.
func (o *observation) handBack(now time.Time, lim *Limits) effect {
	switch {
	case o.HoldsCommand:
		return effect{Act: actRequeue, At: now.Add(lim.LeaseCheck)}
	case o.OpenErr != "" && !o.NeverSupported && o.Launcher == o.Self:
		return o.noteUnreachable(o.OpenErr, effect{At: o.reopenAt(o.ChangedAt, now, lim, maxBackoff)})
	default:
		return effect{}
	}
}

func (o *observation) decidePendingLaunch(now time.Time, lim *Limits) effect {
	switch {
	case o.Submission == nil: // its command does not decode, so the queue gives it to nobody
		return o.failPilot(pilot.LaunchError, "the log holds no description of this pilot that can be read")
	case !o.HoldsCommand:
		return effect{} // the queue gives it to somebody
	case !o.Supported && o.NeverSupported:
		return o.failPilot(pilot.LaunchError, "no launcher of %s can drive its batch system: %s", o.Resource, o.OpenErr)
	case !o.Supported:
		return o.noteUnreachable(o.OpenErr, effect{Act: actRequeue, At: o.reopenAt(o.SubmittedAt, now, lim, maxBackoff)})
	case o.Failures >= lim.Attempts && !now.Before(o.SubmittedAt.Add(lim.GiveUp)):
		return o.failPilot(pilot.RetriesExhausted, "the answers of %d submits were lost or not understood; the last: %s", o.Failures, o.lastCauseText())
	case now.Before(o.NotBefore) && !o.systemRecovered():
		return o.noteNotLaunched(effect{Act: actRequeue, At: o.retryAt(now, lim)})
	case o.UnreachableWhy != "":
		return o.noteUnreachable(o.UnreachableWhy, effect{Act: actRequeue, At: o.reopenAt(o.UnreachableSince, now, lim, maxReachPause)})
	case o.ChecksReach && !o.Reachable:
		return effect{Act: actReach}
	default:
		return effect{Act: actRecord, Change: change{Kind: pilot.KindLaunching}}
	}
}

// lastCauseText is why the last attempt ended.
func (o *observation) lastCauseText() string {
	if o.Cause == nil {
		return "for an unknown reason"
	}
	return o.Cause.Message
}

func (o *observation) failPilot(code pilot.CauseCode, format string, args ...any) effect {
	return effect{Act: actRecord, Change: change{
		Kind: pilot.KindFailed, Cause: &pilot.Cause{Code: code, Message: fmt.Sprintf(format, args...)},
	}}
}

// decideLaunching goes on with an attempt that is this launcher's.
func (o *observation) decideLaunching(now time.Time, lim *Limits) effect {
	switch {
	case o.SubmittedJob != nil:
		return effect{Act: actRecord, Change: change{Kind: pilot.KindPendingActive, SubmittedJob: o.SubmittedJob}}
	case o.SubmitErr != nil:
		return o.submitFailed(now, lim)
	case o.Secret != "":
		return effect{Act: actLaunch}
	default:
		return o.relaunch(now, lim) // begun by an earlier life of this launcher
	}
}

// decideForeign decides about a pilot that another launcher looks after.
func (o *observation) decideForeign(now time.Time, lim *Limits) effect {
	begun := o.State == pilot.Launching || o.State.IsCanceling() && !o.Job.Known()
	switch {
	case o.HoldsCommand && !begun:
		return effect{Act: actAck}
	case !o.OwnerLease.Known || o.OwnerLease.Alive:
		if o.HoldsCommand {
			return effect{Act: actRequeue, At: now.Add(lim.LeaseCheck)}
		}
		return effect{}
	case o.State == pilot.Launching:
		return o.takeOverLaunch(now, lim)
	case o.CanSeeJob || o.showsSign():
		return effect{Act: actRecord, Change: change{Kind: pilot.KindAdopted}}
	default:
		return o.decideUnseen(now, lim)
	}
}

// takeOverLaunch continues an attempt whose launcher is gone: whatever job it made
// is recorded; if there is none, a new attempt shuts the old one out.
func (o *observation) takeOverLaunch(now time.Time, lim *Limits) effect {
	switch {
	case !o.HoldsCommand:
		return effect{} // the queue gives it to somebody
	case o.SubmittedJob != nil:
		return effect{Act: actRecord, Change: change{Kind: pilot.KindPendingActive, SubmittedJob: o.SubmittedJob}}
	default:
		return o.relaunch(now, lim)
	}
}

// decideRunning looks after a job.
func (o *observation) decideRunning(now time.Time, lim *Limits) effect {
	switch {
	case !o.Job.Known():
		last := o.ActiveAt // there was one; its agent, which is heard, has one
		if o.AgentHeardAt.After(last) {
			last = o.AgentHeardAt
		}
		if e, sure := o.findByToken(now, last.Add(max(o.SettleTime, lim.VanishedAfter))); !sure {
			return e
		}
		return o.failPilot(pilot.AgentLost, "the batch system knows no job of attempt %d", o.Attempt)
	case o.LastPoll == nil:
		return effect{Act: actPoll}
	}
	if b := o.LastPoll.AgentStart; b != nil && o.State == pilot.PendingActive { // also of a job that began and ended between two polls
		return effect{Act: actRecord, Change: change{Kind: pilot.KindActive, Since: b.At, Agent: &api.AgentRequest{
			Instance: b.Instance, Nodes: b.Nodes, Cores: o.Submission.Description.Cores, GPUs: o.Submission.Description.GPUs,
		}}}
	}
	switch o.LastPoll.Phase {
	case adaptor.Ended:
		return o.recordEnd()
	case adaptor.Vanished:
		if o.stillPlausible(now, lim) {
			return o.addNotes(o.pollAt(o.PolledAt.Add(min(o.PollInterval, lim.VanishedAfter/4)), now))
		}
		return o.failPilot(pilot.JobVanished, "the batch system has not known job %s since %s", o.Job.ID, o.VanishedSince.Format(time.RFC3339))
	default:
		if limit, changed := o.changedLimit(); changed {
			return effect{Act: actRecord, Change: change{Kind: pilot.KindDeadline, Limit: limit}}
		}
		return o.addNotes(o.pollAt(o.PolledAt.Add(o.pollPause(lim)), now))
	}
}

// stillPlausible says that a job which its system does not show may yet be there: that
// is not so for long, or its agent was heard since.
func (o *observation) stillPlausible(now time.Time, lim *Limits) bool {
	heard := o.AgentHeardAt
	if heard.Before(o.VanishedSince) {
		heard = o.VanishedSince
	}
	return now.Before(heard.Add(o.vanishPatience(lim)))
}

// vanishPatience is how long a job may be gone from its system before it is given up.
func (o *observation) vanishPatience(lim *Limits) time.Duration {
	if o.Handle.AgentOffline {
		return max(lim.VanishedAfter, lim.VanishedOfflineAfter)
	}
	return lim.VanishedAfter
}

// pollPause is the time between two polls: short only while something is expected.
func (o *observation) pollPause(lim *Limits) time.Duration {
	switch {
	case o.LastPoll.Phase == adaptor.Completing: // some take hours, because of a node that does not answer
		return min(o.PollInterval, max(lim.PollCanceling, o.PolledAt.Sub(o.CompletingSince)/4))
	case o.AgentEnding:
		return lim.PollCanceling
	case o.Handle.AgentOffline && o.State == pilot.PendingActive && o.LastPoll.Phase == adaptor.Running:
		return lim.PollCanceling
	default:
		return o.PollInterval
	}
}

// silentNote is for people to know.
var silentNote = note{Kind: events.Health, Text: "its batch system cannot be asked", Health: api.HealthSilent}

// fellSilent says that its batch system does not answer, and that people were not told.
func (o *observation) fellSilent() bool { return o.pollsFailing() && o.Note.Health != api.HealthSilent }

// addNotes adds, when there is nothing else to do, what people should know of a
// pilot's care: a note that cannot be written must not keep it from its care.
func (o *observation) addNotes(next effect) effect {
	next = o.addHealthNote(next)
	if next.Act == actWait && o.BulkPolled && !o.pollsFailing() && o.LastPoll.Phase != adaptor.Unknown &&
		(string(o.LastPoll.Phase) != o.Note.Phase || o.nativeState() != o.Note.Native) {
		return effect{Act: actNote, Note: note{Kind: events.Observed, Text: "job " + o.Job.ID + " is " + string(o.LastPoll.Phase), Observed: true}}
	}
	return next
}

// addHealthNote is tell of whether the pilot is cared for.
func (o *observation) addHealthNote(next effect) effect {
	switch {
	case next.Act != actWait || o.LastPoll == nil:
		return next
	case o.fellSilent():
		return effect{Act: actNote, Note: silentNote}
	case !o.pollsFailing() && o.Note.Health != "":
		return effect{Act: actNote, Note: note{Kind: events.Health, Text: "launcher " + o.Self + " looks after it"}}
	}
	return next
}

// nativeState is the batch system's own word for where the job stands, and why.
func (o *observation) nativeState() string {
	if o.LastPoll.Reason == "" {
		return o.LastPoll.Native
	}
	return o.LastPoll.Native + " (" + o.LastPoll.Reason + ")"
}

func (o *observation) pollAt(at, now time.Time) effect {
	if now.Before(at) {
		return effect{At: at}
	}
	return effect{Act: actPoll}
}

// recordEnd records the end of a job that the agent did not report itself.
func (o *observation) recordEnd() effect {
	out := o.LastPoll.Outcome
	if out == nil {
		return o.failPilot(pilot.AgentLost, "job %s ended and left no word", o.Job.ID)
	}
	return effect{Act: actRecord, Change: o.outcomeChange(out)}
}

// outcomeChange says what an outcome means for the pilot, whoever tells of it: its agent,
// which may be of an earlier version, or its batch system. A payload that the end of the
// runtime cut off has not done what was asked; a pilot without one has, by holding its
// allocation to the end.
func (o *observation) outcomeChange(out *api.Outcome) change {
	cause := &pilot.Cause{Code: out.Code, Message: out.Message, ExitCode: out.ExitCode, Signal: out.Signal}
	c := change{Kind: pilot.KindFailed, Cause: cause, Outcome: out}
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

func earlierTime(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
