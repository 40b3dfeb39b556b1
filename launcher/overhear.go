package launcher

import (
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// word is what an agent said to any launcher of the fleet.
type word struct {
	key  pilot.Key
	verb api.Verb
	req  api.AgentRequest
}

// Overhear takes note of what an agent says, whoever answers it: that it lives,
// or that it ends. It never blocks, and forgets what comes too fast.
func (l *Launcher) Overhear(key pilot.Key, verb api.Verb, req api.AgentRequest) {
	select {
	case l.heard <- word{key, verb, req}:
	default:
	}
}

func (l *Launcher) overhear(w word) {
	t, ok := l.tracks[w.key]
	if !ok || t.system == nil {
		return
	}
	p, ok := l.view.Get(w.key.Manager, w.key.Pilot)
	if !ok || p.State.Final() || !genuine(&p.Status, &w.req) {
		return
	}
	t.beatAt = time.Now() // of other launchers' pilots too: one that is gone may never come back
	if p.Launcher != l.id {
		return
	}
	if w.req.Near && w.verb == api.Beat && l.see(t, &p).mayBeLonger(t.beatAt) && !t.polling {
		l.pollSoon(t)
	}
	if v := judge(l.see(t, &p), &ask{key: w.key, verb: w.verb, req: w.req}); v.ending {
		l.expectEnd(t)
	}
}

// expectEnd asks the batch system why a job ends, soon and until it knows.
func (l *Launcher) expectEnd(t *track) {
	if !t.ending {
		t.ending = true
		l.pollSoon(t)
	}
}
