package launcher

import (
	"strings"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// maxReachPause is the longest pause before a pilot asks again whether there is a way to
// its batch system: that asks nobody but the connection here, which has pauses of its own.
const maxReachPause = time.Minute

// noteUnreachable tells people why there is no way to a pilot's batch system now.
func (o *observation) noteUnreachable(why string, next effect) effect {
	return o.noteHealth(api.HealthNoWay, "there is no way to its batch system: "+why, next)
}

// noteNotLaunched tells people why a pilot that is to be launched is not yet.
func (o *observation) noteNotLaunched(next effect) effect {
	switch {
	case o.Cause == nil:
		return next
	case o.Cause.Code != pilot.LaunchError && o.Note.Health == "":
		return next
	case o.Cause.Code != pilot.LaunchError: // what hindered it is over
		return effect{Act: actNote, Note: note{Kind: events.Health, Text: "its batch system takes no more jobs now: " + o.Cause.Message}}
	}
	return o.noteHealth(api.HealthNotLaunched, "it could not be launched, which is tried again: "+o.Cause.Message, next)
}

// noteHealth writes what people should know of a pilot, unless that was the last they were told.
func (o *observation) noteHealth(health, text string, next effect) effect {
	if o.Note.Health == health && sameButNumbers(o.Note.Text, text) {
		return next
	}
	return effect{Act: actNote, Note: note{Kind: events.Health, Text: text, Health: health}}
}

// sameButNumbers compares what is said without its numbers: ports and times change with every try.
func sameButNumbers(a, b string) bool {
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

// reopenAt is when to try again: ever more seldom, up to a pause.
func (o *observation) reopenAt(since, now time.Time, lim *Limits, most time.Duration) time.Time {
	return now.Add(min(max(now.Sub(since)/8, lim.LeaseCheck), most))
}

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
