package launcher

import (
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// relaunch begins a new attempt once it is sure that the present one made no job:
// whoever had it may have submitted one just before he died.
func (o *observation) relaunch(now time.Time, lim *Limits) effect {
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
	return effect{Act: actRecord, Change: change{Kind: pilot.KindLaunching}}
}

// findByToken looks for the attempt's job by its token until one look, at settled or
// later, has found nothing; that is sure.
func (o *observation) findByToken(now, settled time.Time) (e effect, sure bool) {
	if o.fellSilent() {
		return effect{Act: actNote, Note: silentNote}, false
	}
	if o.NotFoundAt.IsZero() {
		return effect{Act: actFind}, false
	}
	if !o.NotFoundAt.Before(settled) {
		return effect{}, true
	}
	if next := earlierTime(o.NotFoundAt.Add(max(o.SettleTime/8, findInterval)), settled); now.Before(next) {
		return effect{At: next}, false
	}
	return effect{Act: actFind}, false
}

// findInterval is the least time between two looks for the same job.
const findInterval = 250 * time.Millisecond

// submitFailed decides after a submit that did not say it had worked.
func (o *observation) submitFailed(now time.Time, lim *Limits) effect {
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
	return effect{Act: actRecord, Change: change{
		Kind: pilot.KindRetrying, Cause: &pilot.Cause{Code: code, Message: words}, NotBefore: now.Add(o.attemptPause(pause, now)), AnswerLost: lost,
	}}
}

// attemptPause is how long an attempt waits for the one before: twice as long each time.
func (o *observation) attemptPause(first time.Duration, now time.Time) time.Duration {
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
