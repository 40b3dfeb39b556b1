package launcher

import (
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/launcher/decide"
	"github.com/flightlog/flightlog/pilot"
)

// agentSignal is what an agent said to any launcher of the fleet.
type agentSignal struct {
	key  pilot.Key
	verb api.Verb
	req  api.AgentRequest
}

// ObserveAgent takes note of what an agent says, whoever answers it: that it lives,
// or that it ends. It never blocks, and forgets what comes too fast.
func (l *Launcher) ObserveAgent(key pilot.Key, verb api.Verb, req api.AgentRequest) {
	select {
	case l.agentSignals <- agentSignal{key, verb, req}:
	default:
	}
}

func (l *Launcher) observeAgent(w agentSignal) {
	t, ok := l.tracked[w.key]
	if !ok || t.system == nil {
		return
	}
	p, ok := l.view.Get(w.key.Manager, w.key.Pilot)
	if !ok || p.State.Final() || !decide.FromCurrentAttempt(&p.Status, &w.req) {
		return
	}
	t.AgentHeardAt = time.Now() // of other launchers' pilots too: one that is gone may never come back
	if p.Launcher != l.id {
		return
	}
	if w.req.Near && w.verb == api.Beat && l.observe(t, &p).MayBeLonger(t.AgentHeardAt) && !t.pollRunning {
		l.pollSoon(t)
	}
	if v := decide.AnswerRequest(l.observe(t, &p), w.verb, &w.req); v.Ending {
		l.expectEnd(t)
	}
}
