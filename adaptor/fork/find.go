package fork

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/agent"
	"github.com/flightlog/flightlog/agent/proc"
	"github.com/flightlog/flightlog/pilot"
)

// beginPatience is how long an agent may take from its assignment to its mark:
// 4 ms on an idle machine, 500 times that when hundreds start at once.
const beginPatience = 2 * time.Second

// Find looks for the attempt's job by its record. Only an agent that began, or
// may yet begin, counts; for the latter it waits up to two seconds.
func (s *System) Find(ctx context.Context, spec *adaptor.Spec) (_ adaptor.Placed, _ bool, err error) {
	defer s.observe("find", &err)()
	if err := ctx.Err(); err != nil {
		return adaptor.Placed{}, false, err
	}
	key, attempt := spec.Key, spec.Attempt
	if err := checkKey(key, attempt); err != nil {
		return adaptor.Placed{}, false, err
	}
	for _, sandbox := range s.locate(key) {
		placed, found, err := s.findIn(ctx, sandbox, key, attempt)
		if found || err != nil {
			return placed, found, err
		}
	}
	return adaptor.Placed{}, false, nil
}

func (s *System) findIn(ctx context.Context, sandbox string, key pilot.Key, attempt int) (adaptor.Placed, bool, error) {
	marks := agent.MarksOf(sandbox, attempt)
	var r record
	if ok, err := marks.Read(recordMark, &r); !ok || err != nil {
		return adaptor.Placed{}, false, err
	}
	at := r.place()
	known := s.place.sees(&at)
	if known == hidden {
		return s.findHidden(marks, &r, sandbox)
	}
	begun, err := s.begun(ctx, marks, &r)
	if err == nil && !begun && known == likely {
		err = s.hiddenError(&at)
	}
	if err != nil || !begun {
		return adaptor.Placed{}, false, err
	}
	_, err = s.alive(r.Identity, r.Serial, key) // so that its end will be told
	return r.placed(sandbox), true, err
}

// findHidden gives a job whose processes cannot be seen from here, if it has left a mark
// that can; without one it may yet begin.
func (s *System) findHidden(marks agent.Marks, r *record, sandbox string) (adaptor.Placed, bool, error) {
	started, err := marks.Started()
	if err == nil && started == nil {
		at := r.place()
		err = s.hiddenError(&at)
	}
	if err != nil {
		return adaptor.Placed{}, false, err
	}
	r.Identity, r.Serial = started.Identity, started.Serial
	return r.placed(sandbox), true, nil
}

// begun says whether an agent has the attempt, once that is certain. The
// record becomes that of the agent which has it.
func (s *System) begun(ctx context.Context, marks agent.Marks, r *record) (bool, error) {
	limit := time.NewTimer(beginPatience)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		alive := s.at(r.Identity, r.Serial) // before the mark is read: an agent marks and then ends
		started, err := marks.Started()
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

// living: what cannot be opened for another reason than that it is gone counts
// as alive, for that decides nothing.
func living(id proc.Identity) bool {
	p, err := proc.Open(id)
	if err == nil {
		p.Close()
	}
	return err == nil || !isGone(err)
}
