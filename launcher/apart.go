package launcher

import (
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// shows says that a job which should not be seen from here is: its processes, or the
// word it left.
func (s *sight) shows() bool {
	if s.Poll == nil {
		return false
	}
	return s.Poll.Phase == adaptor.Running || s.Poll.Phase == adaptor.Ended && s.Poll.Outcome != nil
}

// apart waits for the end of a job that cannot be seen from here, and whose launcher is
// gone, or is this one at another place. Its agent says it to any launcher of the
// resource, and takes from any that it is to stop; it is lost once nobody has heard
// that for long, and no launcher that sees the job has come.
func (s *sight) apart(now time.Time, lim *Limits) effect {
	since := s.Alone
	for _, at := range []time.Time{s.BeatAt, s.SeenAt, s.Unheard} {
		if at.After(since) {
			since = at
		}
	}
	if until := since.Add(lim.Lost); now.Before(until) {
		return s.tellApart(s.look(until, now, lim))
	}
	return s.fail(pilot.Lost, "launcher %s and its host %s stayed away for %s, and its agent was not heard", s.Launcher, s.Job.Host, lim.Lost)
}

// look looks now and then for a sign of the job here: who polls knows more than what
// the log says of its place.
func (s *sight) look(until, now time.Time, lim *Limits) effect {
	switch {
	case !s.Job.Known():
		return effect{At: until}
	case s.Poll == nil:
		return effect{Act: poll}
	}
	next := s.pollAt(s.PolledAt.Add(max(s.Pace, lim.PollLeaving)), now)
	if next.Act == wait {
		next.At = earlier(next.At, until)
	}
	return next
}

// tellApart adds what people should know.
func (s *sight) tellApart(next effect) effect {
	switch s.Note.Health {
	case api.HealthLostContact, api.HealthAgentHeard, api.HealthUnseen:
		return next
	}
	if next.Act != wait || s.Told {
		return next
	}
	n := remark{Kind: events.Health, Text: "launcher " + s.Launcher + " is gone", Health: api.HealthLostContact, Since: s.Owner.Since}
	switch {
	case s.Launcher == s.Me:
		n.Text = "its job, on host " + s.Job.Host + ", cannot be seen from " + s.Place.Host
		n.Health = api.HealthUnseen
	case !s.BeatAt.IsZero():
		n.Text += ", and its agent is heard"
		n.Health = api.HealthAgentHeard
	}
	return effect{Act: note, Note: n}
}
