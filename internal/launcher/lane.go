package launcher

import (
	"time"

	"github.com/flightlog/flightlog/internal/launcher/decide"
)

// lane is where an effect is under way. Of one pilot there is at most one in each, and
// the lanes have slots of their own: commands of a batch system that is away take
// minutes, and what an agent reports has to be in the log meanwhile.
type lane uint8

const (
	laneWrites   lane = iota // to the log and the queue, and what is read there
	laneCommands             // of the batch system
	laneCount    int  = iota
)

// laneOf returns the lane that an action takes.
func laneOf(a decide.Action) lane {
	switch a {
	case decide.ActFind, decide.ActLaunch, decide.ActStop, decide.ActCleanup, decide.ActReach:
		return laneCommands
	default:
		return laneWrites
	}
}

// laneState is what goes on in a lane.
type laneState struct {
	running int        // effects under way
	waiting []*tracked // pilots that have something to do, and no slot
}

// takeSlot takes a slot for a pilot's effect, or queues the pilot for one.
func (l *Launcher) takeSlot(t *tracked, way lane) bool {
	traffic := &l.lanes[way]
	if traffic.running >= l.lim.Effects {
		if !t.queued[way] {
			t.queued[way] = true
			traffic.waiting = append(traffic.waiting, t)
		}
		return false
	}
	traffic.running++
	t.busy[way] = true
	return true
}

// submitHeadStart is how long an agent that is quicker than the answer to its job's submit
// waits for that: PENDING_ACTIVE then stands before ACTIVE in the log, and the two are
// not written against each other. Submits take milliseconds; those that hang take longer.
const submitHeadStart = 2 * time.Second

// answerAgentsFrom is when agents are answered beside the submit that is under way; zero: at once.
func (t *tracked) answerAgentsFrom(now time.Time) time.Time {
	if at := t.submittingSince.Add(submitHeadStart); !t.submittingSince.IsZero() && now.Before(at) {
		return at
	}
	return time.Time{}
}

// countEffects counts effects under way, and pilots that wait for a slot.
func (l *Launcher) countEffects() (under, waiting int) {
	for _, traffic := range &l.lanes {
		under += traffic.running
		waiting += len(traffic.waiting)
	}
	return under, waiting
}
