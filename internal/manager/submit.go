package manager

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// SubmitPilots writes down a list of pilots: all of them or, where one is faulty,
// none. Asked again with the same idempotency key it answers the same pilots;
// code conflict: the key stood for other ones. Code not_found: no such manager;
// closed: it takes no more; unsupported: nothing is wrong but that there is no
// way to the resource. Of a request that asks for a check nothing is written.
func (m *Manager) SubmitPilots(ctx context.Context, r api.SubmitRequest, c Call) (api.PilotsAnswer, error) {
	return m.submitRead(ctx, api.SubmitRead{SubmitRequest: r}, c)
}

// submitRead is SubmitPilots of a request that could perhaps not be read as a whole.
func (m *Manager) submitRead(ctx context.Context, r api.SubmitRead, c Call) (api.PilotsAnswer, error) {
	ctx, stop := withCallTimeout(ctx)
	defer stop()
	known, err := readYourWrites(ctx, m, c, func(st *state) (*resource.Catalogue, error) { return st.resources.catalogue(), nil })
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	o, err := newSubmitList(&r, m.systems, known, c.identity().actor)
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	if r.Check {
		seq, err := m.checkSubmit(ctx, o, c)
		return api.PilotsAnswer{Pilots: []api.Pilot{}, Seq: seq}, err
	}
	answer, err := m.commitSubmit(ctx, o, c)
	return answer, o.mergeManagerError(err)
}

// checkSubmit gives what a submit list would be refused for, and writes nothing. A list of
// no manager is judged by itself.
func (m *Manager) checkSubmit(ctx context.Context, o *submitList, c Call) (seq uint64, err error) {
	seq, err = readYourWrites(ctx, m, c, func(st *state) (uint64, error) {
		if o.manager == "" {
			return st.applied, o.refusalFor(o.faults)
		}
		_, err := st.admitSubmit(o)
		return st.applied, err
	})
	return seq, o.mergeManagerError(err)
}

// commitSubmit appends the pilots of a list and answers them, or those of an earlier request
// with the same idempotency key.
func (m *Manager) commitSubmit(ctx context.Context, o *submitList, c Call) (api.PilotsAnswer, error) {
	var admitted admission
	var d decision
	var unfinished *unfinishedListError // why the try before was in vain, if that was it
	seq, err := m.commitTries(ctx, func(try int) (decision, error) {
		if unfinished != nil && try > 1 {
			if err := m.sealTornList(ctx, &unfinished.part); err != nil {
				return decision{}, err
			}
		}
		var err error
		admitted, err = readYourWrites(ctx, m, c, func(st *state) (admission, error) { return st.admitSubmit(o) })
		unfinished, _ = errors.AsType[*unfinishedListError](err)
		d, err = o.decideSubmit(&admitted, err, try, c.identity())
		return d, err
	})
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	if admitted.pilots != nil {
		return answerSubmitted(admitted.pilots, admitted.seq), nil
	}
	ps, err := afterCommit(ctx, m, 0, func(st *state) ([]projection.Pilot, error) {
		st.readAhead(d.events, seq)
		return st.findPilots(o.manager, o.uids())
	})
	if err != nil {
		return api.PilotsAnswer{}, err
	}
	return answerSubmitted(ps, seq), nil
}

// decideSubmit returns the pilots to be appended; none, if they are there. Where a list that
// is in the log in part stands in the way, they come with the error: it may pass.
func (o *submitList) decideSubmit(admitted *admission, err error, try int, by identity) (decision, error) {
	_, unfinished := errors.AsType[*unfinishedListError](err)
	mayPass := unfinished || errors.Is(err, errKeyPartlyUsed) && try == 0
	if admitted.pilots != nil || err != nil && !mayPass {
		return decision{}, err
	}
	return decision{
		events: o.submitEvents(by, admitted.torn), logText: "pilots submitted",
		fields: []zap.Field{zap.String("manager", o.manager), zap.Int("pilots", len(o.items))},
	}, err
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
		room -= pilotSize(&answer.Pilots[i])
	}
	for i := range ps {
		if b := ps[i].Submission; b != nil && listSize(b.Notes) <= room {
			answer.Pilots[i].Notes, room = b.Notes, room-listSize(b.Notes)
		}
	}
	return answer
}

