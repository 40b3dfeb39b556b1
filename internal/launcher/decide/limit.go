package decide

import (
	"cmp"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// firstLimit is the time limit of the job before anybody changed it, which need not be
// the runtime: systems round it, and sites have their own ideas. 0: nobody has seen it.
func (o *Observation) firstLimit() time.Duration { return cmp.Or(o.Note.Limit, o.FirstJobLimit) }

// changedLimit gives the time limit of a job that runs, if it was changed and so moves the
// deadline: a longer one never to an earlier time, and a shorter one never to a later.
// What was asked before the pilot's last change counts for nothing: another launcher may
// have seen more since. An agent that hears no launcher cannot be given more time, nor can a job
// whose system keeps to the limit of its beginning.
func (o *Observation) changedLimit() (time.Duration, bool) {
	was := cmp.Or(o.Limit, o.firstLimit())
	limit := o.LastPoll.Limit
	if o.State != pilot.Active || o.LastPoll.Phase != adaptor.Running || was == 0 || limit <= 0 || limit == was || !o.PolledAt.After(o.ChangedAt) {
		return 0, false
	}
	end := o.ActiveAt.Add(limit)
	if limit > was {
		return limit, end.After(o.Deadline) && !o.Handle.AgentOffline && !o.LastPoll.LimitFixed
	}
	return limit, end.Before(o.Deadline)
}

// limitAge is how old what is known of a job's limit may be when its agent says that the
// deadline is near: however many pilots are near theirs, their batch system is asked no
// more often.
const limitAge = 5 * time.Second

// MayBeLonger reports whether the batch system is worth asking if a job that is about to
// be ended was given more time.
func (o *Observation) MayBeLonger(now time.Time) bool {
	return o.State == pilot.Active && o.LastPoll != nil && o.firstLimit() > 0 && !o.LastPoll.LimitFixed && now.Sub(o.PolledAt) >= limitAge
}
