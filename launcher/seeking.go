package launcher

import (
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// afresh begins a new attempt once it is sure that the present one made no job:
// whoever had it may have submitted one just before he died.
func (s *sight) afresh(now time.Time, lim *Limits) effect {
	last := s.ChangedAt
	if s.Alone.After(last) {
		last = s.Alone
	}
	if e, sure := s.seek(now, last.Add(s.Settle)); !sure {
		return e
	}
	if s.Crashes >= lim.Crashes {
		return s.fail(pilot.RetriesExhausted, "its launcher died %d times while it launched it", s.Crashes)
	}
	return effect{Act: record, Change: change{Kind: pilot.Claimed}}
}

// seek looks for the attempt's job by its token until one look, at settled or
// later, has found nothing; that is sure.
func (s *sight) seek(now, settled time.Time) (e effect, sure bool) {
	if s.fellSilent() {
		return effect{Act: note, Note: silentSystem}, false
	}
	if s.SoughtAt.IsZero() {
		return effect{Act: find}, false
	}
	if !s.SoughtAt.Before(settled) {
		return effect{}, true
	}
	if next := earlier(s.SoughtAt.Add(max(s.Settle/8, seekEvery)), settled); now.Before(next) {
		return effect{At: next}, false
	}
	return effect{Act: find}, false
}

// seekEvery is the least time between two looks for the same job.
const seekEvery = 250 * time.Millisecond

// refused decides after a submit that did not say it had worked.
func (s *sight) refused(now time.Time, lim *Limits) effect {
	words, lost := s.Refusal.Err.Error(), false
	code, pause := pilot.LaunchError, lim.Backoff
	switch s.Refusal.Class {
	case adaptor.Rejected:
		return s.fail(pilot.JobRejected, "%s", words)
	case adaptor.Impossible:
		return s.fail(pilot.LaunchError, "%s", words)
	case adaptor.Uncertain:
		if e, sure := s.seek(now, s.RefusedAt.Add(s.Settle)); !sure {
			return e
		}
		lost = true
	case adaptor.Throttled:
		code, pause = pilot.Throttled, 10*lim.Backoff
	case adaptor.NotSent:
	}
	return effect{Act: record, Change: change{
		Kind: pilot.Retried, Cause: &pilot.Cause{Code: code, Message: words}, NotBefore: now.Add(s.pause(pause, now)), Lost: lost,
	}}
}

// pause is how long an attempt waits for the one before: twice as long each time.
func (s *sight) pause(first time.Duration, now time.Time) time.Duration {
	most := min(max(now.Sub(s.SubmittedAt)/24, maxBackoff), longestBackoff)
	return min(first<<min(s.Attempt-1, 16), most)
}

// maxBackoff is the longest pause between two attempts in the first two hours, and
// longestBackoff after half a day: each attempt is two messages of the 10,000 that the
// log takes of a pilot.
const (
	maxBackoff     = 5 * time.Minute
	longestBackoff = 30 * time.Minute
)
