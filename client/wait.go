package client

import (
	"context"
	"slices"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// WaitOptions say what to wait for.
type WaitOptions struct {
	// States are what each pilot is to reach; one of them is enough. A state
	// counts even if it was left again. Empty: the finals.
	States []pilot.State
	// Timeout is how long to wait; then the result says so, without an error.
	// 0: until the context ends, however long that is, which is an error.
	Timeout time.Duration
}

// WaitResult is where the pilots stand at the end of a wait.
type WaitResult struct {
	Pilots   []api.Waited // in the order asked
	TimedOut bool
}

// Reached says whether every pilot got to one of the states asked for.
func (r *WaitResult) Reached() bool {
	return !slices.ContainsFunc(r.Pilots, func(w api.Waited) bool { return !w.Reached })
}

// Wait waits until every one of the pilots has reached one of the states or has
// ended. Waiting for no pilots is over at once. Code not_found names all that
// are unknown.
func (m *Manager) Wait(ctx context.Context, o WaitOptions, uids ...pilot.UID) (WaitResult, error) {
	ctx, cancel := o.withTimeout(ctx)
	defer cancel()
	var result WaitResult
	for chunk := range slices.Chunk(uids, api.MaxItems) {
		answer, err := m.waitChunk(ctx, o.States, chunk)
		if err != nil {
			return result, err
		}
		result.Pilots = append(result.Pilots, answer.Pilots...)
		result.TimedOut = result.TimedOut || answer.TimedOut
	}
	return result, nil
}

// WaitAll waits for all pilots that the manager has now.
func (m *Manager) WaitAll(ctx context.Context, o WaitOptions) (WaitResult, error) {
	ctx, cancel := o.withTimeout(ctx)
	defer cancel()
	var uids []pilot.UID
	for p, err := range m.List(ctx, ListOptions{}) {
		if err != nil {
			return WaitResult{}, err
		}
		uids = append(uids, p.UID)
	}
	o.Timeout = 0 // ctx has it
	return m.Wait(ctx, o, uids...)
}

// withTimeout ends ctx when the time to wait is over, and tells it by errWaited.
func (o *WaitOptions) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.Timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, o.Timeout, errWaited)
}

// errWaited tells the caller's own time limit from the end of the context.
var errWaited = pilot.Errorf(pilot.Timeout, "the time to wait is over")

// waitChunk waits for as many pilots as one request may name. When the limit of
// the wait is over it asks once more, so that the answer says where they stand.
func (m *Manager) waitChunk(ctx context.Context, states []pilot.State, uids []pilot.UID) (api.WaitAnswer, error) {
	ask := api.WaitRequest{Manager: m.uid, UIDs: uids, States: states}
	for {
		left := m.c.waitSlice
		if end, ok := ctx.Deadline(); ok {
			left = min(left, time.Until(end))
		}
		ask.Timeout = new(api.Duration(max(0, left)))
		answer, err := callWithin[api.WaitAnswer](ctx, m.c, left+m.c.attemptTimeout, "pilot.wait", ask)
		switch {
		case context.Cause(ctx) == errWaited: //nolint:errorlint // our own value
			return m.statesNow(ctx, ask)
		case err != nil || !answer.TimedOut:
			return answer, err
		}
	}
}

// statesNow asks where the pilots are, after the time to wait was over.
func (m *Manager) statesNow(ctx context.Context, ask api.WaitRequest) (api.WaitAnswer, error) {
	ask.Timeout = new(api.Duration(0))
	return callEndpoint[api.WaitAnswer](context.WithoutCancel(ctx), m.c, "pilot.wait", ask)
}
