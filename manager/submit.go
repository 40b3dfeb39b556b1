package manager

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
	"github.com/flightlog/flightlog/resource"
)

// Submit writes down a list of pilots: all of them or, where one is faulty,
// none. Asked again with the same idempotency key it answers the same pilots;
// code conflict: the key stood for other ones. Code not_found: no such manager;
// closed: it takes no more; unsupported: nothing is wrong but that there is no
// way to the resource.
func (m *Manager) Submit(ctx context.Context, r api.SubmitRequest, c Call) (api.PilotsAnswer, error) {
	ctx, stop := bounded(ctx)
	defer stop()
	known, err := current(ctx, m, c, func(w *world) (*resource.Catalogue, error) { return w.resources.catalogue(), nil })
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	o, err := newOrder(&r, known, c.actor())
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	for try := 0; ; try++ {
		answer, es, err := m.submitOnce(ctx, o, c)
		partly := errors.Is(err, errSome)
		if pilot.CodeOf(err) != pilot.Conflict || es == nil || try == tries || partly && try > 0 {
			return answer, err
		}
		if err := m.yield(ctx, try, es...); err != nil {
			return api.PilotsAnswer{}, err
		}
	}
}

// submitOnce decides and appends. With code conflict, es is what must be looked
// at in the log before anybody decides again; nil if nobody need.
func (m *Manager) submitOnce(ctx context.Context, o *order, c Call) (a api.PilotsAnswer, es []*events.Event, err error) {
	before, err := current(ctx, m, c, func(w *world) (standing, error) { return w.admit(o) })
	if errors.Is(err, errSome) {
		return a, o.events(c.actor()), err
	}
	if err != nil {
		return a, nil, err
	}
	if before.pilots != nil {
		return answerSubmitted(before.pilots, before.seq), nil, nil
	}
	es = o.events(c.actor())
	seq, err := m.append(ctx, es...)
	if err != nil {
		return a, es, err
	}
	m.logger.Info("pilots submitted", zap.String("manager", o.manager), zap.Int("pilots", len(es)), zap.Uint64("seq", seq))
	ps, err := written(ctx, m, 0, func(w *world) ([]projection.Pilot, error) {
		w.readAhead(es, seq)
		return w.pilots(o.manager, o.uids())
	})
	if err != nil {
		return a, nil, err
	}
	return answerSubmitted(ps, seq), nil, nil
}

// answerSubmitted tells of pilots that are there, whatever there is to tell: where a
// message has no room for all of it, of each no more than which it is, where it stands, and
// what was changed of its description, as far as there is room for that.
func answerSubmitted(ps []projection.Pilot, seq uint64) api.PilotsAnswer {
	answer, err := answerPilots(ps, seq)
	if err == nil {
		return answer
	}
	answer = api.PilotsAnswer{Pilots: make([]api.Pilot, len(ps)), Seq: seq}
	room := maxAnswer
	for i := range ps {
		p := api.PilotOf(&ps[i])
		answer.Pilots[i] = api.Pilot{
			UID: p.UID, Manager: p.Manager, Resource: p.Resource, State: p.State, SubmittedAt: p.SubmittedAt, Attempt: p.Attempt, Seq: p.Seq,
		}
		room -= heft(&answer.Pilots[i])
	}
	for i := range ps {
		if b := ps[i].Birth; b != nil && textsOf(b.Notes) <= room {
			answer.Pilots[i].Notes, room = b.Notes, room-textsOf(b.Notes)
		}
	}
	return answer
}

// standing is some pilots as of a position of the log.
type standing struct {
	pilots []projection.Pilot
	seq    uint64
}

// admit says whether the order may go on; pilots, if it was carried out before.
func (w *world) admit(o *order) (standing, error) {
	owner, err := w.manager(o.manager)
	if err != nil {
		return standing{}, err
	}
	ps, err := o.match(w.view)
	switch {
	case ps != nil:
		return standing{ps, w.applied}, nil
	case owner.State != events.StateOpen:
		return standing{}, pilot.Errorf(pilot.Closed, "manager %s is closed: it takes no more pilots", o.manager)
	case err == nil:
		err = w.roomFor(o, now())
	}
	return standing{}, err
}

func (o *order) uids() []pilot.UID {
	uids := make([]pilot.UID, len(o.births))
	for i := range o.births {
		uids[i] = o.births[i].Description.UID
	}
	return uids
}

// events are the births, each the first on its subject.
func (o *order) events(actor string) []*events.Event {
	at := now()
	es := make([]*events.Event, len(o.births))
	for i := range o.births {
		d := &o.births[i].Description
		es[i] = &events.Event{
			ID: newID(), Class: events.Command, Kind: events.Submit, At: at, Actor: actor, Birth: &o.births[i],
			Key: pilot.Key{Resource: d.Resource, Manager: o.manager, Pilot: d.UID},
		}
	}
	return es
}
