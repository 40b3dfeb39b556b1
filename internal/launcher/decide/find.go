package decide

import (
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// relaunch begins a new attempt once it is sure that the present one made no job:
// whoever had it may have submitted one just before he died.
func (o *Observation) relaunch(now time.Time, lim *Limits) Effect {
	last := o.ChangedAt
	if o.SoleOwnerSince.After(last) {
		last = o.SoleOwnerSince
	}
	if e, sure := o.findByToken(now, last.Add(o.SettleTime)); !sure {
		return e
	}
	if o.Crashes >= lim.Crashes {
		return o.failPilot(pilot.RetriesExhausted, "its launcher died %d times while it launched it", o.Crashes)
	}
	return Effect{Act: ActRecord, Change: Change{Kind: pilot.KindLaunching}}
}

// findByToken looks for the attempt's job by its token until one look, at settled or
// later, has found nothing; that is sure.
func (o *Observation) findByToken(now, settled time.Time) (e Effect, sure bool) {
	if o.fellSilent() {
		return Effect{Act: ActNote, Note: silentNote}, false
	}
	if o.NotFoundAt.IsZero() {
		return Effect{Act: ActFind}, false
	}
	if !o.NotFoundAt.Before(settled) {
		return Effect{}, true
	}
	if next := earlierTime(o.NotFoundAt.Add(max(o.SettleTime/8, findInterval)), settled); now.Before(next) {
		return Effect{At: next}, false
	}
	return Effect{Act: ActFind}, false
}

// findInterval is the least time between two looks for the same job.
const findInterval = 250 * time.Millisecond

// submitFailed decides after a submit that did not say it had worked.
func (o *Observation) submitFailed(now time.Time, lim *Limits) Effect {
	words, lost := o.SubmitErr.Err.Error(), false
	code, pause := pilot.LaunchError, lim.Backoff
	switch o.SubmitErr.Class {
	case adaptor.Rejected:
		return o.failPilot(pilot.JobRejected, "%s", words)
	case adaptor.Impossible:
		return o.failPilot(pilot.LaunchError, "%s", words)
	case adaptor.Uncertain:
		if e, sure := o.findByToken(now, o.SubmitFailedAt.Add(o.SettleTime)); !sure {
			return e
		}
		lost = true
	case adaptor.Throttled:
		code, pause = pilot.Throttled, 10*lim.Backoff
	case adaptor.NotSent:
	}
	return Effect{Act: ActRecord, Change: Change{
		Kind: pilot.KindRetrying, Cause: &pilot.Cause{Code: code, Message: words}, NotBefore: now.Add(o.attemptPause(pause, now)), AnswerLost: lost,
	}}
}

// attemptPause is how long an attempt waits for the one before: twice as long each time.
func (o *Observation) attemptPause(first time.Duration, now time.Time) time.Duration {
	most := min(max(now.Sub(o.SubmittedAt)/24, maxBackoff), longestBackoff)
	return min(first<<min(o.Attempt-1, 16), most)
}

// maxBackoff is the longest pause between two attempts in the first two hours, and
// longestBackoff after half a day: each attempt is two messages of the 10,000 that the
// log takes of a pilot.
const (
	maxBackoff     = 5 * time.Minute
	longestBackoff = 30 * time.Minute
)
