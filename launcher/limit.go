package launcher

import (
	"cmp"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// firstLimit is the time limit of the job before anybody changed it, which need not be
// the runtime: systems round it, and sites have their own ideas. 0: nobody has seen it.
func (s *sight) firstLimit() time.Duration { return cmp.Or(s.Note.Limit, s.SeenLimit) }

// newLimit gives the time limit of a job that runs, if it was changed and so moves the
// deadline: a longer one never to an earlier time, and a shorter one never to a later.
// What was asked before the pilot's last change counts for nothing: another launcher may
// have seen more since. An agent that hears no launcher cannot be given more time, nor can a job
// whose system keeps to the limit of its beginning.
func (s *sight) newLimit() (time.Duration, bool) {
	was := cmp.Or(s.Limit, s.firstLimit())
	limit := s.Poll.Limit
	if s.State != pilot.Active || s.Poll.Phase != adaptor.Running || was == 0 || limit <= 0 || limit == was || !s.PolledAt.After(s.ChangedAt) {
		return 0, false
	}
	end := s.ActiveAt.Add(limit)
	if limit > was {
		return limit, end.After(s.Deadline) && !s.Handle.Mute && !s.Poll.Firm
	}
	return limit, end.Before(s.Deadline)
}

// limitAge is how old what is known of a job's limit may be when its agent says that the
// deadline is near: however many pilots are near theirs, their batch system is asked no
// more often.
const limitAge = 5 * time.Second

// mayBeLonger says that the batch system is worth asking whether a job that is about to be
// ended was given more time.
func (s *sight) mayBeLonger(now time.Time) bool {
	return s.State == pilot.Active && s.Poll != nil && s.firstLimit() > 0 && !s.Poll.Firm && now.Sub(s.PolledAt) >= limitAge
}

// warnedEarly is how long before a job's end its system may warn it: 60 s, as package
// render asks, and 60 s more (sbatch(1), --signal).
const warnedEarly = 2 * time.Minute

// cutShort says that an agent was asked to end, and did not know by whom, because of a
// limit that was made so short that it had heard nothing of it yet.
func (s *sight) cutShort(out *api.Outcome) bool {
	if s.Poll == nil || s.ActiveAt.IsZero() || out.Kind != api.OutcomeFailed || out.Code != pilot.JobCanceledByThem {
		return false
	}
	limit := s.Poll.Limit
	return limit > 0 && limit < s.firstLimit() && !out.EndedAt.Before(s.ActiveAt.Add(limit-warnedEarly))
}
