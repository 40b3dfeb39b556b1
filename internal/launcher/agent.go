package launcher

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

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