// admission is some pilots as of a position of the log.
type admission struct {
	pilots []projection.Pilot
	seq    uint64
	torn   map[pilot.UID]projection.Part // births that those of the order stand in for
}

// admitSubmit says whether the order may go on; pilots, if it was carried out before.
func (st *state) admitSubmit(o *submitList) (admission, error) {
	owner, err := st.findManager(o.manager)
	if err != nil {
		return admission{}, err
	}
	ps, err := o.matchExisting(st.view)
	switch {
	case ps != nil:
		return admission{pilots: ps, seq: st.applied}, nil
	case owner.State != events.StateOpen:
		return admission{}, pilot.Errorf(pilot.Closed, "manager %s is closed: it takes no more pilots", o.manager)
	case err != nil:
		return admission{}, err
	}
	torn, err := st.tornSubmits(o)
	if err == nil {
		err = st.checkPolicies(o, nowMillis())
	}
	return admission{torn: torn}, err
}

// tornSubmits gives the births of an order's pilots that are in the log for nothing: their
// lists are there only in part, and never will be whole.
func (st *state) tornSubmits(o *submitList) (map[pilot.UID]projection.Part, error) {
	var all map[pilot.UID]projection.Part
	for i := range o.items {
		d := &o.items[i].Description
		part, ok := st.view.FindPart(pilot.Key{Resource: d.Resource, Manager: o.manager, Pilot: d.UID})
		switch {
		case !ok:
			continue
		case st.applied <= part.Last:
			return nil, &unfinishedListError{part}
		case all == nil:
			all = map[pilot.UID]projection.Part{}
		}
		all[d.UID] = part
	}
	return all, nil
}

var errTornList = pilot.Errorf(pilot.Conflict, "another list with one of these pilots is in the log in part")

// unfinishedListError: the log ends inside a list, which may yet go on. Its code is conflict.
type unfinishedListError struct{ part projection.Part }

func (e *unfinishedListError) Error() string { return errTornList.Error() }

func (e *unfinishedListError) Unwrap() error { return errTornList }

// sealTornList appends something behind a list of which the log ends with a part, so that the
// rest can never follow. A server that was started again first completes what it can.
func (m *Manager) sealTornList(ctx context.Context, part *projection.Part) error {
	e := &events.Event{
		ID: newID(), Class: events.ClassNote, Kind: events.Logged, At: nowMillis(), Actor: m.name, Key: part.Key,
		Note: &events.Note{Text: "the log has only a part of the list that this pilot was submitted in: it is no submit"},
	}
	seq, err := m.appendEvents(ctx, e)
	if err != nil {
		return err
	}
	m.logger.Warn("a list is in the log only in part: it is ignored",
		zap.String("manager", part.Manager), zap.String("pilot", part.Pilot), zap.Uint64("seq", part.Seq))
	_, err = query(ctx, m, seq, func(*state) (struct{}, error) { return struct{}{}, nil })
	return err
}

func (o *submitList) uids() []pilot.UID {
	uids := make([]pilot.UID, len(o.items))
	for i := range o.items {
		uids[i] = o.items[i].Description.UID
	}
	return uids
}

// submitEvents are the births, each the first on its subject, or the next after one that is
// torn.
func (o *submitList) submitEvents(by identity, torn map[pilot.UID]projection.Part) []*events.Event {
	at, list := nowMillis(), newID()
	es := make([]*events.Event, len(o.items))
	for i := range o.items {
		birth := o.items[i]
		d := &birth.Description
		e := &events.Event{
			ID: newID(), Class: events.ClassCommand, Kind: events.Submit, At: at, Submission: &birth,
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
		es[i] = by.stampActor(e)
	}
	return es
}
