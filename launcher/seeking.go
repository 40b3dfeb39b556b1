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
	if s.Blind && s.Note.Health == "" {
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
	words := s.Refusal.Err.Error()
	switch s.Refusal.Class {
	case adaptor.Rejected:
		return s.fail(pilot.JobRejected, "%s", words)
	case adaptor.Uncertain:
		if e, sure := s.seek(now, s.RefusedAt.Add(s.Settle)); !sure {
			return e
		}
	case adaptor.Throttled, adaptor.NotSent:
	}
	code, pause := pilot.LaunchError, lim.Backoff
	if s.Refusal.Class == adaptor.Throttled {
		code, pause = pilot.Throttled, 10*lim.Backoff
	}
	pause = min(pause<<min(s.Attempt-1, 16), maxBackoff)
	return effect{Act: record, Change: change{
		Kind: pilot.Retried, Cause: &pilot.Cause{Code: code, Message: words}, NotBefore: now.Add(pause),
	}}
}

// maxBackoff is the longest pause between two attempts.
const maxBackoff = 5 * time.Minute
