package client

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Pilot is a handle of a pilot.
type Pilot struct {
	m     *Manager
	uid   pilot.UID
	notes []string
}

// UID is the pilot's name, unique within its manager.
func (p *Pilot) UID() pilot.UID { return p.uid }

// Notes say what the service changed of the description when the pilot was
// submitted, and why: cores rounded up to whole nodes, a default queue. Only
// handles that a submit gave have them; Get tells them at any time.
func (p *Pilot) Notes() []string { return p.notes }

// Manager is the handle of the manager that owns the pilot.
func (p *Pilot) Manager() *Manager { return p.m }

// Get gives the pilot as it is.
func (p *Pilot) Get(ctx context.Context) (api.Pilot, error) {
	return singleResult(p.m.Get(ctx, p.uid))
}

// GetAt gives the pilot as it was at a time of the past.
func (p *Pilot) GetAt(ctx context.Context, at time.Time) (api.Pilot, error) {
	return singleResult(p.m.GetAt(ctx, at, p.uid))
}

// Cancel asks the pilot to end and does not wait for it. It is no error if the
// pilot has ended already.
func (p *Pilot) Cancel(ctx context.Context, o CancelOptions) error {
	_, err := p.m.Cancel(ctx, o, p.uid)
	return err
}

// Wait waits for the pilot as Manager.Wait does for many.
func (p *Pilot) Wait(ctx context.Context, o WaitOptions) (api.Waited, error) {
	result, err := p.m.Wait(ctx, o, p.uid)
	return singleResult(result.Pilots, err)
}

// History gives what happened to the pilot, in the order of the log, behind
// position after.
func (p *Pilot) History(ctx context.Context, after uint64) ([]api.Event, error) {
	answer, err := callEndpoint[api.HistoryAnswer](ctx, p.m.c, "pilot.history",
		api.PilotRequest{Manager: p.m.uid, UID: p.uid, After: after})
	return answer.Events, err
}

// Explain says why the pilot is as it is, in words for people.
func (p *Pilot) Explain(ctx context.Context) (api.ExplainAnswer, error) {
	return callEndpoint[api.ExplainAnswer](ctx, p.m.c, "pilot.explain", api.PilotRequest{Manager: p.m.uid, UID: p.uid})
}

// Logs gives the ends of what the payload printed, once the pilot has ended,
// and what happened to the pilot in words.
func (p *Pilot) Logs(ctx context.Context) (api.LogsAnswer, error) {
	return callEndpoint[api.LogsAnswer](ctx, p.m.c, "pilot.logs", api.PilotRequest{Manager: p.m.uid, UID: p.uid})
}

// outputTime is how long a launcher may take to read a sandbox, before it is taken
// to be away.
const outputTime = 15 * time.Second

// Output gives the ends of what the payload has printed: so far, from the launcher
// that the pilot belongs to, or in all, from the log. Code unavailable or timeout:
// no launcher has the pilot, or it cannot read the output now.
func (p *Pilot) Output(ctx context.Context) (api.OutputAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, outputTime)
	defer cancel()
	now, err := p.Get(ctx)
	if err != nil || now.Launcher == "" {
		return api.OutputAnswer{}, err
	}
	if !now.State.Final() {
		out, err := p.m.c.conn.AskOutput(ctx, pilot.Key{Resource: now.Resource, Manager: p.m.uid, Pilot: p.uid})
		if pilot.CodeOf(err) != pilot.Closed {
			return out, err
		}
	}
	logs, err := p.Logs(ctx)
	return api.OutputAnswer{Stdout: logs.Stdout, Stderr: logs.Stderr}, err
}

// singleResult takes the single element of an answer about one pilot.
func singleResult[T any](all []T, err error) (T, error) {
	if len(all) == 1 {
		return all[0], err
	}
	var none T
	if err == nil {
		err = pilot.Errorf(pilot.Internal, "asked for one pilot, got %d", len(all))
	}
	return none, err
}
