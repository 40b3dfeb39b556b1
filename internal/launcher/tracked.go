package launcher

import (
	"cmp"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/launcher/decide"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// tracked is what a launcher knows of a live pilot beside the log. All of it can
// be lost: it is found out again from the log and the batch system.
type tracked struct {
	key             pilot.Key
	system          adaptor.Adaptor // nil: none here can drive it
	config          *resource.Config
	busy            [laneCount]bool // an effect is under way
	queued          [laneCount]bool // waits for a free slot
	submittingSince time.Time       // since when its submit is under way; zero: none is
	wakeAt          time.Time
	heldCommand     *events.Delivery
	staleCommands   []*events.Delivery // commands that held has taken the place of
	list            listState          // of held
	waiters         []*agentWaiter
	pollRunning     bool // a query about its job is under way
	pollDue         bool // its job is in the next query

	decide.SystemTraits
	decide.AttemptState
}

// resetAttempt begins with nothing about an attempt, unless it is the present one.
func (t *tracked) resetAttempt(number int) {
	if t.Number != number {
		t.AttemptState = decide.AttemptState{Number: number}
	}
}

// recordPoll takes note of an answer; failed: the system could not be asked.
func (t *tracked) recordPoll(st adaptor.Status, failed bool, now time.Time) {
	t.LastPoll, t.PolledAt = &st, now
	t.FirstJobLimit = cmp.Or(t.FirstJobLimit, st.Limit)
	t.recordAnswer(&st, failed, now)
	if t.FailedQueries++; !failed {
		t.FailedQueries = 0
	}
	keepSince(&t.VanishedSince, st.Phase == adaptor.Vanished, now)
	keepSince(&t.CompletingSince, st.Phase == adaptor.Completing, now)
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
	t.config = cfg
	var err error
	t.system, err = l.systems.For(cfg)
	t.SystemTraits = traitsOf(t.system, err)
	l.listenForEnds(t.system)
}

// traitsOf returns what the decisions about a pilot depend on of its batch system, or
// of why there is none.
func traitsOf(system adaptor.Adaptor, openErr error) decide.SystemTraits {
	traits := decide.SystemTraits{Supported: system != nil, SettleTime: adaptor.DefaultSettleTime}
	if openErr != nil {
		traits.OpenErr, traits.NeverSupported = openErr.Error(), pilot.CodeOf(openErr) == pilot.Unsupported
	}
	if s, ok := system.(adaptor.SettleTimer); ok {
		traits.SettleTime = s.SettleTime()
	}
	if b, ok := system.(adaptor.HostLocal); ok {
		traits.JobsHost = b.JobsHost()
	}
	_, traits.ChecksReach = system.(adaptor.Reacher)
	_, traits.BulkPolled = system.(adaptor.BulkPolled)
	return traits
}

// observe returns all that decide looks at for a pilot.
func (l *Launcher) observe(t *tracked, p *projection.Pilot) *decide.Observation {
	o := &decide.Observation{
		Pilot: *p, AttemptState: t.AttemptState, SystemTraits: t.SystemTraits,
		Self: l.id, Handle: t.jobHandle(p), HoldsCommand: t.heldCommand != nil, CanSeeJob: t.canSeeJob(p),
		OwnerLease: l.leaseStates[p.Launcher], SoleOwnerSince: l.startedAt,
		BusSilentAt: l.busSilentAt, PollInterval: l.pollInterval(t.system),
	}
	if p.Launcher != l.id {
		o.SoleOwnerSince = o.OwnerLease.DeadSince
	}
	if q := l.queries[t.system]; q != nil {
		o.RecoveredAt = q.recoveredAt
	}
	return o
}

// canSeeJob says that a pilot's job can be seen from here.
func (t *tracked) canSeeJob(p *projection.Pilot) bool {
	b, bound := t.system.(adaptor.HostLocal)
	return !bound || p.Job.Host == "" || b.SeesJob(&p.Job)
}

// jobHandle is what a pilot's job is asked about with.
func (t *tracked) jobHandle(p *projection.Pilot) adaptor.Handle {
	return adaptor.Handle{
		Key: p.Key, Attempt: p.Attempt, Job: p.Job, Sandbox: p.Sandbox, SubmittedAt: p.SubmittedAt,
		AgentOffline: t.agentOffline() && !p.State.Final(), // its word is heard
	}
}

// agentOffline says that the pilot's agent reaches no launcher.
func (t *tracked) agentOffline() bool { return t.config != nil && t.config.Agent == "none" }

// recordReach takes note of what asking for the way to a batch system came to.
func (t *tracked) recordReach(err error, now time.Time) {
	if t.Reachable = err == nil; t.Reachable {
		t.UnreachableWhy, t.UnreachableSince = "", time.Time{}
		return
	}
	t.UnreachableWhy = err.Error()
	if t.UnreachableSince.IsZero() {
		t.UnreachableSince = now
	}
}

// forgetReach has the way asked for again before the next claim.
func (t *tracked) forgetReach() { t.Reachable, t.UnreachableWhy = false, "" }

func (l *Launcher) trackPilot(key pilot.Key) *tracked {
	t, ok := l.tracked[key]
	if !ok {
		t = &tracked{key: key}
		l.tracked[key] = t
	}
	return t
}

// recordAnswer notes an answer about a job that says something.
func (t *tracked) recordAnswer(st *adaptor.Status, failed bool, now time.Time) {
	if !failed && st.Phase != adaptor.Unknown {
		t.LastAnswerAt = now
	}
}
