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
	f, stopped := ask(ctx, l, "output", func() payloadOutput { return l.findOutput(manager, uid) })
	if stopped != nil {
		return answer, false, nil //nolint:nilerr // who has its pilots now answers
	}
	if f.reader == nil || f.err != nil {
		return answer, f.mine, f.err
	}
	answer, err = f.reader.ReadOutput(ctx, f.job)
	return answer, true, err
}

// payloadOutput is where to read what the payload of a pilot has printed.
type payloadOutput struct {
	mine   bool                 // this launcher looks after the pilot
	reader adaptor.OutputReader // nil: nothing is printed yet
	job    adaptor.Handle
	err    error
}

func (l *Launcher) findOutput(manager, uid pilot.UID) payloadOutput {
	p, known := l.view.Get(manager, uid)
	found := payloadOutput{mine: known && p.Launcher == l.id && l.caughtUp}
	switch t := l.tracked[p.Key]; {
	case !found.mine:
	case p.State.Final():
		found.err = pilot.Errorf(pilot.Closed, "%s has ended", uid)
	case t != nil && p.Sandbox != "":
		found.reader, _ = t.system.(adaptor.OutputReader)
		found.job = t.jobHandle(&p)
	}
	return found
}
