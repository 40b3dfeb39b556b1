package launcher

import (
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
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

// finishCount takes over what a list was found to be.
func (l *Launcher) finishCount(r *result) {
	name := r.command.Submission.List.ID
	delete(l.countingLists, name)
	switch {
	case r.err != nil:
		return
	case r.extent == events.Whole:
		for i := range r.submissions {
			l.applyEvent(&r.submissions[i])
		}
		l.view.CompleteList(name)
		l.reconcileEntered()
		return
	case r.extent == events.Torn:
		l.logger.Warn("a list is in the log only in part: it is not launched",
			zap.String("manager", r.command.Manager), zap.Int("pilots", r.command.Submission.List.Size), zap.Uint64("seq", r.command.Seq))
	}
	for _, t := range l.tracked {
		if t.heldCommand != nil && t.heldCommand.Submission != nil && t.heldCommand.Submission.List.ID == name {
			t.list.partial, t.list.torn = true, r.extent == events.Torn
			l.reconcile(t)
		}
	}
}

// applyEvent folds an event, and looks at the pilots that are born with it: those of a list
// together.
func (l *Launcher) applyEvent(e *events.Event) {
	l.view.Apply(e)
	l.reconcileEntered()
}

func (l *Launcher) reconcileEntered() {
	born := l.view.Entered()
	keys := make([]pilot.Key, len(born))
	for i := range born {
		keys[i] = born[i].Key
	}
	for _, key := range keys {
		l.reconcileKey(key)
	}
}
