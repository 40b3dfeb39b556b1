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

// AnswerAgent says to an agent what it may do. It blocks until what the agent
// reports is in the log, or ctx ends. Code unavailable: ask again.
func (l *Launcher) AnswerAgent(ctx context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (api.AgentReply, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	a := &agentWaiter{gaveUp: ctx.Done(), key: key, verb: verb, req: req, reply: make(chan agentAnswer, 1)}
	select {
	case l.agentRequests <- a:
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

// answerTimeout is how long an agent waits for its answer before it asks again.
const answerTimeout = 10 * time.Second

func (l *Launcher) enqueueAgentRequest(a *agentWaiter) {
	t := l.trackPilot(a.key)
	t.waiters = append(t.waiters, a)
	l.reconcile(t)
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

// refuseUnknownPilot answers agents of pilots that the fold does not know (yet).
func (l *Launcher) refuseUnknownPilot(t *tracked) {
	t.refuseWaiters("no such pilot is known here yet")
	if t.heldCommand == nil {
		delete(l.tracked, t.key)
	}
}

// answerWaiters answers the agents that wait, until one needs something to be in the
// log first: then that is the effect to carry out, before all else.
func (l *Launcher) answerWaiters(t *tracked, o *observation) (effect, bool) {
	for len(t.waiters) > 0 {
		a := t.waiters[0]
		v := decideRequest(o, a)
		switch {
		case v.reread && !a.rereadDone:
			return effect{Act: actRefresh, waiter: a}, true
		case v.change != nil:
			return effect{Act: actRecord, Change: *v.change}, true
		case v.lateReport != "" && !a.lateNoted:
			return effect{Act: actNote, Note: note{Kind: events.Late, Text: v.lateReport, Health: o.Note.Health}, waiter: a}, true
		}
		if v.fenced {
			l.meter.DuplicateFenced(FencedAgent)
		}
		if fromCurrentAttempt(&o.Status, &a.req) {
			t.AgentHeardAt = time.Now()
			o.AgentHeardAt = t.AgentHeardAt
		}
		if v.ending && o.Launcher == o.Self {
			l.expectEnd(t)
		}
		a.reply <- agentAnswer{reply: v.reply}
		t.waiters = t.waiters[1:]
	}
	return effect{}, false
}

// verdict is what an agent's request leads to.
type verdict struct {
	reply      api.AgentReply
	change     *change // to be in the log before it is answered
	reread     bool    // refused by what is folded; the log may know more
	ending     bool    // it ends, and its batch system is to say why
	lateReport string  // it came after the end; keep its words
	fenced     bool    // it has no claim to the attempt
}

// decideRequest decides about an agent's request. Pure.
func decideRequest(o *observation, a *agentWaiter) verdict {
	st := &o.Status
	switch {
	case !fromCurrentAttempt(st, &a.req):
		return fenceAgent("it is not of the present attempt")
	case st.State.Final():
		return finalAgentReply(st, a)
	case st.Instance != "" && st.Instance != a.req.Instance:
		return fenceAgent("another agent has activated this attempt")
	}
	on := verdict{reply: api.AgentReply{ActiveAt: st.ActiveAt, Deadline: st.Deadline}}
	if st.Limit != 0 {
		on.reply.Moved = o.Seq
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
			return refuseRequest("the pilot is canceled")
		case o.Submission == nil:
			return refuseRequest("the log holds no description of this pilot")
		}
		return verdict{change: &change{Kind: pilot.KindActive, Agent: &a.req}}
	case api.Finish:
		switch {
		case a.req.Outcome == nil:
			return verdict{reply: api.AgentReply{Refused: "finish without an outcome"}}
		case st.Instance == "":
			return refuseRequest("it has not activated")
		}
		if o.BulkPolled && a.req.Outcome.Vague() && !st.State.IsCanceling() {
			return verdict{ending: true}
		}
		c := o.outcomeChange(a.req.Outcome)
		c.Agent = &a.req
		return verdict{change: &c}
	case api.Beat:
		return on
	}
	return verdict{reply: api.AgentReply{Refused: "unknown verb"}}
}

// fromCurrentAttempt says that a request comes from the present attempt's agent.
func fromCurrentAttempt(st *pilot.Status, req *api.AgentRequest) bool {
	sum := sha256.Sum256([]byte(req.Secret))
	return req.Attempt == st.Attempt && subtle.ConstantTimeCompare(sum[:], st.SecretHash) == 1
}

func refuseRequest(why string) verdict {
	return verdict{reply: api.AgentReply{Refused: why}, reread: true}
}

// fenceAgent refuses who is not the one agent of the attempt.
func fenceAgent(why string) verdict {
	v := refuseRequest(why)
	v.fenced = true
	return v
}

// finalAgentReply answers an agent whose pilot has ended already.
func finalAgentReply(st *pilot.Status, a *agentWaiter) verdict {
	if a.verb != api.Finish {
		return verdict{reply: api.AgentReply{Refused: "the pilot is " + st.State.String()}}
	}
	v := verdict{reply: api.AgentReply{Stop: true, Force: true}}
	out := a.req.Outcome
	same := st.Cause != nil && out != nil &&
		(st.Cause.Code == out.Code || strings.HasPrefix(st.Cause.Underlying, string(out.Code)+":"))
	if !same && out != nil {
		v.lateReport = "after the end its agent reported " + string(out.Code) + ": " + out.Message
	}
	return v
}
