package agent

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// How long an answer may take. Activation and finish are answered once the log
// has them on disk, maybe across a leader election of the bus; a batch system
// that sent TERM sends KILL soon, some after 2 s more than we wait here.
const (
	askTimeout    = 10 * time.Second
	termedTimeout = 2 * time.Second
)

// Pauses between two tries. The longest keeps an agent's report within seconds
// of the bus's return, and a thousand agents at a hundred requests a second.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 10 * time.Second
)

// ask asks a launcher. One that cannot be reached, by design, agrees to all.
func (r *run) ask(ctx context.Context, verb api.Verb, req api.AgentRequest, timeout time.Duration) (api.AgentReply, error) {
	if r.Mute {
		return api.AgentReply{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req.Attempt, req.Secret, req.Instance = r.Attempt, r.Secret, r.instance
	return r.Gateway.Ask(ctx, r.Key(), verb, req)
}

// activate asks for leave to run until it has an answer, for as long as the
// pilot was meant to run; nil: granted.
func (r *run) activate(ctx context.Context) *end {
	begun := time.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		reply, err := r.ask(ctx, api.Activate, api.AgentRequest{Nodes: r.Nodes, Cores: r.Cores, GPUs: r.GPUs}, askTimeout)
		switch {
		case err == nil && reply.Refused != "":
			return refused(pilot.BootstrapFailed, reply)
		case err == nil && reply.Stop:
			return &end{Outcome: api.Outcome{Kind: api.OutcomeCanceled, Code: pilot.CanceledByAgent, Message: "told to stop before it began", EndedAt: time.Now().UTC()}}
		case err == nil:
			r.deadline = r.until(reply, begun)
			return nil
		case ctx.Err() != nil:
			o := r.termed(ctx)
			return &end{Outcome: api.Outcome{Kind: o.kind, Code: o.code, Message: o.message, EndedAt: time.Now().UTC()}, mute: o.mute}
		case time.Since(begun) > time.Duration(r.Runtime):
			return &end{Outcome: api.Outcome{
				Kind: api.OutcomeFailed, Code: pilot.BootstrapFailed, EndedAt: time.Now().UTC(),
				Message: "no launcher answered within the runtime: " + err.Error(),
			}}
		}
		r.log.Warn("not activated yet", zap.Error(err))
		sleep(ctx, jitter(pause))
	}
}

// until is the deadline by our clock. The launcher's may differ: what is left
// is the runtime at most, and at least the runtime less the time since we
// first asked.
func (r *run) until(reply api.AgentReply, begun time.Time) time.Time {
	now, whole := time.Now(), time.Duration(r.Runtime)
	if reply.Deadline.IsZero() {
		return now.Add(whole)
	}
	if !reply.ActiveAt.IsZero() {
		whole = reply.Deadline.Sub(reply.ActiveAt)
	}
	left := max(reply.Deadline.Sub(now), whole-now.Sub(begun))
	return now.Add(min(left, whole))
}

func refused(code pilot.CauseCode, reply api.AgentReply) *end {
	return &end{mute: true, Outcome: api.Outcome{
		Kind: api.OutcomeFailed, Code: code, Message: "refused: " + reply.Refused, EndedAt: time.Now().UTC(),
	}}
}

// leaveTime is how long an agent that was asked to leave reports an end: with what it
// waited before, and unless its payload takes longer to end, it is gone within fifteen
// seconds. The end is in the sandbox by then.
const leaveTime = 7 * time.Second

// report says how it ended until somebody has heard it, or until a while after ctx has
// ended.
func (r *run) report(leave context.Context, out api.Outcome) error {
	ctx, stop := context.WithCancelCause(context.WithoutCancel(leave))
	defer stop(nil)
	defer context.AfterFunc(leave, func() {
		sleep(ctx, leaveTime)
		stop(pilot.Errorf(pilot.Unavailable, "asked to leave, and nobody heard of the end within %s", leaveTime))
	})()
	patience := r.Patience
	if patience == 0 {
		patience = 10 * time.Minute
	}
	begun := time.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		reply, err := r.ask(ctx, api.Finish, api.AgentRequest{Outcome: &out}, askTimeout)
		switch {
		case err == nil && reply.Refused != "":
			r.log.Warn("end not wanted", zap.String("reason", reply.Refused))
			return &pilot.Error{Code: pilot.Denied, Op: "finish", Message: reply.Refused}
		case err == nil:
			return nil
		case ctx.Err() != nil, time.Since(begun) > patience:
			err = cmp.Or(context.Cause(ctx), err)
			r.log.Error("nobody heard of the end", zap.Error(err))
			return &pilot.Error{Code: pilot.Unavailable, Op: "finish", Err: err}
		}
		r.log.Warn("end not heard yet", zap.Error(err))
		sleep(ctx, jitter(pause))
	}
}

// jitter spreads a pause over its last third, so that a thousand agents do not
// beat as one.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/3+1))
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
