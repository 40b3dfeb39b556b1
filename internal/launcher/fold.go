package launcher

import (
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/launcher/decide"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// foldEntry takes in one entry of the log and looks at the pilot it is about.
func (l *Launcher) foldEntry(e events.Entry) {
	switch {
	case e.Mark:
		l.caughtUp = true
		close(l.ready)
		for key, t := range l.tracked {
			if p, ok := l.view.Get(key.Manager, key.Pilot); ok && p.State.Final() && t.heldCommand == nil && len(t.waiters) == 0 {
				delete(l.tracked, key) // its birth came before its end
				continue
			}
			l.reconcile(t)
		}
		l.logger.Info("launcher ready", zap.Uint64("seq", e.Seq), zap.Int("live", len(l.tracked)))
		return
	case e.Broken != "":
		l.view.Fold(&e)
		l.logger.Error("message does not decode", zap.String("pilot", e.Pilot), zap.Uint64("seq", e.Seq), zap.String("err", e.Broken))
	default:
		l.applyEvent(&e.Event)
	}
	l.reconcileKey(e.Key)
}

// reconcileKey looks at a pilot whose entry in the view may have changed.
func (l *Launcher) reconcileKey(key pilot.Key) {
	t, known := l.tracked[key]
	if !known {
		p, ok := l.view.Get(key.Manager, key.Pilot)
		if !ok || p.State.Final() {
			return
		}
		t = l.trackPilot(key)
	}
	if l.caughtUp {
		l.reconcile(t)
	}
}

func (l *Launcher) trackPilot(key pilot.Key) *tracked {
	t, ok := l.tracked[key]
	if !ok {
		t = &tracked{key: key}
		l.tracked[key] = t
	}
	return t
}

// holdCommand takes a submit command. The command is the pilot's birth, so nothing
// has to wait for the tail, but for the other births of its list.
func (l *Launcher) holdCommand(d *events.Delivery) {
	t := l.trackPilot(d.Key)
	if t.heldCommand != nil && t.heldCommand.Seq != d.Seq { // one of them stands in the place of the other
		t.staleCommands = append(t.staleCommands, t.heldCommand)
	}
	t.heldCommand, t.list = d, listState{countAt: time.Now().Add(tickEvery)}
	l.applyEvent(&d.Event)
	if l.caughtUp {
		l.reconcile(t)
	}
}

// reconcile answers the pilot's agents, asks decide what it needs, and starts it. While a
// command of the batch system is under way only agents are answered, beside a submit
// once it has had submitHeadStart.
func (l *Launcher) reconcile(t *tracked) {
	if t.busy[laneWrites] || l.draining || !l.caughtUp || t.busy[laneCommands] && len(t.waiters) == 0 {
		return
	}
	if len(t.staleCommands) > 0 {
		l.startEffect(t, &decide.Observation{Pilot: projection.Pilot{Key: t.key}}, effect{Effect: decide.Effect{Act: decide.ActAck}, command: t.staleCommands[0]})
		return
	}
	p, ok := l.view.Get(t.key.Manager, t.key.Pilot)
	if !ok {
		l.refuseUnknownPilot(t)
		l.reconcileListPart(t)
		return
	}
	l.bindSystem(t, p.Submission)
	t.resetAttempt(p.Attempt)
	o := l.observe(t, &p)
	now := time.Now()
	if at := t.answerAgentsFrom(now); !at.IsZero() {
		t.wakeAt = at
		return
	}
	e, answering := l.answerWaiters(t, o)
	switch {
	case answering:
	case t.busy[laneCommands]:
		return
	default:
		e.Effect = decide.NextEffect(o, now, &l.lim)
	}
	t.wakeAt = e.At
	switch e.Act {
	case decide.ActWait:
		if p.State.Final() && len(t.waiters) == 0 && e.At.IsZero() {
			delete(l.tracked, t.key)
		}
	case decide.ActPoll:
		if !t.pollRunning {
			l.pollSoon(t)
		}
	default:
		l.startEffect(t, o, e)
	}
}

// reconcileDue looks at what is due by the clock.
func (l *Launcher) reconcileDue(now time.Time) {
	if !l.caughtUp {
		return
	}
	for _, t := range l.tracked {
		if !t.wakeAt.IsZero() && !now.Before(t.wakeAt) {
			l.reconcile(t)
		}
		t.dropLostWaiters()
	}
	l.startLeaseRead(now)
}
