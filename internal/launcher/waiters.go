package launcher

import (
	"slices"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/launcher/decide"
	"github.com/flightlog/flightlog/pilot"
)

// agentWaiter is an agent that waits for its answer.
type agentWaiter struct {
	gaveUp     <-chan struct{} // closed when the agent waits no more
	key        pilot.Key
	verb       api.Verb
	req        api.AgentRequest
	reply      chan agentAnswer
	rereadDone bool // the log was read again for it
	lateNoted  bool // what it said after the end is in the log
}

type agentAnswer struct {
	reply api.AgentReply
	err   error
}

// dropLostWaiters forgets asks whose agents wait no more.
func (t *tracked) dropLostWaiters() {
	kept := t.waiters[:0]
	for _, a := range t.waiters {
		select {
		case <-a.gaveUp:
		default:
			kept = append(kept, a)
		}
	}
	clear(t.waiters[len(kept):])
	t.waiters = kept
}

// completeWaiter answers an ask and forgets it.
func (t *tracked) completeWaiter(a *agentWaiter, with agentAnswer) {
	if i := slices.Index(t.waiters, a); i >= 0 {
		a.reply <- with
		t.waiters = slices.Delete(t.waiters, i, i+1)
	}
}

func (t *tracked) refuseWaiters(why string) {
	for _, a := range t.waiters {
		a.reply <- agentAnswer{err: pilot.Errorf(pilot.Unavailable, "%s", why)}
	}
	t.waiters = nil
}

// answerWaiters answers the agents that wait, until one needs something to be in the
// log first: then that is the effect to carry out, before all else.
func (l *Launcher) answerWaiters(t *tracked, o *decide.Observation) (effect, bool) {
	for len(t.waiters) > 0 {
		a := t.waiters[0]
		v := decide.AnswerRequest(o, a.verb, &a.req)
		switch {
		case v.Reread && !a.rereadDone:
			return effect{Effect: decide.Effect{Act: decide.ActRefresh}, waiter: a}, true
		case v.Change != nil:
			return effect{Effect: decide.Effect{Act: decide.ActRecord, Change: *v.Change}}, true
		case v.LateReport != "" && !a.lateNoted:
			late := decide.Note{Kind: events.Late, Text: v.LateReport, Health: o.Note.Health}
			return effect{Effect: decide.Effect{Act: decide.ActNote, Note: late}, waiter: a}, true
		}
		if v.Fenced {
			l.meter.DuplicateFenced(FencedAgent)
		}
		if decide.FromCurrentAttempt(&o.Status, &a.req) {
			t.AgentHeardAt = time.Now()
			o.AgentHeardAt = t.AgentHeardAt
		}
		if v.Ending && o.Launcher == o.Self {
			l.expectEnd(t)
		}
		a.reply <- agentAnswer{reply: v.Reply}
		t.waiters = t.waiters[1:]
	}
	return effect{}, false
}

// expectEnd asks the batch system why a job ends, soon and until it knows.
func (l *Launcher) expectEnd(t *tracked) {
	if !t.AgentEnding {
		t.AgentEnding = true
		l.pollSoon(t)
	}
}
