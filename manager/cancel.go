package manager

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// Bounds of a cancel.
const (
	maxReason = 4096           // bytes
	maxGrace  = 24 * time.Hour // a longer one is no wish to see the pilot gone
	// herd is how many pilots one atomic append ends: two events each, of the
	// 1000 it may hold, few enough that one mover spoils little.
	herd = 64
	// abreast is how many such appends one call has under way; the server takes
	// 50 atomic batches at once per stream.
	abreast = 4
)

// Cancel writes down that pilots are to end, and answers where each of them
// stands then. Pilots that have ended are left as they are; those that no
// launcher claimed end at once; all others are CANCELING. Asked again it can
// only make the end come sooner. Of all pilots of a manager only those that had
// not ended are answered, and at most 7000 of them.
func (m *Manager) Cancel(ctx context.Context, r api.CancelRequest, c Call) (api.CancelAnswer, error) {
	wish, err := newWish(&r, c)
	if err != nil {
		return api.CancelAnswer{}, err
	}
	ctx, stop := bounded(ctx)
	defer stop()
	uids := r.UIDs
	var seq uint64
	if uids == nil {
		uids, seq, err = m.cancelAll(ctx, r.Manager, wish, c)
	} else {
		seq, err = m.cancelNamed(ctx, r.Manager, uids, wish, c)
	}
	if err != nil {
		return api.CancelAnswer{}, err
	}
	return written(ctx, m, max(seq, c.MinSeq), func(w *world) (api.CancelAnswer, error) {
		ps, err := w.pilots(r.Manager, uids)
		answer := api.CancelAnswer{Pilots: make([]api.Canceled, len(ps)), Seq: w.applied}
		for i := range ps {
			answer.Pilots[i] = api.Canceled{UID: ps[i].Pilot, State: ps[i].State}
		}
		return answer, err
	})
}

func (m *Manager) cancelNamed(ctx context.Context, manager pilot.UID, uids []pilot.UID, wish *wish, c Call) (uint64, error) {
	ps, err := current(ctx, m, c, func(w *world) ([]projection.Pilot, error) { return w.pilots(manager, uids) })
	if err != nil {
		return 0, err
	}
	slices.SortFunc(ps, func(a, b projection.Pilot) int { return cmp.Compare(a.Born, b.Born) })
	ps = slices.CompactFunc(ps, func(a, b projection.Pilot) bool { return a.Key == b.Key })
	return m.cancel(ctx, ps, wish)
}

// cancelAll goes through a manager's living pilots, page by page.
func (m *Manager) cancelAll(ctx context.Context, manager pilot.UID, wish *wish, c Call) (uids []pilot.UID, last uint64, err error) {
	uids = []pilot.UID{}
	type page struct {
		pilots []projection.Pilot
		next   uint64
	}
	for after, more := uint64(0), true; more; {
		got, err := current(ctx, m, c, func(w *world) (page, error) {
			_, err := w.manager(manager)
			ps, next := w.view.List(projection.Filter{Manager: manager, Live: true}, after, api.MaxItems)
			return page{ps, next}, err
		})
		if err != nil {
			return nil, 0, err
		}
		seq, err := m.cancel(ctx, got.pilots, wish)
		if err != nil {
			return nil, 0, err
		}
		last = max(last, seq)
		for i := range got.pilots {
			if len(uids) < maxNames {
				uids = append(uids, got.pilots[i].Pilot)
			}
		}
		after, more = got.next, got.next != 0
	}
	return uids, last, nil
}

// cancel appends what the wish means for each of the pilots, which are
// distinct, and gives the last position written, 0 for none.
func (m *Manager) cancel(ctx context.Context, ps []projection.Pilot, wish *wish) (uint64, error) {
	herds := slices.Collect(slices.Chunk(ps, herd))
	seqs := make([]uint64, len(herds)+1)
	parts, ctx := errgroup.WithContext(ctx)
	parts.SetLimit(abreast)
	for i, h := range herds {
		parts.Go(func() (err error) {
			seqs[i], err = m.cancelHerd(ctx, h, wish, 0)
			return err
		})
	}
	err := parts.Wait()
	return slices.Max(seqs), err
}

// cancelHerd ends pilots by one append. If one of them moved meanwhile it looks
// at all of them again and goes on in smaller herds, in the end one by one. A
// single pilot can only be missed because it moved, and moves are few.
func (m *Manager) cancelHerd(ctx context.Context, ps []projection.Pilot, wish *wish, try int) (uint64, error) {
	es := wish.events(ps)
	if len(es) == 0 {
		return 0, nil
	}
	seq, err := m.append(ctx, es...)
	if err == nil {
		m.logger.Info("cancel asked", zap.String("manager", ps[0].Manager), zap.Int("pilots", len(ps)), zap.Uint64("seq", seq))
	}
	if pilot.CodeOf(err) != pilot.Conflict {
		return seq, err
	}
	if err := m.yield(ctx, try, es...); err != nil {
		return 0, err
	}
	fresh, err := look(ctx, m, 0, func(w *world) ([]projection.Pilot, error) { return w.again(ps), nil })
	if err != nil {
		return 0, err
	}
	var last uint64
	for part := range slices.Chunk(fresh, (len(fresh)+3)/4) {
		seq, err := m.cancelHerd(ctx, part, wish, try+1)
		if err != nil {
			return 0, err
		}
		last = max(last, seq)
	}
	return last, nil
}

// again gives the same pilots as they are now.
func (w *world) again(ps []projection.Pilot) []projection.Pilot {
	fresh := make([]projection.Pilot, len(ps))
	for i := range ps {
		fresh[i], _ = w.view.Get(ps[i].Manager, ps[i].Pilot)
	}
	return fresh
}
