package launcher

import (
	"cmp"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// tracked is what a launcher knows of a live pilot beside the log. All of it can
// be lost: it is found out again from the log and the batch system.
type tracked struct {
	key             pilot.Key
	system          adaptor.Adaptor // nil: none here can drive it
	openErr         error           // why not
	config          *resource.Config
	settleTime      time.Duration
	busy            [laneCount]bool // an effect is under way
	queued          [laneCount]bool // waits for a free slot
	submittingSince time.Time       // since when its submit is under way; zero: none is
	wakeAt          time.Time
	heldCommand     *events.Delivery
	staleCommands   []*events.Delivery // commands that held has taken the place of
	list            listState          // of held
	waiters         []*agentWaiter
	attempt         int // what follows is about this attempt

	reachable        bool      // there is a way to the batch system
	unreachableWhy   string    // there is none now, and why
	unreachableSince time.Time // zero: there was one when last asked

	secret         string
	submittedJob   *adaptor.SubmittedJob
	submitErr      *adaptor.Error
	submitFailedAt time.Time
	notFoundAt     time.Time

	agentHeardAt    time.Time     // its agent was heard
	agentEnding     bool          // its agent said that it ends, and not why
	firstJobLimit   time.Duration // of its job, as it was first seen; 0: it was not
	lastPoll        *adaptor.Status
	pollRunning     bool
	pollDue         bool
	polledAt        time.Time
	lastAnswerAt    time.Time // last answer that said something, for the census
	vanishedSince   time.Time
	completingSince time.Time // first of the answers Completing, one after the other
	failedQueries   int       // polls and finds that failed, one after the other
	failedFinds     int       // finds alone
	stopSent        stopLevel
	stopSentAt      time.Time
	stopFailed      bool
	lossNotedOf     time.Time // the owner is gone since then, says a note
	failedCleanups  int       // tries that failed
	cleaned         bool
}

// resetAttempt makes the pilot forget what belongs to an earlier attempt.
func (t *tracked) resetAttempt(attempt int) {
	if t.attempt == attempt {
		return
	}
	t.attempt = attempt
	t.forgetReach()
	t.secret, t.submittedJob, t.submitErr = "", nil, nil
	t.submitFailedAt, t.notFoundAt = time.Time{}, time.Time{}
	t.lastPoll, t.polledAt, t.vanishedSince, t.completingSince, t.lastAnswerAt = nil, time.Time{}, time.Time{}, time.Time{}, time.Time{}
	t.agentHeardAt, t.agentEnding, t.firstJobLimit = time.Time{}, false, 0
	t.stopSent, t.stopSentAt, t.stopFailed = stopNotSent, time.Time{}, false
}

// recordPoll takes note of an answer; failed: the system could not be asked.
func (t *tracked) recordPoll(st adaptor.Status, failed bool, now time.Time) {
	t.lastPoll, t.polledAt = &st, now
	t.firstJobLimit = cmp.Or(t.firstJobLimit, st.Limit)
	t.recordAnswer(&st, failed, now)
	if t.failedQueries++; !failed {
		t.failedQueries = 0
	}
	keepSince(&t.vanishedSince, st.Phase == adaptor.Vanished, now)
	keepSince(&t.completingSince, st.Phase == adaptor.Completing, now)
}

// keepSince keeps when something began that is so now.
func keepSince(at *time.Time, is bool, now time.Time) {
	switch {
	case !is:
		*at = time.Time{}
	case at.IsZero():
		*at = now
	}
}

// bindSystem finds the adaptor of a pilot's batch system, once.
func (l *Launcher) bindSystem(t *tracked, birth *events.Submission) {
	if t.system != nil || birth == nil {
		return
	}
	cfg, ok := l.configs[string(birth.Config)]
	if !ok {
		var err error
		if cfg, err = resource.ParseCanonical(birth.Config); err != nil {
			return
		}
		l.configs[string(birth.Config)] = cfg
	}
	t.config, t.settleTime = cfg, adaptor.DefaultSettleTime
	t.system, t.openErr = l.systems.For(cfg)
	if s, ok := t.system.(adaptor.SettleTimer); ok {
		t.settleTime = s.SettleTime()
	}
	l.listenForEnds(t.system)
}

// observe gathers what decide looks at.
func (l *Launcher) observe(t *tracked, p *projection.Pilot) *observation {
	o := &observation{
		BusSilentAt: l.busSilentAt, LastAnswerAt: t.lastAnswerAt,
		Pilot: *p, Handle: t.jobHandle(p), Self: l.id, CanSeeJob: t.canSeeJob(p), Supported: t.system != nil,
		HasSecret: t.secret != "", SubmittedJob: t.submittedJob, SubmitErr: t.submitErr, SubmitFailedAt: t.submitFailedAt,
		NotFoundAt: t.notFoundAt, SettleTime: t.settleTime, OwnerLease: l.leaseStates[p.Launcher],
		FirstJobLimit: t.firstJobLimit, LastPoll: t.lastPoll, PolledAt: t.polledAt, VanishedSince: t.vanishedSince, CompletingSince: t.completingSince,
		StopSent: t.stopSent, StopSentAt: t.stopSentAt, StopFailed: t.stopFailed,
		Reachable: t.reachable, UnreachableWhy: t.unreachableWhy, UnreachableSince: t.unreachableSince,
		HoldsCommand: t.heldCommand != nil, PollsFailing: t.failedQueries >= pollsFailingAfter, Cleaned: t.cleaned,
	}
	o.LossNoted = !t.lossNotedOf.IsZero() && t.lossNotedOf.Equal(o.OwnerLease.DeadSince)
	if b, ok := t.system.(adaptor.HostLocal); ok {
		o.JobsHost = b.JobsHost()
	}
	if t.openErr != nil {
		o.OpenErr, o.NeverSupported = t.openErr.Error(), pilot.CodeOf(t.openErr) == pilot.Unsupported
	}
	_, o.ChecksReach = t.system.(adaptor.Reacher)
	_, o.BulkPolled = t.system.(adaptor.BulkPolled)
	if o.SoleOwnerSince = l.startedAt; p.Launcher != l.id {
		o.SoleOwnerSince = o.OwnerLease.DeadSince
	}
	o.AgentHeardAt, o.AgentEnding, o.PollInterval = t.agentHeardAt, t.agentEnding, l.pollInterval(t.system)
	if a := l.queries[t.system]; a != nil {
		o.RecoveredAt = a.recoveredAt
	}
	return o
}

// canSeeJob says that a pilot's job can be seen from here.
func (t *tracked) canSeeJob(p *projection.Pilot) bool {
	b, bound := t.system.(adaptor.HostLocal)
	return !bound || p.Job.Host == "" || b.SeesJob(&p.Job)
}

// pollsFailingAfter is how many polls in a row may fail before people are told.
const pollsFailingAfter = 3

// jobHandle is what a pilot's job is asked about with.
func (t *tracked) jobHandle(p *projection.Pilot) adaptor.Handle {
	return adaptor.Handle{
		Key: p.Key, Attempt: p.Attempt, Job: p.Job, Sandbox: p.Sandbox, SubmittedAt: p.SubmittedAt,
		AgentOffline: t.agentOffline() && !p.State.Final(), // its word is heard
	}
}

// agentOffline says that the pilot's agent reaches no launcher.
func (t *tracked) agentOffline() bool { return t.config != nil && t.config.Agent == "none" }
