package manager

import (
	"context"
	"strconv"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// Get answers pilots in the order asked, or all of a manager if they fit into
// one answer; with a time, as they were then.
func (m *Manager) Get(ctx context.Context, r api.GetRequest, c Call) (api.PilotsAnswer, error) {
	if len(r.UIDs) > api.MaxItems {
		return api.PilotsAnswer{}, refuse(pilot.Invalid, "", []pilot.Fault{tooMany("uids", len(r.UIDs), api.MaxItems)})
	}
	if r.At != nil {
		return m.getAt(ctx, &r, c)
	}
	type found struct {
		pilots []projection.Pilot
		seq    uint64
	}
	got, err := current(ctx, m, c, func(w *world) (found, error) {
		if _, err := w.manager(r.Manager); err != nil {
			return found{}, err
		}
		ps, err := choose(w.view, &r)
		return found{ps, w.applied}, err
	})
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	return answerPilots(got.pilots, got.seq)
}

// getAt folds what the log held at that time.
func (m *Manager) getAt(ctx context.Context, r *api.GetRequest, c Call) (api.PilotsAnswer, error) {
	if r.At.After(time.Now()) {
		return api.PilotsAnswer{}, fault("at", "is in the future")
	}
	_, err := current(ctx, m, c, func(w *world) (projection.Owner, error) { return w.manager(r.Manager) })
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	past, err := m.log.PresentAt(ctx, r.Manager, *r.At)
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	view := projection.New()
	for i := range past {
		view.Apply(&past[i])
	}
	ps, err := choose(view, r)
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	return answerPilots(ps, view.Applied())
}

// choose gives the pilots a get is about.
func choose(v *projection.View, r *api.GetRequest) ([]projection.Pilot, error) {
	if r.UIDs != nil {
		return pick(v, r.Manager, r.UIDs)
	}
	ps, next := v.List(projection.Filter{Manager: r.Manager}, 0, api.MaxItems)
	if next != 0 {
		return nil, errNoRoom
	}
	return ps, nil
}

var errNoRoom = pilot.Errorf(pilot.Invalid, "these pilots do not fit into one answer: name fewer of them, or list them in pages")

func answerPilots(ps []projection.Pilot, seq uint64) (api.PilotsAnswer, error) {
	answer := api.PilotsAnswer{Pilots: make([]api.Pilot, len(ps)), Seq: seq}
	size, told := 0, 0
	for i := range ps {
		answer.Pilots[i] = api.PilotOf(&ps[i])
		if size += heft(&answer.Pilots[i]); size > maxAnswer {
			return api.PilotsAnswer{}, errNoRoom
		}
		told += textsOf(answer.Pilots[i].Notes)
	}
	if size+told > maxAnswer { // each pilot alone has room for its own
		for i := range answer.Pilots {
			answer.Pilots[i].Notes = nil
		}
	}
	return answer, nil
}

// List answers one page of the pilots that match, oldest first. A page ends
// early where an answer is full; Next then goes on.
func (m *Manager) List(ctx context.Context, r api.ListRequest, c Call) (api.ListAnswer, error) {
	after, limit, err := pageTerms(&r)
	if err != nil {
		return api.ListAnswer{}, err
	}
	f := projection.Filter{
		Manager: r.Manager, States: r.States, Labels: r.Labels, Live: r.Live,
	}
	type page struct {
		pilots    []projection.Pilot
		next, seq uint64
	}
	got, err := current(ctx, m, c, func(w *world) (page, error) {
		if f.Manager != "" {
			if _, err := w.manager(f.Manager); err != nil {
				return page{}, err
			}
		}
		f := f
		f.Resource = w.label(r.Resource)
		ps, next := w.view.List(f, after, limit)
		return page{ps, next, w.applied}, nil
	})
	if err != nil {
		return api.ListAnswer{}, err
	}
	answer := api.ListAnswer{Pilots: make([]api.Pilot, 0, len(got.pilots)), Seq: got.seq}
	next, size := got.next, 0
	for i := range got.pilots {
		p := api.PilotOf(&got.pilots[i])
		if size += heft(&p) + textsOf(p.Notes); size > maxAnswer && i > 0 {
			next = got.pilots[i-1].Born
			break
		}
		answer.Pilots = append(answer.Pilots, p)
	}
	if next != 0 {
		answer.Next = strconv.FormatUint(next, 10)
	}
	return answer, nil
}

func pageTerms(r *api.ListRequest) (after uint64, limit int, err error) {
	faults := stateFaults(r.States)
	if r.After != "" {
		after, err = strconv.ParseUint(r.After, 10, 64)
		if err != nil {
			faults = append(faults, pilot.Fault{Field: "after", Reason: "is not what an answer gave as next"})
		}
	}
	if r.Limit < 0 {
		faults = append(faults, pilot.Fault{Field: "limit", Reason: "must not be negative"})
	}
	if faults != nil {
		return 0, 0, refuse(pilot.Invalid, "", faults)
	}
	if r.Limit == 0 || r.Limit > api.MaxItems {
		return after, api.MaxItems, nil
	}
	return after, r.Limit, nil
}

func stateFaults(states []pilot.State) []pilot.Fault {
	var faults []pilot.Fault
	for i, s := range states {
		if s == pilot.Unborn {
			faults = append(faults, pilot.Fault{Index: i, Field: "states", Reason: "no pilot in the log is NEW"})
		}
	}
	return faults
}

// History answers what the log holds of a pilot behind a position, in its
// order. Where that is more than one answer holds, it ends early: ask again
// behind the last one until nothing comes.
func (m *Manager) History(ctx context.Context, r api.PilotRequest, c Call) (api.HistoryAnswer, error) {
	p, all, err := m.past(ctx, &r, c)
	if err != nil {
		return api.HistoryAnswer{}, err
	}
	answer := api.HistoryAnswer{Events: make([]api.Event, 0, len(all)), Seq: p.seq}
	size := 0
	for i := range all {
		if all[i].Seq <= r.After {
			continue
		}
		e := api.EventOf(&all[i])
		if why, refused := p.refused[all[i].Seq]; refused {
			e = e.AsRefused(why)
		}
		size += 300 + text(e.Refused) + text(e.Message) + text(e.Actor) + text(e.OnBehalfOf) + text(e.Job)
		if e.Cause != nil {
			size += text(e.Cause.Message) + text(e.Cause.Underlying)
		}
		if size > maxAnswer && len(answer.Events) > 0 {
			break
		}
		answer.Events = append(answer.Events, e)
	}
	return answer, nil
}

// shown is a pilot as of a position of the log.
type shown struct {
	projection.Pilot
	seq     uint64
	refused map[uint64]string // of its events, those that count for nothing, and why
}

// past reads all events of a pilot from the log, and says which of them count for
// nothing.
func (m *Manager) past(ctx context.Context, r *api.PilotRequest, c Call) (shown, []events.Event, error) {
	p, err := current(ctx, m, c, func(w *world) (shown, error) {
		ps, err := w.pilots(r.Manager, []pilot.UID{r.UID})
		if err != nil {
			return shown{}, err
		}
		return shown{Pilot: ps[0], seq: w.applied}, nil
	})
	if err != nil {
		return p, nil, err
	}
	all, err := m.log.History(ctx, p.Key, 0)
	p.refused = projection.Refused(all, p.Born)
	return p, all, err
}
