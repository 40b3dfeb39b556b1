package launcher

import "time"

// lane is where an effect is under way. Of one pilot there is at most one in each, and
// the lanes have slots of their own: commands of a batch system that is away take
// minutes, and what an agent reports has to be in the log meanwhile.
type lane uint8

const (
	writes   lane = iota // to the log and the queue, and what is read there
	commands             // of the batch system
	lanes    int  = iota
)

// lane is the one that an effect takes.
func (a act) lane() lane {
	switch a {
	case find, launch, stop, cleanup, reach:
		return commands
	default:
		return writes
	}
}

// traffic is what goes on in a lane.
type traffic struct {
	under   int      // effects under way
	waiting []*track // pilots that have something to do, and no slot
}

// takeSlot takes a slot for a pilot's effect, or queues the pilot for one.
func (l *Launcher) takeSlot(t *track, way lane) bool {
	traffic := &l.traffic[way]
	if traffic.under >= l.lim.Effects {
		if !t.queued[way] {
			t.queued[way] = true
			traffic.waiting = append(traffic.waiting, t)
		}
		return false
	}
	traffic.under++
	t.busy[way] = true
	return true
}

// submitFirst is how long an agent that is quicker than the answer to its job's submit
// waits for that: PENDING_ACTIVE then stands before ACTIVE in the log, and the two are
// not written against each other. Submits take milliseconds; those that hang take longer.
const submitFirst = 2 * time.Second

// answerFrom is when agents are answered beside the submit that is under way; zero: at once.
func (t *track) answerFrom(now time.Time) time.Time {
	if at := t.sentAt.Add(submitFirst); !t.sentAt.IsZero() && now.Before(at) {
		return at
	}
	return time.Time{}
}

// next gives free slots to those that wait for one.
func (l *Launcher) next(way lane) {
	traffic := &l.traffic[way]
	for len(traffic.waiting) > 0 && traffic.under < l.lim.Effects {
		t := traffic.waiting[0]
		traffic.waiting = traffic.waiting[1:]
		t.queued[way] = false
		l.look(t)
	}
}

// working counts effects under way, and pilots that wait for a slot.
func (l *Launcher) working() (under, waiting int) {
	for _, traffic := range &l.traffic {
		under += traffic.under
		waiting += len(traffic.waiting)
	}
	return under, waiting
}
