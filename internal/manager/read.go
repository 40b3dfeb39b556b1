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

// GetPilots answers pilots in the order asked, or all of a manager if they fit into
// one answer; with a time, as they were then.
func (m *Manager) GetPilots(ctx context.Context, r api.GetRequest, c Call) (api.PilotsAnswer, error) {
	if len(r.UIDs) > api.MaxItems {
		return api.PilotsAnswer{}, refusalOf(pilot.Invalid, "", []pilot.FieldError{tooMany("uids", len(r.UIDs), api.MaxItems)})
	}
	if r.At != nil {
		return m.getPilotsAt(ctx, &r, c)
	}
	type found struct {
		pilots []projection.Pilot
		seq    uint64
	}
	got, err := readYourWrites(ctx, m, c, func(st *state) (found, error) {
		if _, err := st.findManager(r.Manager); err != nil {
			return found{}, err
		}
		ps, err := selectPilots(st.view, &r)
		return found{ps, st.applied}, err
	})
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	return answerPilots(got.pilots, got.seq)
}

// getPilotsAt folds what the log held at that time.
func (m *Manager) getPilotsAt(ctx context.Context, r *api.GetRequest, c Call) (api.PilotsAnswer, error) {
	if r.At.After(time.Now()) {
		return api.PilotsAnswer{}, invalidField("at", "is in the future")
	}
	_, err := readYourWrites(ctx, m, c, func(st *state) (projection.Scope, error) { return st.findManager(r.Manager) })
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
	ps, err := selectPilots(view, r)
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	return answerPilots(ps, view.Applied())
}

// selectPilots gives the pilots a get is about.
func selectPilots(v *projection.View, r *api.GetRequest) ([]projection.Pilot, error) {
	if r.UIDs != nil {
		return pickPilots(v, r.Manager, r.UIDs)
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
		if size += pilotSize(&answer.Pilots[i]); size > maxAnswer {
			return api.PilotsAnswer{}, errNoRoom
		}
		told += listSize(answer.Pilots[i].Notes)
	}
	if size+told > maxAnswer { // each pilot alone has room for its own
		for i := range answer.Pilots {
			answer.Pilots[i].Notes = nil
		}
	}
	return answer, nil
}

// ListPilots answers one page of the pilots that match, oldest first. A page ends
// early where an answer is full; Next then goes on.
func (m *Manager) ListPilots(ctx context.Context, r api.ListRequest, c Call) (api.ListAnswer, error) {
	after, limit, err := pageBounds(&r)
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
	got, err := readYourWrites(ctx, m, c, func(st *state) (page, error) {
		if f.Manager != "" {
			if _, err := st.findManager(f.Manager); err != nil {
				return page{}, err
			}
		}
		f := f
		f.Resource = st.resourceLabel(r.Resource)
		ps, next := st.view.List(f, after, limit)
		return page{ps, next, st.applied}, nil
	})
	if err != nil {
		return api.ListAnswer{}, err
	}
	answer := api.ListAnswer{Pilots: make([]api.Pilot, 0, len(got.pilots)), Seq: got.seq}
	next, size := got.next, 0
	for i := range got.pilots {
		p := api.PilotOf(&got.pilots[i])
		if size += pilotSize(&p) + listSize(p.Notes); size > maxAnswer && i > 0 {
			next = got.pilots[i-1].SubmittedSeq
			break
		}
		answer.Pilots = append(answer.Pilots, p)
	}
	if next != 0 {
		answer.Next = strconv.FormatUint(next, 10)
	}
	return answer, nil
}

func pageBounds(r *api.ListRequest) (after uint64, limit int, err error) {
	faults := stateFaults(r.States)
	if r.After != "" {
		after, err = strconv.ParseUint(r.After, 10, 64)
		if err != nil {
			faults = append(faults, pilot.FieldError{Field: "after", Reason: "is not what an answer gave as next"})
		}
	}
	if r.Limit < 0 {
		faults = append(faults, pilot.FieldError{Field: "limit", Reason: "must not be negative"})
	}
	if faults != nil {
		return 0, 0, refusalOf(pilot.Invalid, "", faults)
	}
	if r.Limit == 0 || r.Limit > api.MaxItems {
		return after, api.MaxItems, nil
	}
	return after, r.Limit, nil
}

func stateFaults(states []pilot.State) []pilot.FieldError {
	var faults []pilot.FieldError
	for i, s := range states {
		if s == pilot.Unborn {
			faults = append(faults, pilot.FieldError{Index: i, Field: "states", Reason: "no pilot in the log is NEW"})
		}
	}
	return faults
}

// GetHistory answers what the log holds of a pilot behind a position, in its
// order. Where that is more than one answer holds, it ends early: ask again
// behind the last one until nothing comes.
func (m *Manager) GetHistory(ctx context.Context, r api.PilotRequest, c Call) (api.HistoryAnswer, error) {
	p, all, err := m.readHistory(ctx, &r, c)
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
		size += 300 + textSize(e.Refused) + textSize(e.Message) + textSize(e.Actor) + textSize(e.OnBehalfOf) + textSize(e.Job)
		if e.Cause != nil {
			size += textSize(e.Cause.Message) + textSize(e.Cause.Underlying)
		}
		if size > maxAnswer && len(answer.Events) > 0 {
			break
		}
		answer.Events = append(answer.Events, e)
	}
	return answer, nil
}

// pilotHistory is a pilot as of a position of the log.
type pilotHistory struct {
	projection.Pilot
	seq     uint64
	refused map[uint64]string // of its events, those that count for nothing, and why
}

// readHistory reads all events of a pilot from the log, and says which of them count for
// nothing.
func (m *Manager) readHistory(ctx context.Context, r *api.PilotRequest, c Call) (pilotHistory, []events.Event, error) {
	p, err := readYourWrites(ctx, m, c, func(st *state) (pilotHistory, error) {
		ps, err := st.findPilots(r.Manager, []pilot.UID{r.UID})
		if err != nil {
			return pilotHistory{}, err
		}
		return pilotHistory{Pilot: ps[0], seq: st.applied}, nil
	})
	if err != nil {
		return p, nil, err
	}
	all, err := m.log.History(ctx, p.Key, 0)
	p.refused = projection.RefusedEvents(all, p.SubmittedSeq)
	return p, all, err
}
