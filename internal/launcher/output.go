package launcher

import (
	"context"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// ReadOutput says what the payload of a pilot has printed so far, if the pilot is
// this launcher's; false: it is not, and another one may know. Code closed: it has
// ended, and the log has the ends of its output; unavailable: its sandbox cannot
// be read, or this launcher has stopped.
func (l *Launcher) ReadOutput(ctx context.Context, manager, uid pilot.UID) (answer api.OutputAnswer, mine bool, err error) {
	type found struct {
		mine   bool
		reader adaptor.OutputReader // nil: nothing is printed yet
		job    adaptor.Handle
		err    error
	}
	out := make(chan found, 1) // the owner never waits for us
	look := func() {
		p, known := l.view.Get(manager, uid)
		f := found{mine: known && p.Launcher == l.id && l.caughtUp}
		switch t := l.tracked[p.Key]; {
		case !f.mine:
		case p.State.Final():
			f.err = pilot.Errorf(pilot.Closed, "%s has ended", uid)
		case t != nil && p.Sandbox != "":
			f.reader, _ = t.system.(adaptor.OutputReader)
			f.job = t.jobHandle(&p)
		}
		out <- f
	}
	select {
	case l.calls <- look:
	case <-l.stopped:
		return answer, false, nil // who has its pilots now answers
	case <-ctx.Done():
		return answer, false, nil
	}
	f := <-out
	if f.reader == nil || f.err != nil {
		return answer, f.mine, f.err
	}
	answer, err = f.reader.ReadOutput(ctx, f.job)
	return answer, true, err
}
