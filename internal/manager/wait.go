package manager

import (
	"context"
	"slices"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// Bounds of a wait.
const (
	defaultWait = 30 * time.Second
	maxWait     = 10 * time.Minute
	// maxWaitPlaces bounds what all waits together hold, one place for each pilot
	// of each wait: about 100 MB.
	maxWaitPlaces = 1 << 20
)

var errTooManyWaits = pilot.Errorf(pilot.Unavailable, "too many pilots are waited for here already")

// WaitForPilots answers once every pilot has reached one of the states, or has ended, or
// the time is over. A state counts even if it was left again. Code not_found
// names all uids that are unknown; no pilots at all answer at once. When ctx
// ends the wait leaves nothing behind.
func (m *Manager) WaitForPilots(ctx context.Context, r api.WaitRequest, c Call) (api.WaitAnswer, error) {
	states, timeout, err := waitBounds(&r)
	if err != nil {
		return api.WaitAnswer{}, err
	}
	w := &waiter{manager: r.Manager, states: states, done: make(chan api.WaitAnswer, 1)}
	answer, err := readYourWrites(ctx, m, c, func(st *state) (api.WaitAnswer, error) {
		ps, err := st.waitTargets(r.Manager, r.UIDs)
		if err != nil {
			return api.WaitAnswer{}, err
		}
		err = st.enrolWaiter(w, ps, timeout > 0)
		return st.waitStatus(w), err
	})
	if err != nil {
		m.dismissWaiter(ctx, w) // the owner may have come to it after ctx had ended
		return api.WaitAnswer{}, err
	}
	if !answer.TimedOut || timeout == 0 {
		return answer, nil
	}
	return m.awaitWaiter(ctx, w, timeout)
}

// awaitWaiter is the waiting itself, of a waiter that is enrolled.
func (m *Manager) awaitWaiter(ctx context.Context, w *waiter, timeout time.Duration) (api.WaitAnswer, error) {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	select {
	case answer := <-w.done:
		return answer, nil
	case <-m.ended:
		return api.WaitAnswer{}, errStopped
	case <-ctx.Done():
		m.dismissWaiter(ctx, w)
		return api.WaitAnswer{}, abandonedError(ctx)
	case <-deadline.C:
		return query(ctx, m, 0, func(st *state) (api.WaitAnswer, error) {
			st.removeWaiter(w)
			return st.waitStatus(w), nil
		})
	}
}

// dismissWaiter has the owner forget a waiter, also when ctx has ended.
func (m *Manager) dismissWaiter(ctx context.Context, w *waiter) {
	_ = m.post(context.WithoutCancel(ctx), func(st *state) { st.removeWaiter(w) }) // refused only if all is over
}

func waitBounds(r *api.WaitRequest) ([]pilot.State, time.Duration, error) {
	timeout := defaultWait
	if r.Timeout != nil {
		timeout = time.Duration(*r.Timeout)
	}
	var faults []pilot.FieldError
	if timeout < 0 || timeout > maxWait {
		faults = append(faults, pilot.FieldError{Field: "timeout", Reason: "must be between 0s and 10m; to wait longer, ask again"})
	}
	faults = append(faults, stateFaults(r.States)...)
	if len(r.UIDs) > maxUIDs {
		faults = append(faults, tooMany("uids", len(r.UIDs), maxUIDs))
	}
	if faults != nil {
		return nil, 0, refusalOf(pilot.Invalid, "", faults)
	}
	if len(r.States) == 0 {
		return pilot.Finals(), timeout, nil
	}
	return r.States, timeout, nil
}

// waitTargets gives the named pilots, or all where none is named.
func (st *state) waitTargets(manager pilot.UID, uids []pilot.UID) ([]projection.Pilot, error) {
	if uids != nil {
		return st.findPilots(manager, uids)
	}
	if _, err := st.findManager(manager); err != nil {
		return nil, err
	}
	ps, next := st.view.List(projection.Filter{Manager: manager}, 0, maxUIDs)
	if next != 0 {
		return nil, pilot.Errorf(pilot.Invalid, "manager %s has more than %d pilots, which no answer holds: name them", manager, maxUIDs)
	}
	return ps, nil
}

// waiter is one call of Wait.
type waiter struct {
	manager   pilot.UID
	states    []pilot.State
	uids      []pilot.UID // in the order asked
	remaining int         // pilots still waited for
	done      chan api.WaitAnswer
}

type waiters map[*waiter]struct{}

// isOver says whether the wait for a pilot has an end, and whether the good one.
func (w *waiter) isOver(st *pilot.Status) (over, reached bool) {
	reached = slices.ContainsFunc(w.states, st.Reached)
	return reached || st.State.Final(), reached
}

// enrolWaiter fills in the waiter and, if it stays, finds it a place with each pilot
// it has to wait for. Code unavailable: there is no room.
func (st *state) enrolWaiter(n *waiter, ps []projection.Pilot, stays bool) error {
	if stays && st.waitPlaces+len(ps) > maxWaitPlaces {
		return errTooManyWaits
	}
	n.uids = make([]pilot.UID, len(ps))
	for i := range ps {
		n.uids[i] = ps[i].Pilot
		if over, _ := n.isOver(&ps[i].Status); over || !stays {
			continue
		}
		at := pilotRef{n.manager, ps[i].Pilot}
		if st.waits[at] == nil {
			st.waits[at] = waiters{}
		}
		if _, twice := st.waits[at][n]; !twice {
			st.waits[at][n] = struct{}{}
			n.remaining++
			st.waitPlaces++
		}
	}
	return nil
}

// answerWaiters answers those who have waited for just that.
func (st *state) answerWaiters(at pilotRef) {
	ws, ok := st.waits[at]
	if !ok {
		return
	}
	p, _ := st.view.Get(at.manager, at.pilot)
	for n := range ws {
		if over, _ := n.isOver(&p.Status); !over {
			continue
		}
		st.removeWait(n, at)
		if n.remaining--; n.remaining == 0 {
			n.done <- st.waitStatus(n)
		}
	}
}

func (st *state) removeWait(n *waiter, at pilotRef) {
	if _, here := st.waits[at][n]; !here {
		return
	}
	delete(st.waits[at], n)
	st.waitPlaces--
	if len(st.waits[at]) == 0 {
		delete(st.waits, at)
	}
}

// removeWaiter forgets a waiter.
func (st *state) removeWaiter(n *waiter) {
	for _, uid := range n.uids {
		st.removeWait(n, pilotRef{n.manager, uid})
	}
}

// waitStatus says where the pilots of a waiter are; TimedOut, that one of them
// has yet to be waited for.
func (st *state) waitStatus(n *waiter) api.WaitAnswer {
	answer := api.WaitAnswer{Pilots: make([]api.Waited, len(n.uids)), Seq: st.applied}
	for i, uid := range n.uids {
		p, _ := st.view.Get(n.manager, uid)
		over, reached := n.isOver(&p.Status)
		answer.Pilots[i] = api.Waited{UID: uid, State: p.State, Reached: reached}
		answer.TimedOut = answer.TimedOut || !over
	}
	return answer
}
