package launcher

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/launcher/decide"
	"github.com/flightlog/flightlog/pilot"
)

// finishEffect takes over what an effect brought and looks at the pilot again.
func (l *Launcher) finishEffect(r result) {
	t, way := r.tracked, laneOf(r.effect.Act)
	t.busy[way] = false
	l.lanes[way].running--
	if r.effect.Act == decide.ActLaunch {
		t.submittingSince = time.Time{}
	}
	for i := range r.latest {
		l.view.Apply(&r.latest[i])
	}
	if r.effect.Act == decide.ActCount {
		l.finishCount(&r)
	}
	now := time.Now()
	if r.secret != "" {
		t.resetAttempt(r.attempt + 1)
		t.Secret = r.secret
	} else if r.attempt == t.Number {
		t.applyResult(&r, now)
	}
	t.completeWaiters(&r)
	if answers, known := r.systemAnswered(); known {
		l.recordAnswering(t.system, answers, now)
	}
	if r.err != nil {
		l.logger.Warn("effect failed", zap.String("pilot", t.key.Pilot), zap.Stringer("act", r.effect.Act), zap.Error(r.err))
		t.wakeAt = now.Add(t.effectRetryPause(&r))
	} else {
		if r.effect.Act == decide.ActFind {
			t.FailedFinds, t.FailedQueries = 0, 0
		}
		l.reconcile(t)
	}
	l.fillSlots(way)
}

// retryPause is the pause after an effect that could not be carried out, and
// maxRetryPause that after many a look for a job: a system that is ill is not to be
// asked by each pilot at every second.
const (
	retryPause    = time.Second
	maxRetryPause = time.Minute
)

// effectRetryPause is the pause after an effect that has failed.
func (t *tracked) effectRetryPause(r *result) time.Duration {
	if r.effect.Act != decide.ActFind {
		return retryPause
	}
	t.FailedQueries++
	t.FailedFinds++
	return min(retryPause<<min(t.FailedFinds-1, 6), maxRetryPause)
}

// applyResult keeps what an effect told about the present attempt.
func (t *tracked) applyResult(r *result, now time.Time) {
	if r.submittedJob != nil {
		t.SubmittedJob = r.submittedJob
	}
	if r.notFound {
		t.NotFoundAt = now
	}
	if r.submitErr != nil {
		t.SubmitErr, t.SubmitFailedAt, t.NotFoundAt = r.submitErr, now, time.Time{}
	}
	switch r.effect.Act {
	case decide.ActStop:
		t.StopSent, t.StopSentAt, t.StopFailed = decide.StopAsked, now, r.err != nil
		if r.effect.Stop.Force {
			t.StopSent = decide.StopForced
		}
	case decide.ActCleanup:
		if r.err != nil {
			t.FailedCleanups++
		}
		t.Cleaned = r.err == nil || t.FailedCleanups == maxCleanupTries
	case decide.ActNote:
		if r.effect.Note.Kind == events.Health && r.err == nil {
			t.LossNotedOf = r.effect.Note.Since
		}
	case decide.ActReach:
		t.recordReach(r.reachErr, now)
	case decide.ActRequeue:
		t.forgetReach()
	case decide.ActAck, decide.ActWait, decide.ActRecord, decide.ActFind, decide.ActLaunch, decide.ActPoll, decide.ActRefresh, decide.ActCount:
	}
}

// maxCleanupTries is how often a sandbox that cannot be removed is tried.
const maxCleanupTries = 10

// completeWaiters lets go of a command that was handed on, and tells the agents' asks
// what the effect on their behalf came to. A command whose ack did not arrive
// comes again; one that came meanwhile is another delivery.
func (t *tracked) completeWaiters(r *result) {
	if r.effect.Act == decide.ActAck || r.effect.Act == decide.ActRequeue {
		t.staleCommands = slices.DeleteFunc(t.staleCommands, func(d *events.Delivery) bool { return d == r.command })
		if t.heldCommand == r.command {
			t.heldCommand = nil
		}
	}
	a := r.effect.waiter
	switch {
	case a == nil:
	case r.err != nil:
		t.completeWaiter(a, agentAnswer{err: pilot.Errorf(pilot.Unavailable, "the log cannot be asked now")})
	case r.effect.Act == decide.ActRefresh:
		a.rereadDone = true
	case r.effect.Act == decide.ActNote:
		a.lateNoted = true
	}
}

// fillSlots gives free slots to those that wait for one.
func (l *Launcher) fillSlots(way lane) {
	traffic := &l.lanes[way]
	for len(traffic.waiting) > 0 && traffic.running < l.lim.Effects {
		t := traffic.waiting[0]
		traffic.waiting = traffic.waiting[1:]
		t.queued[way] = false
		l.reconcile(t)
	}
}

// systemAnswered says what an effect tells of whether its batch system answers, if anything.
func (r *result) systemAnswered() (does, known bool) {
	switch {
	case r.effect.Act != decide.ActLaunch:
		return false, false
	case r.submittedJob != nil:
		return true, true
	default:
		return false, r.submitErr != nil && r.submitErr.NoAnswer
	}
}
