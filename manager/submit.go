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
// way to the resource. Of a request that asks for a check nothing is written.
func (m *Manager) Submit(ctx context.Context, r api.SubmitRequest, c Call) (api.PilotsAnswer, error) {
	return m.submitRead(ctx, api.SubmitRead{SubmitRequest: r}, c)
}

// submitRead is Submit of a request that could perhaps not be read as a whole.
func (m *Manager) submitRead(ctx context.Context, r api.SubmitRead, c Call) (api.PilotsAnswer, error) {
	ctx, stop := bounded(ctx)
	defer stop()
	known, err := current(ctx, m, c, func(w *world) (*resource.Catalogue, error) { return w.resources.catalogue(), nil })
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	o, err := newOrder(&r, known, c.who().actor)
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	if r.Check {
		seq, err := m.judge(ctx, o, c)
		return api.PilotsAnswer{Pilots: []api.Pilot{}, Seq: seq}, err
	}
	for try := 0; ; try++ {
		answer, es, err := m.submitOnce(ctx, o, c)
		partly := errors.Is(err, errSome)
		if pilot.CodeOf(err) != pilot.Conflict || es == nil || try == tries || partly && try > 0 {
			return answer, o.besides(err)
		}
		if err := m.yield(ctx, try, es...); err != nil {
			return api.PilotsAnswer{}, err
		}
		if unsure, ok := errors.AsType[*unsureError](err); ok && try > 0 {
			if err := m.seal(ctx, &unsure.part); err != nil {
				return api.PilotsAnswer{}, err
			}
		}
	}
}

// judge gives what an order would be refused for, and writes nothing. An order of
// no manager is judged by itself.
func (m *Manager) judge(ctx context.Context, o *order, c Call) (seq uint64, err error) {
	seq, err = current(ctx, m, c, func(w *world) (uint64, error) {
		if o.manager == "" {
			return w.applied, o.refusal(o.faults)
		}
		_, err := w.admit(o)
		return w.applied, err
	})
	return seq, o.besides(err)
}

// submitOnce decides and appends. With code conflict, es is what must be looked
// at in the log before anybody decides again; nil if nobody need.
func (m *Manager) submitOnce(ctx context.Context, o *order, c Call) (a api.PilotsAnswer, es []*events.Event, err error) {
	before, err := current(ctx, m, c, func(w *world) (standing, error) { return w.admit(o) })
	if _, unsure := errors.AsType[*unsureError](err); unsure || errors.Is(err, errSome) {
		return a, o.events(c.who(), nil), err
	}
	if err != nil {
		return a, nil, err
	}
	if before.pilots != nil {
		return answerSubmitted(before.pilots, before.seq), nil, nil
	}
	if err := m.admit(); err != nil {
		return a, nil, err
	}
	es = o.events(c.who(), before.torn)
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
	torn   map[pilot.UID]projection.Part // births that those of the order stand in for
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
		return standing{pilots: ps, seq: w.applied}, nil
	case owner.State != events.StateOpen:
		return standing{}, pilot.Errorf(pilot.Closed, "manager %s is closed: it takes no more pilots", o.manager)
	case err != nil:
		return standing{}, err
	}
	torn, err := w.torn(o)
	if err == nil {
		err = w.roomFor(o, now())
	}
	return standing{torn: torn}, err
}

// torn gives the births of an order's pilots that are in the log for nothing: their
// lists are there only in part, and never will be whole.
func (w *world) torn(o *order) (map[pilot.UID]projection.Part, error) {
	var all map[pilot.UID]projection.Part
	for i := range o.births {
		d := &o.births[i].Description
		part, ok := w.view.Part(pilot.Key{Resource: d.Resource, Manager: o.manager, Pilot: d.UID})
		switch {
		case !ok:
			continue
		case w.applied <= part.Last:
			return nil, &unsureError{part}
		case all == nil:
			all = map[pilot.UID]projection.Part{}
		}
		all[d.UID] = part
	}
	return all, nil
}

var errPart = pilot.Errorf(pilot.Conflict, "another list with one of these pilots is in the log in part")

// unsureError: the log ends inside a list, which may yet go on. Its code is conflict.
type unsureError struct{ part projection.Part }

func (e *unsureError) Error() string { return errPart.Error() }

func (e *unsureError) Unwrap() error { return errPart }

// seal appends something behind a list of which the log ends with a part, so that the
// rest can never follow. A server that was started again first completes what it can.
func (m *Manager) seal(ctx context.Context, part *projection.Part) error {
	e := &events.Event{
		ID: newID(), Class: events.Remark, Kind: events.Logged, At: now(), Actor: m.name, Key: part.Key,
		Remark: &events.Note{Text: "the log has only a part of the list that this pilot was submitted in: it is no submit"},
	}
	seq, err := m.append(ctx, e)
	if err != nil {
		return err
	}
	m.logger.Warn("a list is in the log only in part: it is ignored",
		zap.String("manager", part.Manager), zap.String("pilot", part.Pilot), zap.Uint64("seq", part.Seq))
	_, err = look(ctx, m, seq, func(*world) (struct{}, error) { return struct{}{}, nil })
	return err
}

func (o *order) uids() []pilot.UID {
	uids := make([]pilot.UID, len(o.births))
	for i := range o.births {
		uids[i] = o.births[i].Description.UID
	}
	return uids
}

// events are the births, each the first on its subject, or the next after one that is
// torn.
func (o *order) events(by who, torn map[pilot.UID]projection.Part) []*events.Event {
	at, list := now(), newID()
	es := make([]*events.Event, len(o.births))
	for i := range o.births {
		birth := o.births[i]
		d := &birth.Description
		e := &events.Event{
			ID: newID(), Class: events.Command, Kind: events.Submit, At: at, Birth: &birth,
			Key: pilot.Key{Resource: d.Resource, Manager: o.manager, Pilot: d.UID},
		}
		if len(es) > 1 {
			birth.List = events.List{ID: list, Size: len(es), Index: i}
		}
		if part, ok := torn[d.UID]; ok {
			birth.Over = part.Seq
			if part.Key == e.Key {
				e.Prev = part.Seq
			}
		}
		es[i] = by.sign(e)
	}
	return es
}
