package launcher

import (
	"fmt"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// act is what a launcher can do about a pilot.
type act uint8

const (
	wait    act = iota // nothing now; look again at effect.At, if set, or when something happens
	ack                // take the submit command off the queue
	again              // hand it back, to come again at effect.At
	record             // append a change
	find               // ask the batch system for the attempt's token
	launch             // submit the job, and record it
	poll               // ask what the job does
	stop               // ask the job to end
	cleanup            // remove the sandbox
	note               // append a remark
	refresh            // read the pilot's subject again
	count              // see how much of the list that its birth belongs to is in the log
	reach              // ask whether there is a way to the batch system
)

var actNames = [...]string{
	wait: "wait", ack: "ack", again: "again", record: "record", find: "find", launch: "launch", poll: "poll",
	stop: "stop", cleanup: "cleanup", note: "note", refresh: "refresh", count: "count", reach: "reach",
}

// String is for logs.
func (a act) String() string { return actNames[a] }

// effect is one thing to do about one pilot.
type effect struct {
	Act    act
	At     time.Time
	Change change       // record
	Stop   adaptor.Stop // stop
	Note   remark       // note
	ask    *ask         // on whose behalf; nil: nobody's

	command *events.Delivery // ack: one that another has taken the place of; nil: the one that is held
}

// remark is what a note says; the observation it carries on is the last one's.
type remark struct {
	Kind   events.Kind
	Text   string
	Seen   bool      // it is a new observation: that of the last poll
	Health string    // empty: well
	Since  time.Time // Health: the owner's absence it is about
}

// change is what a recorded change says beyond its kind.
type change struct {
	Kind      pilot.Kind
	Cause     *pilot.Cause
	NotBefore time.Time
	Lost      bool              // retried: nobody knows what became of the submit
	Outcome   *api.Outcome      // finals: tails and time of the end
	Placed    *adaptor.Placed   // pending_active
	Limit     time.Duration     // deadline
	Agent     *api.AgentRequest // active, and finals that the agent reported
	Since     time.Time         // active: when its agent began, if that is known and was earlier
}

// sight is all that step looks at.
type sight struct {
	projection.Pilot
	Handle    adaptor.Handle
	Me        string
	Held      bool   // this launcher holds the submit command
	Supported bool   // there is an adaptor for its batch system
	Closed    string // why there is none; empty: there is one
	Never     bool   // and there will be none

	Reaches   bool      // the way to its batch system may be closed
	Reached   bool      // it is open
	Away      string    // why it is closed; empty: not known to be
	AwaySince time.Time // zero: it was open when last asked
	Back      time.Time // its batch system answered again then, after it had not

	Secret    bool            // this process claimed the attempt and can submit it
	Placed    *adaptor.Placed // the job of this attempt, not yet in the log
	Refusal   *adaptor.Error  // of this attempt's submit
	RefusedAt time.Time
	SoughtAt  time.Time     // when Find last said that there is no job; zero: not asked
	Alone     time.Time     // nobody else has been at work on the attempt since; zero: nobody was
	Place     pilot.Job     // where the system's jobs are seen from; its Host is empty: anywhere
	Near      bool          // this launcher sees the pilot's job there
	Settle    time.Duration // how long a submit without an answer may still show up

	Owner ownership

	Shared  bool      // its batch system must not be asked often, and shows phases
	BeatAt  time.Time // its agent was heard, here
	SeenAt  time.Time // its batch system last said something of it
	Unheard time.Time // nobody could be heard then
	Ending  bool      // its agent said that it ends, and its batch system knows why

	SeenLimit time.Duration   // of its job, when this launcher first saw one; 0: it has not
	Poll      *adaptor.Status // last answer; nil: ask
	PolledAt  time.Time
	GoneAt    time.Time // first of the answers Vanished, one after the other
	ClosingAt time.Time // the same of Completing

	StopSent   stopLevel
	StoppedAt  time.Time // when the last stop was sent
	StopFailed bool      // it could not be

	Pace    time.Duration // between polls, while nothing is expected
	Blind   bool          // polls of this system fail
	Told    bool          // the note that the owner is gone was written
	Cleaned bool
}

// ownership is what is known of the launcher that a pilot belongs to.
type ownership struct {
	Known bool // false: its lease was not looked at yet
	Alive bool
	Since time.Time // not alive since
}

type stopLevel uint8

const (
	notSent stopLevel = iota
	asked
	forced
)

// step says what a pilot needs now. It is pure: equal sights and times give
// equal effects. Where it waits for something that makes no noise, the effect
// says when to look again.
func step(s *sight, now time.Time, lim *Limits) effect {
	switch {
	case s.State.Final():
		return s.afterEnd(now, lim)
	case s.State == pilot.PendingLaunch:
		return s.pending(now, lim)
	case !s.Supported:
		return s.handBack(now, lim)
	case s.Launcher != s.Me:
		return s.foreign(now, lim)
	case s.State == pilot.Launching:
		return s.launching(now, lim)
	case s.Placed != nil && !s.Job.Known(): // the agent, or a cancel, was faster
		return effect{Act: record, Change: change{Kind: pilot.Queued, Placed: s.Placed}}
	case s.Held:
		return effect{Act: ack}
	case s.Job.Known() && !s.Near && !s.shows():
		return s.apart(now, lim)
	case s.State.Leaving():
		return s.leaving(now, lim)
	default:
		return s.running(now, lim)
	}
}

// handBack leaves a pilot to launchers that can drive its batch system.
func (s *sight) handBack(now time.Time, lim *Limits) effect {
	switch {
	case s.Held:
		return effect{Act: again, At: now.Add(lim.Lease)}
	case s.Closed != "" && !s.Never && s.Launcher == s.Me:
		return s.noWay(s.Closed, effect{At: s.reopen(s.ChangedAt, now, lim, maxBackoff)})
	default:
		return effect{}
	}
}

func (s *sight) pending(now time.Time, lim *Limits) effect {
	switch {
	case s.Birth == nil: // its command does not decode, so the queue gives it to nobody
		return s.fail(pilot.LaunchError, "the log holds no description of this pilot that can be read")
	case !s.Held:
		return effect{} // the queue gives it to somebody
	case !s.Supported && s.Never:
		return s.fail(pilot.LaunchError, "no launcher of %s can drive its batch system: %s", s.Resource, s.Closed)
	case !s.Supported:
		return s.noWay(s.Closed, effect{Act: again, At: s.reopen(s.SubmittedAt, now, lim, maxBackoff)})
	case s.Failures >= lim.Attempts && !now.Before(s.SubmittedAt.Add(lim.GiveUp)):
		return s.fail(pilot.RetriesExhausted, "the answers of %d submits were lost or not understood; the last: %s", s.Failures, s.said())
	case now.Before(s.NotBefore) && !s.back():
		return s.hindered(effect{Act: again, At: s.retryAt(now, lim)})
	case s.Away != "":
		return s.noWay(s.Away, effect{Act: again, At: s.reopen(s.AwaySince, now, lim, longestAway)})
	case s.Reaches && !s.Reached:
		return effect{Act: reach}
	default:
		return effect{Act: record, Change: change{Kind: pilot.Claimed}}
	}
}

// said is why the last attempt ended.
func (s *sight) said() string {
	if s.Cause == nil {
		return "for an unknown reason"
	}
	return s.Cause.Message
}

func (s *sight) fail(code pilot.CauseCode, format string, args ...any) effect {
	return effect{Act: record, Change: change{
		Kind: pilot.JobFailed, Cause: &pilot.Cause{Code: code, Message: fmt.Sprintf(format, args...)},
	}}
}

// launching goes on with an attempt that is this launcher's.
func (s *sight) launching(now time.Time, lim *Limits) effect {
	switch {
	case s.Placed != nil:
		return effect{Act: record, Change: change{Kind: pilot.Queued, Placed: s.Placed}}
	case s.Refusal != nil:
		return s.refused(now, lim)
	case s.Secret:
		return effect{Act: launch}
	default:
		return s.afresh(now, lim) // begun by an earlier life of this launcher
	}
}

// foreign decides about a pilot that another launcher looks after.
func (s *sight) foreign(now time.Time, lim *Limits) effect {
	begun := s.State == pilot.Launching || s.State.Leaving() && !s.Job.Known()
	switch {
	case s.Held && !begun:
		return effect{Act: ack}
	case !s.Owner.Known || s.Owner.Alive:
		if s.Held {
			return effect{Act: again, At: now.Add(lim.Lease)}
		}
		return effect{}
	case s.State == pilot.Launching:
		return s.takeOver(now, lim)
	case s.Near || s.shows():
		return effect{Act: record, Change: change{Kind: pilot.Adopted}}
	default:
		return s.apart(now, lim)
	}
}

// takeOver continues an attempt whose launcher is gone: whatever job it made
// is recorded; if there is none, a new attempt shuts the old one out.
func (s *sight) takeOver(now time.Time, lim *Limits) effect {
	switch {
	case !s.Held:
		return effect{} // the queue gives it to somebody
	case s.Placed != nil:
		return effect{Act: record, Change: change{Kind: pilot.Queued, Placed: s.Placed}}
	default:
		return s.afresh(now, lim)
	}
}

// running looks after a job.
func (s *sight) running(now time.Time, lim *Limits) effect {
	switch {
	case !s.Job.Known():
		last := s.ActiveAt // there was one; its agent, which is heard, has one
		if s.BeatAt.After(last) {
			last = s.BeatAt
		}
		if e, sure := s.seek(now, last.Add(max(s.Settle, lim.Vanish))); !sure {
			return e
		}
		return s.fail(pilot.AgentLost, "the batch system knows no job of attempt %d", s.Attempt)
	case s.Poll == nil:
		return effect{Act: poll}
	}
	if b := s.Poll.Begun; b != nil && s.State == pilot.PendingActive { // also of a job that began and ended between two polls
		return effect{Act: record, Change: change{Kind: pilot.Activated, Since: b.At, Agent: &api.AgentRequest{
			Instance: b.Instance, Nodes: b.Nodes, Cores: s.Birth.Description.Cores, GPUs: s.Birth.Description.GPUs,
		}}}
	}
	switch s.Poll.Phase {
	case adaptor.Ended:
		return s.ended()
	case adaptor.Vanished:
		if s.missing(now, lim) {
			return s.tell(s.pollAt(s.PolledAt.Add(min(s.Pace, lim.Vanish/4)), now))
		}
		return s.fail(pilot.JobVanished, "the batch system has not known job %s since %s", s.Job.ID, s.GoneAt.Format(time.RFC3339))
	default:
		if limit, changed := s.newLimit(); changed {
			return effect{Act: record, Change: change{Kind: pilot.DeadlineMoved, Limit: limit}}
		}
		return s.tell(s.pollAt(s.PolledAt.Add(s.pace(lim)), now))
	}
}

// missing says that a job which its system does not show may yet be there: that
// is not so for long, or its agent was heard since.
func (s *sight) missing(now time.Time, lim *Limits) bool {
	heard := s.BeatAt
	if heard.Before(s.GoneAt) {
		heard = s.GoneAt
	}
	return now.Before(heard.Add(s.patience(lim)))
}

// patience is how long a job may be gone from its system before it is given up.
func (s *sight) patience(lim *Limits) time.Duration {
	if s.Handle.Mute {
		return max(lim.Vanish, lim.Silence)
	}
	return lim.Vanish
}

// pace is the time between two polls: short only while something is expected.
func (s *sight) pace(lim *Limits) time.Duration {
	switch {
	case s.Poll.Phase == adaptor.Completing: // some take hours, because of a node that does not answer
		return min(s.Pace, max(lim.PollLeaving, s.PolledAt.Sub(s.ClosingAt)/4))
	case s.Ending:
		return lim.PollLeaving
	case s.Handle.Mute && s.State == pilot.PendingActive && s.Poll.Phase == adaptor.Running:
		return lim.PollLeaving
	default:
		return s.Pace
	}
}

// silentSystem is for people to know.
var silentSystem = remark{Kind: events.Health, Text: "its batch system cannot be asked", Health: api.HealthSilent}

// fellSilent says that its batch system does not answer, and that people were not told.
func (s *sight) fellSilent() bool { return s.Blind && s.Note.Health != api.HealthSilent }

// tell adds, when there is nothing else to do, what people should know of a
// pilot's care: a note that cannot be written must not keep it from its care.
func (s *sight) tell(next effect) effect {
	next = s.tellHealth(next)
	if next.Act == wait && s.Shared && !s.Blind && s.Poll.Phase != adaptor.Unknown &&
		(string(s.Poll.Phase) != s.Note.Phase || s.native() != s.Note.Native) {
		return effect{Act: note, Note: remark{Kind: events.Observed, Text: "job " + s.Job.ID + " is " + string(s.Poll.Phase), Seen: true}}
	}
	return next
}

// tellHealth is tell of whether the pilot is cared for.
func (s *sight) tellHealth(next effect) effect {
	switch {
	case next.Act != wait || s.Poll == nil:
		return next
	case s.fellSilent():
		return effect{Act: note, Note: silentSystem}
	case !s.Blind && s.Note.Health != "":
		return effect{Act: note, Note: remark{Kind: events.Health, Text: "launcher " + s.Me + " looks after it"}}
	}
	return next
}

// native is the batch system's own word for where the job stands, and why.
func (s *sight) native() string {
	if s.Poll.Reason == "" {
		return s.Poll.Native
	}
	return s.Poll.Native + " (" + s.Poll.Reason + ")"
}

func (s *sight) pollAt(at, now time.Time) effect {
	if now.Before(at) {
		return effect{At: at}
	}
	return effect{Act: poll}
}

// ended records the end of a job that the agent did not report itself.
func (s *sight) ended() effect {
	out := s.Poll.Outcome
	if out == nil {
		return s.fail(pilot.AgentLost, "job %s ended and left no word", s.Job.ID)
	}
	return effect{Act: record, Change: s.outcomeChange(out)}
}

// outcomeChange says what an outcome means for the pilot, whoever tells of it: its agent,
// which may be of an earlier version, or its batch system. A payload that the end of the
// runtime cut off has not done what was asked; a pilot without one has, by holding its
// allocation to the end.
func (s *sight) outcomeChange(out *api.Outcome) change {
	cause := &pilot.Cause{Code: out.Code, Message: out.Message, ExitCode: out.ExitCode, Signal: out.Signal}
	c := change{Kind: pilot.JobFailed, Cause: cause, Outcome: out}
	if s.cutShort(out) {
		cause.Code = pilot.RuntimeReached
	}
	switch {
	case cause.Code == pilot.RuntimeReached && s.Birth != nil:
		if s.Birth.Description.Executable == "" {
			c.Kind = pilot.JobDone
		}
	case out.Kind == api.OutcomeDone:
		c.Kind = pilot.JobDone
	case out.Kind == api.OutcomeCanceled && s.State.Leaving():
		c.Kind = pilot.JobCanceled
		if out.Code == pilot.JobCanceledByThem { // by us: its batch system does not know why
			c.Cause = canceledCause(&s.Status, out.Message)
		}
	case out.Kind == api.OutcomeCanceled:
		cause.Code = pilot.JobCanceledByThem
	}
	return c
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
