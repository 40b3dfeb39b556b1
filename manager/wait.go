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
	// maxPlaces bounds what all waits together hold, one place for each pilot
	// of each wait: about 100 MB.
	maxPlaces = 1 << 20
)

var errCrowded = pilot.Errorf(pilot.Unavailable, "too many pilots are waited for here already")

// Wait answers once every pilot has reached one of the states, or has ended, or
// the time is over. A state counts even if it was left again. Code not_found
// names all uids that are unknown; no pilots at all answer at once. When ctx
// ends the wait leaves nothing behind.
func (m *Manager) Wait(ctx context.Context, r api.WaitRequest, c Call) (api.WaitAnswer, error) {
	states, timeout, err := waitTerms(&r)
	if err != nil {
		return api.WaitAnswer{}, err
	}
	w := &waiter{manager: r.Manager, states: states, done: make(chan api.WaitAnswer, 1)}
	answer, err := current(ctx, m, c, func(world *world) (api.WaitAnswer, error) {
		ps, err := world.targets(r.Manager, r.UIDs)
		if err != nil {
			return api.WaitAnswer{}, err
		}
		err = world.enrol(w, ps, timeout > 0)
		return world.standing(w), err
	})
	if err != nil {
		m.dismiss(ctx, w) // the owner may have come to it after ctx had ended
		return api.WaitAnswer{}, err
	}
	if !answer.TimedOut || timeout == 0 {
		return answer, nil
	}
	return m.await(ctx, w, timeout)
}

// await is the waiting itself, of a waiter that is enrolled.
func (m *Manager) await(ctx context.Context, w *waiter, timeout time.Duration) (api.WaitAnswer, error) {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	select {
	case answer := <-w.done:
		return answer, nil
	case <-m.ended:
		return api.WaitAnswer{}, errStopped
	case <-ctx.Done():
		m.dismiss(ctx, w)
		return api.WaitAnswer{}, gaveUp(ctx)
	case <-deadline.C:
		return look(ctx, m, 0, func(world *world) (api.WaitAnswer, error) {
			world.dismiss(w)
			return world.standing(w), nil
		})
	}
}

// dismiss has the owner forget a waiter, also when ctx has ended.
func (m *Manager) dismiss(ctx context.Context, w *waiter) {
	_ = m.tell(context.WithoutCancel(ctx), func(world *world) { world.dismiss(w) }) // refused only if all is over
}

func waitTerms(r *api.WaitRequest) ([]pilot.State, time.Duration, error) {
	timeout := defaultWait
	if r.Timeout != nil {
		timeout = time.Duration(*r.Timeout)
	}
	var faults []pilot.Fault
	if timeout < 0 || timeout > maxWait {
		faults = append(faults, pilot.Fault{Field: "timeout", Reason: "must be between 0s and 10m; to wait longer, ask again"})
	}
	faults = append(faults, stateFaults(r.States)...)
	if len(r.UIDs) > maxNames {
		faults = append(faults, tooMany("uids", len(r.UIDs), maxNames))
	}
	if faults != nil {
		return nil, 0, refuse(pilot.Invalid, "", faults)
	}
	if len(r.States) == 0 {
		return pilot.Finals(), timeout, nil
	}
	return r.States, timeout, nil
}

// targets gives the named pilots, or all where none is named.
func (w *world) targets(manager pilot.UID, uids []pilot.UID) ([]projection.Pilot, error) {
	if uids != nil {
		return w.pilots(manager, uids)
	}
	if _, err := w.manager(manager); err != nil {
		return nil, err
	}
	ps, next := w.view.List(projection.Filter{Manager: manager}, 0, maxNames)
	if next != 0 {
		return nil, pilot.Errorf(pilot.Invalid, "manager %s has more than %d pilots, which no answer holds: name them", manager, maxNames)
	}
	return ps, nil
}

// waiter is one call of Wait.
type waiter struct {
	manager pilot.UID
	states  []pilot.State
	uids    []pilot.UID // in the order asked
	left    int         // pilots still waited for
	done    chan api.WaitAnswer
}

type waiters map[*waiter]struct{}

// over says whether the wait for a pilot has an end, and whether the good one.
func (w *waiter) over(st *pilot.Status) (over, reached bool) {
	reached = slices.ContainsFunc(w.states, st.Reached)
	return reached || st.State.Final(), reached
}

// enrol fills in the waiter and, if it stays, finds it a place with each pilot
// it has to wait for. Code unavailable: there is no room.
func (w *world) enrol(n *waiter, ps []projection.Pilot, stays bool) error {
	if stays && w.places+len(ps) > maxPlaces {
		return errCrowded
	}
	n.uids = make([]pilot.UID, len(ps))
	for i := range ps {
		n.uids[i] = ps[i].Pilot
		if over, _ := n.over(&ps[i].Status); over || !stays {
			continue
		}
		at := place{n.manager, ps[i].Pilot}
		if w.waits[at] == nil {
			w.waits[at] = waiters{}
		}
		if _, twice := w.waits[at][n]; !twice {
			w.waits[at][n] = struct{}{}
			n.left++
			w.places++
		}
	}
	return nil
}

// moved answers those who have waited for just that.
func (w *world) moved(at place) {
	ws, ok := w.waits[at]
	if !ok {
		return
	}
	p, _ := w.view.Get(at.manager, at.pilot)
	for n := range ws {
		if over, _ := n.over(&p.Status); !over {
			continue
		}
		w.leave(n, at)
		if n.left--; n.left == 0 {
			n.done <- w.standing(n)
		}
	}
}

func (w *world) leave(n *waiter, at place) {
	if _, here := w.waits[at][n]; !here {
		return
	}
	delete(w.waits[at], n)
	w.places--
	if len(w.waits[at]) == 0 {
		delete(w.waits, at)
	}
}

// dismiss forgets a waiter.
func (w *world) dismiss(n *waiter) {
	for _, uid := range n.uids {
		w.leave(n, place{n.manager, uid})
	}
}

// standing says where the pilots of a waiter are; TimedOut, that one of them
// has yet to be waited for.
func (w *world) standing(n *waiter) api.WaitAnswer {
	answer := api.WaitAnswer{Pilots: make([]api.Waited, len(n.uids)), Seq: w.applied}
	for i, uid := range n.uids {
		p, _ := w.view.Get(n.manager, uid)
		over, reached := n.over(&p.Status)
		answer.Pilots[i] = api.Waited{UID: uid, State: p.State, Reached: reached}
		answer.TimedOut = answer.TimedOut || !over
	}
	return answer
}
