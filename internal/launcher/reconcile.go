package launcher

import (
	"time"

	"github.com/flightlog/flightlog/internal/launcher/decide"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

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
	l.performEffect(t, o, e)
}

// performEffect starts an effect, or has what it waits for come.
func (l *Launcher) performEffect(t *tracked, o *decide.Observation, e effect) {
	t.wakeAt = e.At
	switch e.Act {
	case decide.ActWait:
		if o.State.Final() && len(t.waiters) == 0 && e.At.IsZero() {
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

// refuseUnknownPilot answers agents of pilots that the fold does not know (yet).
func (l *Launcher) refuseUnknownPilot(t *tracked) {
	t.refuseWaiters("no such pilot is known here yet")
	if t.heldCommand == nil {
		delete(l.tracked, t.key)
	}
}

// reconcileListPart decides about a command whose pilot is none, for the launcher has not seen
// all births of its list. The tail brings those of its own resource within a moment; a
// list on several resources, and one of which the log has only a part, it has to count.
func (l *Launcher) reconcileListPart(t *tracked) {
	if t.heldCommand == nil || t.heldCommand.Submission == nil {
		return
	}
	now, name := time.Now(), t.heldCommand.Submission.List.ID
	o := &decide.Observation{Pilot: projection.Pilot{Key: t.key}}
	switch {
	case t.list.torn: // what takes its place is a command of its own
		l.startEffect(t, o, effect{Effect: decide.Effect{Act: decide.ActAck}})
	case t.list.partial:
		l.startEffect(t, o, effect{Effect: decide.Effect{Act: decide.ActRequeue, At: now.Add(recountPause)}})
	case now.Before(t.list.countAt):
		t.wakeAt = t.list.countAt
	case l.countingLists[name]:
		t.wakeAt = now.Add(tickEvery)
	default:
		if l.startEffect(t, o, effect{Effect: decide.Effect{Act: decide.ActCount}}); t.busy[laneWrites] {
			l.countingLists[name] = true
		}
	}
}
