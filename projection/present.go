package projection

import (
	"iter"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Present returns the view of what a log held when the tail over it began: it folds the
// entries up to the mark and leaves the rest unread. An error of the tail is returned as it
// is; a tail that ends without a mark and without an error is one of code unavailable.
func Present(tail iter.Seq2[events.Entry, error]) (*View, error) {
	v := New()
	for e, err := range tail {
		switch {
		case err != nil:
			return nil, err
		case e.Mark:
			return v, nil
		}
		v.Fold(&e)
	}
	return nil, pilot.Errorf(pilot.Unavailable, "the log ended before all of its present was read")
}
