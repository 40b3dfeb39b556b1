package launcher

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// ask is an agent that waits for its answer.
type ask struct {
	gone  <-chan struct{} // closed when the agent waits no more
	key   pilot.Key
	verb  api.Verb
	req   api.AgentRequest
	reply chan answered
	fresh bool // the log was read again for it
	noted bool // what it said after the end is in the log
}

type answered struct {
	reply api.AgentReply
	err   error
}

// Answer says to an agent what it may do. It blocks until what the agent
// reports is in the log, or ctx ends. Code unavailable: ask again.
func (l *Launcher) Answer(ctx context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (api.AgentReply, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	a := &ask{gone: ctx.Done(), key: key, verb: verb, req: req, reply: make(chan answered, 1)}
	select {
	case l.asked <- a:
	case <-ctx.Done():
		return api.AgentReply{}, pilot.Errorf(pilot.Unavailable, "the launcher is busy")
	}
	select {
	case out := <-a.reply:
		return out.reply, out.err
	case <-ctx.Done():
		return api.AgentReply{}, pilot.Errorf(pilot.Unavailable, "the launcher is busy")
	}
}

// askTime is how long an agent waits for its answer before it asks again.
const askTime = 10 * time.Second

func (l *Launcher) hear(a *ask) {
	t := l.track(a.key)
	t.asks = append(t.asks, a)
	l.look(t)
}

// dropSilent forgets asks whose agents wait no more.
func (t *track) dropSilent() {
	kept := t.asks[:0]
	for _, a := range t.asks {
		select {
		case <-a.gone:
		default:
			kept = append(kept, a)
		}
	}
	clear(t.asks[len(kept):])
	t.asks = kept
}

// drop answers an ask and forgets it.
func (t *track) drop(a *ask, with answered) {
	if i := slices.Index(t.asks, a); i >= 0 {
		a.reply <- with
		t.asks = slices.Delete(t.asks, i, i+1)
	}
}

func (t *track) refuseAll(why string) {
	for _, a := range t.asks {
		a.reply <- answered{err: pilot.Errorf(pilot.Unavailable, "%s", why)}
	}
	t.asks = nil
}

// strangers answers agents of pilots that the fold does not know (yet).
func (l *Launcher) strangers(t *track) {
	t.refuseAll("no such pilot is known here yet")
	if t.held == nil {
		delete(l.tracks, t.key)
	}
}

// answer answers the agents that wait, until one needs something to be in the
// log first: then that is the effect to carry out, before all else.
func (l *Launcher) answer(t *track, s *sight) (effect, bool) {
	for len(t.asks) > 0 {
		a := t.asks[0]
		v := judge(s, a)
		switch {
		case v.reread && !a.fresh:
			return effect{Act: refresh, ask: a}, true
		case v.change != nil:
			return effect{Act: record, Change: *v.change}, true
		case v.late != "" && !a.noted:
			return effect{Act: note, Note: remark{Kind: events.Late, Text: v.late, Health: s.Note.Health}, ask: a}, true
		}
		if v.fenced {
			l.meter.Fenced(FencedAgent)
		}
		if genuine(&s.Status, &a.req) {
			t.beatAt = time.Now()
			s.BeatAt = t.beatAt
		}
		if v.ending && s.Launcher == s.Me {
			l.expectEnd(t)
		}
		a.reply <- answered{reply: v.reply}
		t.asks = t.asks[1:]
	}
	return effect{}, false
}

// verdict is what an agent's request leads to.
type verdict struct {
	reply  api.AgentReply
	change *change // to be in the log before it is answered
	reread bool    // refused by what is folded; the log may know more
	ending bool    // it ends, and its batch system is to say why
	late   string  // it came after the end; keep its words
	fenced bool    // it has no claim to the attempt
}

// judge decides about an agent's request. Pure.
func judge(s *sight, a *ask) verdict {
	st := &s.Status
	switch {
	case !genuine(st, &a.req):
		return fence("it is not of the present attempt")
	case st.State.Final():
		return afterwards(st, a)
	case st.Instance != "" && st.Instance != a.req.Instance:
		return fence("another agent has activated this attempt")
	}
	on := verdict{reply: api.AgentReply{ActiveAt: st.ActiveAt, Deadline: st.Deadline}}
	if st.Limit != 0 {
		on.reply.Moved = s.Seq
	}
	if c := st.Cancel; c != nil {
		on.reply.Stop, on.reply.Force, on.reply.Grace = true, c.Force, api.Duration(c.Grace)
	}
	switch a.verb {
	case api.Activate:
		switch {
		case st.Instance != "":
			return on
		case st.State == pilot.Canceling:
			return refuse("the pilot is canceled")
		case s.Birth == nil:
			return refuse("the log holds no description of this pilot")
		}
		return verdict{change: &change{Kind: pilot.Activated, Agent: &a.req}}
	case api.Finish:
		switch {
		case a.req.Outcome == nil:
			return verdict{reply: api.AgentReply{Refused: "finish without an outcome"}}
		case st.Instance == "":
			return refuse("it has not activated")
		}
		if s.Shared && a.req.Outcome.Vague() && !st.State.Leaving() {
			return verdict{ending: true}
		}
		c := s.outcomeChange(a.req.Outcome)
		c.Agent = &a.req
		return verdict{change: &c}
	case api.Beat:
		return on
	}
	return verdict{reply: api.AgentReply{Refused: "unknown verb"}}
}

// genuine says that a request comes from the present attempt's agent.
func genuine(st *pilot.Status, req *api.AgentRequest) bool {
	sum := sha256.Sum256([]byte(req.Secret))
	return req.Attempt == st.Attempt && subtle.ConstantTimeCompare(sum[:], st.SecretHash) == 1
}

func refuse(why string) verdict {
	return verdict{reply: api.AgentReply{Refused: why}, reread: true}
}

// fence refuses who is not the one agent of the attempt.
func fence(why string) verdict {
	v := refuse(why)
	v.fenced = true
	return v
}

// afterwards answers an agent whose pilot has ended already.
func afterwards(st *pilot.Status, a *ask) verdict {
	if a.verb != api.Finish {
		return verdict{reply: api.AgentReply{Refused: "the pilot is " + st.State.String()}}
	}
	v := verdict{reply: api.AgentReply{Stop: true, Force: true}}
	out := a.req.Outcome
	same := st.Cause != nil && out != nil &&
		(st.Cause.Code == out.Code || strings.HasPrefix(st.Cause.Underlying, string(out.Code)+":"))
	if !same && out != nil {
		v.late = "after the end its agent reported " + string(out.Code) + ": " + out.Message
	}
	return v
}
