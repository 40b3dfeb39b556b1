package launcher

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/events"
)

// listState is what is known of the list that a held command's birth belongs to.
type listState struct {
	countAt time.Time // the list is counted then, unless the tail has brought all of it before
	partial bool      // it is not whole
	torn    bool      // nor will it ever be
}

// recountPause is the pause before a command comes again whose list the log ends inside of.
const recountPause = 5 * time.Second

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
