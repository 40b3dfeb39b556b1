package fork

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// beginTimeout is how long an agent may take from its assignment to its mark:
// 4 ms on an idle machine, 500 times that when hundreds start at once.
const beginTimeout = 2 * time.Second

// Find looks for the attempt's job by its record. Only an agent that began, or
// may yet begin, counts; for the latter it waits up to two seconds.
func (s *System) Find(ctx context.Context, spec *adaptor.Spec) (_ adaptor.SubmittedJob, _ bool, err error) {
	defer s.observeCall("find", &err)()
	if err := ctx.Err(); err != nil {
		return adaptor.SubmittedJob{}, false, err
	}
	key, attempt := spec.Key, spec.Attempt
	if err := checkKey(key, attempt); err != nil {
		return adaptor.SubmittedJob{}, false, err
	}
	for _, dir := range s.candidateSandboxes(key) {
		submitted, found, err := s.findIn(ctx, dir, key, attempt)
		if found || err != nil {
			return submitted, found, err
		}
	}
	return adaptor.SubmittedJob{}, false, nil
}

func (s *System) findIn(ctx context.Context, dir string, key pilot.Key, attempt int) (adaptor.SubmittedJob, bool, error) {
	marks := sandbox.MarksOf(dir, attempt)
	r, err := marks.ReadForkedJob()
	if r == nil || err != nil {
		return adaptor.SubmittedJob{}, false, err
	}
	at := recordPlace(r)
	known := s.place.visibilityOf(&at)
	if known == seesNothing {
		return s.findHidden(marks, r, dir)
	}
	begun, err := s.awaitBegun(ctx, marks, r)
	if err == nil && !begun && known == seesLikely {
		err = s.hiddenError(&at)
	}
	if err != nil || !begun {
		return adaptor.SubmittedJob{}, false, err
	}
	_, err = s.watchIfAlive(r.Identity, r.Serial, key) // so that its end will be told
	return submittedJob(r, dir), true, err
}

// findHidden gives a job whose processes cannot be seen from here, if it has left a mark
// that can; without one it may yet begin.
func (s *System) findHidden(marks sandbox.Marks, r *sandbox.ForkedJob, dir string) (adaptor.SubmittedJob, bool, error) {
	started, err := marks.ReadStarted()
	if err == nil && started == nil {
		at := recordPlace(r)
		err = s.hiddenError(&at)
	}
	if err != nil {
		return adaptor.SubmittedJob{}, false, err
	}
	r.Identity, r.Serial = started.Identity, started.Serial
	return submittedJob(r, dir), true, nil
}

// awaitBegun says whether an agent has the attempt, once that is certain. The
// record becomes that of the agent which has it.
func (s *System) awaitBegun(ctx context.Context, marks sandbox.Marks, r *sandbox.ForkedJob) (bool, error) {
	limit := time.NewTimer(beginTimeout)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		alive := s.processHasJob(r.Identity, r.Serial) // before the mark is read: an agent marks and then ends
		started, err := marks.ReadStarted()
		switch {
		case err != nil:
			return false, err
		case started != nil:
			r.Identity, r.Serial = started.Identity, started.Serial
			return true, nil
		case !alive:
			return false, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-limit.C:
			return false, pilot.Errorf(pilot.Unavailable, "agent %s lives, and has not begun yet", jobID(r.Identity, r.Serial))
		}
	}
}

// processLives: what cannot be opened for another reason than that it is gone counts
// as alive, for that decides nothing.
func processLives(id proc.Identity) bool {
	p, err := proc.Open(id)
	if err == nil {
		p.Close()
	}
	return err == nil || !isGone(err)
}
