package launcher

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// listing is what is known of the list that a held command's birth belongs to.
type listing struct {
	from    time.Time // the list is counted then, unless the tail has brought all of it before
	counted bool      // it is not whole
	torn    bool      // nor will it ever be
}

// recount is the pause before a command comes again whose list the log ends inside of.
const recount = 5 * time.Second

// incomplete decides about a command whose pilot is none, for the launcher has not seen
// all births of its list. The tail brings those of its own resource within a moment; a
// list on several resources, and one of which the log has only a part, it has to count.
func (l *Launcher) incomplete(t *track) {
	if t.held == nil || t.held.Birth == nil {
		return
	}
	now, name := time.Now(), t.held.Birth.List.ID
	s := &sight{Pilot: projection.Pilot{Key: t.key}}
	switch {
	case t.list.torn: // what takes its place is a command of its own
		l.start(t, s, effect{Act: ack})
	case t.list.counted:
		l.start(t, s, effect{Act: again, At: now.Add(recount)})
	case now.Before(t.list.from):
		t.wake = t.list.from
	case l.counting[name]:
		t.wake = now.Add(tickEvery)
	default:
		if l.start(t, s, effect{Act: count}); t.busy[writes] {
			l.counting[name] = true
		}
	}
}

// countList reads the list of a held birth. It runs beside the owner.
func (l *Launcher) countList(ctx context.Context, held *events.Delivery) result {
	found, extent, err := l.log.List(ctx, &held.Event)
	r := result{extent: extent, err: err}
	for i := range found {
		if found[i].Broken == "" && found[i].Resource == l.resource && found[i].Class == events.Command {
			r.births = append(r.births, found[i].Event)
		}
	}
	return r
}

// counted takes over what a list was found to be.
func (l *Launcher) counted(r *result) {
	name := r.held.Birth.List.ID
	delete(l.counting, name)
	switch {
	case r.err != nil:
		return
	case r.extent == events.Whole:
		for i := range r.births {
			l.enter(&r.births[i])
		}
		l.view.Vouch(name)
		l.followBorn()
		return
	case r.extent == events.Torn:
		l.logger.Warn("a list is in the log only in part: it is not launched",
			zap.String("manager", r.held.Manager), zap.Int("pilots", r.held.Birth.List.Size), zap.Uint64("seq", r.held.Seq))
	}
	for _, t := range l.tracks {
		if t.held != nil && t.held.Birth != nil && t.held.Birth.List.ID == name {
			t.list.counted, t.list.torn = true, r.extent == events.Torn
			l.look(t)
		}
	}
}

// enter folds an event, and looks at the pilots that are born with it: those of a list
// together.
func (l *Launcher) enter(e *events.Event) {
	l.view.Apply(e)
	l.followBorn()
}

func (l *Launcher) followBorn() {
	born := l.view.Entered()
	keys := make([]pilot.Key, len(born))
	for i := range born {
		keys[i] = born[i].Key
	}
	for _, key := range keys {
		l.follow(key)
	}
}
