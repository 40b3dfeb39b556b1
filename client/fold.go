package client

import (
	"context"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// fold turns what a tail yields into changes. One goroutine owns it.
type fold struct {
	log  *bus.Log
	o    WatchOptions
	view *projection.View

	// rewritten are pilots of a resumed watch whose newest messages stand
	// behind the position it goes on from, so that what they were there is not
	// among the last messages of their subjects.
	rewritten map[pilot.Key]rewritten
}

type rewritten struct{ status, note bool }

func newFold(log *bus.Log, o WatchOptions) *fold {
	return &fold{log: log, o: o, view: projection.New(), rewritten: map[pilot.Key]rewritten{}}
}

// run yields changes until one side ends; nil: it was the reader.
func (f *fold) run(ctx context.Context, standing func(), yield func(Change, error) bool) error {
	span := events.Span{Manager: f.o.Manager, After: f.o.After, Past: f.o.After == 0 && f.o.Replay == ReplayAll}
	if span.After > 0 {
		if err := f.recall(ctx); err != nil {
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
			if f.o.Replay == ReplayCurrent && !f.showAll(yield) {
				return nil
			}
		case e.Mark:
			standing()
		case !f.about(&e.Event):
		case present:
			if _, err := f.take(ctx, &e); err != nil {
				return err
			}
		default:
			goOn, err := f.show(ctx, &e, yield)
			if err != nil || !goOn {
				return err
			}
		}
	}
	return context.Cause(ctx)
}

// about says whether the event is of a pilot that is watched.
func (f *fold) about(e *events.Event) bool {
	return e.Pilot != "" && (f.o.Pilot == "" || f.o.Pilot == e.Pilot) &&
		(f.o.Manager == "" || f.o.Manager == e.Manager)
}

func (f *fold) apply(e *events.Entry) bool {
	if e.Broken == "" {
		return f.view.Apply(&e.Event)
	}
	f.view.ApplyBroken(&e.Event, e.Broken)
	return true
}

// showAll yields the present.
func (f *fold) showAll(yield func(Change, error) bool) bool {
	all, _ := f.view.List(projection.Filter{Manager: f.o.Manager}, 0, 0)
	for i := range all {
		p := api.PilotOf(&all[i])
		if !yield(Change{Pilot: p, From: p.State, Seq: f.view.Applied(), Epoch: f.log.Epoch()}, nil) {
			return false
		}
	}
	return true
}

// show yields what e changes, if anything, and says whether to go on.
func (f *fold) show(ctx context.Context, e *events.Entry, yield func(Change, error) bool) (bool, error) {
	if err := f.remember(ctx, &e.Event); err != nil {
		return false, err
	}
	was, known := f.view.Get(e.Manager, e.Pilot)
	changed, err := f.take(ctx, e)
	switch {
	case err != nil:
		return false, err
	case !changed:
		return true, nil
	case e.Class == events.Command && e.Broken == "":
		return f.showBorn(yield), nil
	}
	p, born := f.view.Get(e.Manager, e.Pilot)
	if !born {
		return true, nil
	}
	ch := f.change(&p, &e.Event)
	switch {
	case e.Class == events.Change && e.Broken == "":
		ch.From = e.From
	case known:
		ch.From = was.State
	}
	return yield(ch, nil), nil
}

// take folds an entry. Of a list, who watches one pilot gets but one birth, and asks the
// log for the others.
func (f *fold) take(ctx context.Context, e *events.Entry) (changed bool, err error) {
	changed = f.apply(e)
	if changed || f.o.Pilot == "" || e.Birth == nil || !e.Birth.List.Several() {
		return changed, nil
	}
	if _, waits := f.view.Part(e.Key); !waits {
		return false, nil
	}
	_, extent, err := f.log.List(ctx, &e.Event)
	if err != nil || extent != events.Whole {
		return false, err
	}
	return len(f.view.Vouch(e.Birth.List.ID)) > 0, nil
}

// showBorn yields the births that came with what was folded last, those of a list
// together, but for those that the watch goes on behind.
func (f *fold) showBorn(yield func(Change, error) bool) bool {
	for _, e := range f.view.Entered() {
		p, born := f.view.Get(e.Manager, e.Pilot)
		if !born || e.Seq <= f.o.After {
			continue
		}
		if !yield(f.change(&p, e), nil) {
			return false
		}
	}
	return true
}

// change is what an event made of a pilot, without the state before.
func (f *fold) change(p *projection.Pilot, e *events.Event) Change {
	return Change{
		Pilot: api.PilotOf(p), Kind: e.Kind, Actor: e.Actor, OnBehalfOf: e.OnBehalfOf,
		Time: e.Time, Seq: e.Seq, Epoch: f.log.Epoch(),
	}
}

// recall folds what the last messages say of the time up to the position that
// the watch goes on from.
func (f *fold) recall(ctx context.Context) error {
	for e, err := range f.log.Tail(ctx, events.Span{Manager: f.o.Manager}) {
		switch {
		case err != nil:
			return err
		case e.Mark:
			return nil
		case !f.about(&e.Event):
		case e.Seq <= f.o.After:
			if _, err := f.take(ctx, &e); err != nil {
				return err
			}
		default:
			r := f.rewritten[e.Key]
			r.status = r.status || e.Class == events.Change
			r.note = r.note || e.Class == events.Remark
			f.rewritten[e.Key] = r
		}
	}
	return context.Cause(ctx)
}

// remember completes a pilot of a resumed watch before the first event that
// leaves something of it as it was: a change carries the whole state but not
// the observation, a note the other way round.
func (f *fold) remember(ctx context.Context, e *events.Event) error {
	r, was := f.rewritten[e.Key]
	if !was {
		return nil
	}
	delete(f.rewritten, e.Key)
	if e.Class == events.Change && !r.note || e.Class == events.Remark && !r.status || e.Class == events.Command {
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
