package launcher

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/launcher/decide"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// listState is what is known of the list that a held command's birth belongs to.
type listState struct {
	countAt time.Time // the list is counted then, unless the tail has brought all of it before
	partial bool      // it is not whole
	torn    bool      // nor will it ever be
}

// recountPause is the pause before a command comes again whose list the log ends inside of.
const recountPause = 5 * time.Second

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

// countList reads the list of a held birth. It runs beside the owner.
func (l *Launcher) countList(ctx context.Context, command *events.Delivery) result {
	found, extent, err := l.log.List(ctx, &command.Event)
	r := result{extent: extent, err: err}
	for i := range found {
		if found[i].Broken == "" && found[i].Resource == l.resource && found[i].Class == events.ClassCommand {
			r.submissions = append(r.submissions, found[i].Event)
		}
	}
	return r
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
