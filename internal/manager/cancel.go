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
	// cancelChunkSize is how many pilots one atomic append ends: two events each, of the
	// 1000 it may hold, few enough that one mover spoils little.
	cancelChunkSize = 64
	// maxParallelCancels is how many such appends one call has under way; the server takes
	// 50 atomic batches at once per stream.
	maxParallelCancels = 4
)

// CancelPilots writes down that pilots are to end, and answers where each of them
// stands then. Pilots that have ended are left as they are; those that no
// launcher claimed end at once; all others are CANCELING. Asked again it can
// only make the end come sooner. Of all pilots of a manager only those that had
// not ended are answered, and at most 7000 of them.
func (m *Manager) CancelPilots(ctx context.Context, r api.CancelRequest, c Call) (api.CancelAnswer, error) {
	intent, err := newCancelIntent(&r, c)
	if err != nil {
		return api.CancelAnswer{}, err
	}
	ctx, stop := withCallTimeout(ctx)
	defer stop()
	uids := r.UIDs
	var seq uint64
	if uids == nil {
		uids, seq, err = m.cancelAll(ctx, r.Manager, intent, c)
	} else {
		seq, err = m.cancelNamed(ctx, r.Manager, uids, intent, c)
	}
	if err != nil {
		return api.CancelAnswer{}, err
	}
	return afterCommit(ctx, m, max(seq, c.MinSeq), func(st *state) (api.CancelAnswer, error) {
		ps, err := st.findPilots(r.Manager, uids)
		answer := api.CancelAnswer{Pilots: make([]api.Canceled, len(ps)), Seq: st.applied}
		for i := range ps {
			answer.Pilots[i] = api.Canceled{UID: ps[i].Pilot, State: ps[i].State}
		}
		return answer, err
	})
}

func (m *Manager) cancelNamed(ctx context.Context, manager pilot.UID, uids []pilot.UID, intent *cancelIntent, c Call) (uint64, error) {
	ps, err := readYourWrites(ctx, m, c, func(st *state) ([]projection.Pilot, error) { return st.findPilots(manager, uids) })
	if err != nil {
		return 0, err
	}
	slices.SortFunc(ps, func(a, b projection.Pilot) int { return cmp.Compare(a.SubmittedSeq, b.SubmittedSeq) })
	ps = slices.CompactFunc(ps, func(a, b projection.Pilot) bool { return a.Key == b.Key })
	return m.appendCancels(ctx, ps, intent)
}

// cancelAll goes through a manager's living pilots, page by page.
func (m *Manager) cancelAll(ctx context.Context, manager pilot.UID, intent *cancelIntent, c Call) (uids []pilot.UID, last uint64, err error) {
	uids = []pilot.UID{}
	type page struct {
		pilots []projection.Pilot
		next   uint64
	}
	for after, more := uint64(0), true; more; {
		got, err := readYourWrites(ctx, m, c, func(st *state) (page, error) {
			_, err := st.findManager(manager)
			ps, next := st.view.List(projection.Filter{Manager: manager, Live: true}, after, api.MaxItems)
			return page{ps, next}, err
		})
		if err != nil {
			return nil, 0, err
		}
		seq, err := m.appendCancels(ctx, got.pilots, intent)
		if err != nil {
			return nil, 0, err
		}
		last = max(last, seq)
		for i := range got.pilots {
			if len(uids) < maxUIDs {
				uids = append(uids, got.pilots[i].Pilot)
			}
		}
		after, more = got.next, got.next != 0
	}
	return uids, last, nil
}

// appendCancels appends what the intent means for each of the pilots, which are
// distinct, and gives the last position written, 0 for none.
func (m *Manager) appendCancels(ctx context.Context, ps []projection.Pilot, intent *cancelIntent) (uint64, error) {
	chunks := slices.Collect(slices.Chunk(ps, cancelChunkSize))
	seqs := make([]uint64, len(chunks)+1)
	parts, ctx := errgroup.WithContext(ctx)
	parts.SetLimit(maxParallelCancels)
	for i, h := range chunks {
		parts.Go(func() (err error) {
			seqs[i], err = m.cancelChunk(ctx, h, intent, 0)
			return err
		})
	}
	err := parts.Wait()
	return slices.Max(seqs), err
}

// cancelChunk ends pilots by one append. If one of them moved meanwhile it looks
// at all of them again and goes on in smaller chunks, in the end one by one. A
// single pilot can only be missed because it moved, and moves are few.
func (m *Manager) cancelChunk(ctx context.Context, ps []projection.Pilot, intent *cancelIntent, try int) (uint64, error) {
	es := intent.cancelEvents(ps)
	if len(es) == 0 {
		return 0, nil
	}
	seq, err := m.appendDecision(ctx, &decision{
		events: es, logText: "cancel asked",
		fields: []zap.Field{zap.String("manager", ps[0].Manager), zap.Int("pilots", len(ps))},
	})
	if pilot.CodeOf(err) != pilot.Conflict {
		return seq, err
	}
	if err := m.awaitConflict(ctx, try, es...); err != nil {
		return 0, err
	}
	fresh, err := query(ctx, m, 0, func(st *state) ([]projection.Pilot, error) { return st.refetchPilots(ps), nil })
	if err != nil {
		return 0, err
	}
	var last uint64
	for part := range slices.Chunk(fresh, (len(fresh)+3)/4) {
		seq, err := m.cancelChunk(ctx, part, intent, try+1)
		if err != nil {
			return 0, err
		}
		last = max(last, seq)
	}
	return last, nil
}

// refetchPilots gives the same pilots as they are now.
func (st *state) refetchPilots(ps []projection.Pilot) []projection.Pilot {
	fresh := make([]projection.Pilot, len(ps))
	for i := range ps {
		fresh[i], _ = st.view.Get(ps[i].Manager, ps[i].Pilot)
	}
	return fresh
}
