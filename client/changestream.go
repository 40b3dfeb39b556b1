package client

import (
	"context"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// changeStream turns what a tail yields into changes. One goroutine owns it.
type changeStream struct {
	log     *bus.Log
	options WatchOptions
	view    *projection.View

	// movedOn are pilots of a resumed watch whose newest messages stand
	// behind the position it goes on from, so that what they were there is not
	// among the last messages of their subjects.
	movedOn map[pilot.Key]movedOnFacts
}

type movedOnFacts struct{ status, note bool }

func newChangeStream(log *bus.Log, o WatchOptions) *changeStream {
	return &changeStream{log: log, options: o, view: projection.New(), movedOn: map[pilot.Key]movedOnFacts{}}
}

// yieldChanges yields changes until one side ends; nil: it was the reader.
func (f *changeStream) yieldChanges(ctx context.Context, standing func(), yield func(Change, error) bool) error {
	span := events.Span{Manager: f.options.Manager, After: f.options.After, Past: f.options.After == 0 && f.options.Replay == ReplayAll}
	if span.After > 0 {
		if err := f.foldPast(ctx); err != nil {
			return err
		}
	}
	present := span.After == 0 && !span.Past
	for e, err := range f.log.Tail(ctx, span) {
		switch {
		case err != nil:
			return err
		case e.Mark && present:
			present = false
			standing()
			if f.options.Replay == ReplayCurrent && !f.yieldPresent(yield) {
				return nil
			}
		case e.Mark:
			standing()
		case !f.isWatched(&e.Event):
		case present:
			if _, err := f.foldEntry(ctx, &e); err != nil {
				return err
			}
		default:
			goOn, err := f.yieldEntry(ctx, &e, yield)
			if err != nil || !goOn {
				return err
			}
		}
	}
	return context.Cause(ctx)
}

// isWatched says whether the event is of a pilot that is watched.
func (f *changeStream) isWatched(e *events.Event) bool {
	return e.Pilot != "" && (f.options.Pilot == "" || f.options.Pilot == e.Pilot) &&
		(f.options.Manager == "" || f.options.Manager == e.Manager)
}

// yieldPresent yields the present.
func (f *changeStream) yieldPresent(yield func(Change, error) bool) bool {
	all, _ := f.view.List(projection.Filter{Manager: f.options.Manager}, 0, 0)
	for i := range all {
		p := api.PilotOf(&all[i])
		if !yield(Change{Pilot: p, From: p.State, Seq: f.view.Applied(), Epoch: f.log.Epoch()}, nil) {
			return false
		}
	}
	return true
}

// yieldEntry yields what e changes, if anything, and says whether to go on.
func (f *changeStream) yieldEntry(ctx context.Context, e *events.Entry, yield func(Change, error) bool) (bool, error) {
	if err := f.completeResumed(ctx, &e.Event); err != nil {
		return false, err
	}
	was, known := f.view.Get(e.Manager, e.Pilot)
	changed, err := f.foldEntry(ctx, e)
	switch {
	case err != nil:
		return false, err
	case !changed:
		return true, nil
	case e.Class == events.ClassCommand && e.Broken == "":
		return f.yieldBirths(yield), nil
	}
	p, born := f.view.Get(e.Manager, e.Pilot)
	if !born {
		return true, nil
	}
	ch := f.newChange(&p, &e.Event)
	switch {
	case e.Class == events.ClassChange && e.Broken == "":
		ch.From = e.From
	case known:
		ch.From = was.State
	}
	return yield(ch, nil), nil
}

// foldEntry folds an entry. Of a list, who watches one pilot gets but one birth, and asks the
// log for the others.
func (f *changeStream) foldEntry(ctx context.Context, e *events.Entry) (changed bool, err error) {
	changed = f.view.Fold(e)
	if changed || f.options.Pilot == "" || e.Submission == nil || !e.Submission.List.Several() {
		return changed, nil
	}
	if _, waits := f.view.FindPart(e.Key); !waits {
		return false, nil
	}
	_, extent, err := f.log.List(ctx, &e.Event)
	if err != nil || extent != events.Whole {
		return false, err
	}
	return len(f.view.CompleteList(e.Submission.List.ID)) > 0, nil
}

// yieldBirths yields the births that came with what was folded last, those of a list
// together, but for those that the watch goes on behind.
func (f *changeStream) yieldBirths(yield func(Change, error) bool) bool {
	for _, e := range f.view.Entered() {
		p, born := f.view.Get(e.Manager, e.Pilot)
		if !born || e.Seq <= f.options.After {
			continue
		}
		if !yield(f.newChange(&p, e), nil) {
			return false
		}
	}
	return true
}

// newChange is what an event made of a pilot, without the state before.
func (f *changeStream) newChange(p *projection.Pilot, e *events.Event) Change {
	return Change{
		Pilot: api.PilotOf(p), Kind: e.Kind, Actor: e.Actor, OnBehalfOf: e.OnBehalfOf,
		Time: e.Time, Seq: e.Seq, Epoch: f.log.Epoch(),
	}
}

// foldPast folds what the last messages say of the time up to the position that
// the watch goes on from.
func (f *changeStream) foldPast(ctx context.Context) error {
	for e, err := range f.log.Tail(ctx, events.Span{Manager: f.options.Manager}) {
		switch {
		case err != nil:
			return err
		case e.Mark:
			return nil
		case !f.isWatched(&e.Event):
		case e.Seq <= f.options.After:
			if _, err := f.foldEntry(ctx, &e); err != nil {
				return err
			}
		default:
			r := f.movedOn[e.Key]
			r.status = r.status || e.Class == events.ClassChange
			r.note = r.note || e.Class == events.ClassNote
			f.movedOn[e.Key] = r
		}
	}
	return context.Cause(ctx)
}

// completeResumed completes a pilot of a resumed watch before the first event that
// leaves something of it as it was: a change carries the whole state but not
// the observation, a note the other way round.
func (f *changeStream) completeResumed(ctx context.Context, e *events.Event) error {
	r, was := f.movedOn[e.Key]
	if !was {
		return nil
	}
	delete(f.movedOn, e.Key)
	if e.Class == events.ClassChange && !r.note || e.Class == events.ClassNote && !r.status || e.Class == events.ClassCommand {
		return nil
	}
	past, err := f.log.History(ctx, e.Key, 0)
	if err != nil {
		return err
	}
	for i := range past {
		if past[i].Seq < e.Seq {
			f.view.Apply(&past[i])
		}
	}
	return nil
}
