package launcher

import (
	"strings"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// longestAway is the longest pause before a pilot asks again whether there is a way to
// its batch system: that asks nobody but the connection here, which has pauses of its own.
const longestAway = time.Minute

// noWay tells people why there is no way to a pilot's batch system now.
func (s *sight) noWay(why string, next effect) effect {
	return s.ill(api.HealthNoWay, "there is no way to its batch system: "+why, next)
}

// hindered tells people why a pilot that is to be launched is not yet.
func (s *sight) hindered(next effect) effect {
	switch {
	case s.Cause == nil:
		return next
	case s.Cause.Code != pilot.LaunchError && s.Note.Health == "":
		return next
	case s.Cause.Code != pilot.LaunchError: // what hindered it is over
		return effect{Act: note, Note: remark{Kind: events.Health, Text: "its batch system takes no more jobs now: " + s.Cause.Message}}
	}
	return s.ill(api.HealthNotLaunched, "it could not be launched, which is tried again: "+s.Cause.Message, next)
}

// ill writes what people should know of a pilot, unless that was the last they were told.
func (s *sight) ill(health, text string, next effect) effect {
	if s.Note.Health == health && alike(s.Note.Text, text) {
		return next
	}
	return effect{Act: note, Note: remark{Kind: events.Health, Text: text, Health: health}}
}

// alike compares what is said without its numbers: ports and times change with every try.
func alike(a, b string) bool {
	words := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, s)
	}
	return words(a) == words(b)
}

// reopen is when to try again: ever more seldom, up to a pause.
func (s *sight) reopen(since, now time.Time, lim *Limits, most time.Duration) time.Time {
	return now.Add(min(max(now.Sub(since)/8, lim.Lease), most))
}

// reachedOut takes note of what asking for the way to a batch system came to.
func (t *track) reachedOut(err error, now time.Time) {
	if t.reached = err == nil; t.reached {
		t.away, t.awaySince = "", time.Time{}
		return
	}
	t.away = err.Error()
	if t.awaySince.IsZero() {
		t.awaySince = now
	}
}

// unreached has the way asked for again before the next claim.
func (t *track) unreached() { t.reached, t.away = false, "" }
