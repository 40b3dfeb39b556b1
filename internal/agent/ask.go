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
	askTimeout  = 10 * time.Second
	termTimeout = 2 * time.Second
)

// Pauses between two tries. The longest keeps an agent's report within seconds
// of the bus's return, and a thousand agents at a hundred requests a second.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 10 * time.Second
)

// askLauncher asks a launcher. One that cannot be reached, by design, agrees to all.
func (r *attemptRun) askLauncher(ctx context.Context, verb api.Verb, req api.AgentRequest, timeout time.Duration) (api.AgentReply, error) {
	if r.Offline {
		return api.AgentReply{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req.Attempt, req.Secret, req.Instance = r.Attempt, r.Secret, r.instance
	return r.Gateway.Ask(ctx, r.Key(), verb, req)
}

// requestActivation asks for leave to run until it has an answer, for as long as the
// pilot was meant to run; nil: granted.
func (r *attemptRun) requestActivation(ctx context.Context) *runEnd {
	r.askedAt = time.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		reply, err := r.askLauncher(ctx, api.Activate, api.AgentRequest{Nodes: r.Nodes, Cores: r.Cores, GPUs: r.GPUs}, askTimeout)
		switch {
		case err == nil && reply.Refused != "":
			return refusedEnd(pilot.BootstrapFailed, reply)
		case err == nil && reply.Stop:
			return &runEnd{Outcome: api.Outcome{Kind: api.OutcomeCanceled, Code: pilot.CanceledByAgent, Message: "told to stop before it began", EndedAt: time.Now().UTC()}}
		case err == nil:
			r.grantedAt, r.timeLimit, r.deadlineSeq = time.Now(), time.Duration(r.Runtime), reply.Moved
			r.setDeadline(&reply)
			return nil
		case ctx.Err() != nil:
			o := r.reasonForTerm(ctx)
			return &runEnd{Outcome: api.Outcome{Kind: o.kind, Code: o.code, Message: o.message, EndedAt: time.Now().UTC()}, unreported: o.unreported}
		case time.Since(r.askedAt) > time.Duration(r.Runtime):
			return &runEnd{Outcome: api.Outcome{
				Kind: api.OutcomeFailed, Code: pilot.BootstrapFailed, EndedAt: time.Now().UTC(),
				Message: "no launcher answered within the runtime: " + err.Error(),
			}}
		}
		r.log.Warn("not activated yet", zap.Error(err))
		sleepFor(ctx, addJitter(pause))
	}
}

// setDeadline sets the deadline by our clock. The launcher's may differ: the pilot became
// ACTIVE after we first asked, and before we had leave.
func (r *attemptRun) setDeadline(reply *api.AgentReply) {
	switch {
	case reply.Deadline.IsZero():
		r.deadline = r.grantedAt.Add(r.timeLimit)
		return
	case !reply.ActiveAt.IsZero():
		r.timeLimit = reply.Deadline.Sub(reply.ActiveAt)
	}
	r.deadline = reply.Deadline
	if first := r.askedAt.Add(r.timeLimit); r.deadline.Before(first) {
		r.deadline = first
	}
	if last := r.grantedAt.Add(r.timeLimit); r.deadline.After(last) {
		r.deadline = last
	}
}

// maxNearEnd is how long before its deadline an agent begins to say that it is near, and
// nearEndBeats how often it does until then: the first has its launcher ask the batch system
// for the time limit, and one of the next brings what came of that. So what the payload
// still may run is known before its time is over, and nothing of its job's is spent on asking.
const (
	maxNearEnd   = 10 * time.Second
	nearEndBeats = 4
)

// nearEndSpan is lastWords, less for a pilot of seconds.
func (r *attemptRun) nearEndSpan() time.Duration { return min(maxNearEnd, r.timeLimit/nearEndBeats) }

// isNearEnd says that the deadline is.
func (r *attemptRun) isNearEnd() bool { return time.Until(r.deadline) <= r.nearEndSpan() }

// nextBeatIn is the pause before the next beat.
func (r *attemptRun) nextBeatIn() time.Duration {
	every := time.Duration(r.Beat)
	if r.isNearEnd() {
		return min(every, r.nearEndSpan()/nearEndBeats)
	}
	return min(addJitter(every), time.Until(r.deadline)-r.nearEndSpan())
}

// applyMovedDeadline takes a deadline that was moved out of the answer to a beat; false: there is none,
// or not a later one than we know.
func (r *attemptRun) applyMovedDeadline(reply *api.AgentReply) bool {
	if reply.Moved <= r.deadlineSeq || reply.Deadline.IsZero() || reply.ActiveAt.IsZero() {
		return false
	}
	before := r.deadline
	r.deadlineSeq = reply.Moved
	if r.setDeadline(reply); r.deadline.Equal(before) {
		return false
	}
	r.log.Info("deadline moved", zap.Time("from", before), zap.Time("to", r.deadline), zap.Duration("limit", r.timeLimit))
	if r.Executable != "" {
		r.writeDeadline(r.marks.ReplaceFile)
	}
	return true
}

func refusedEnd(code pilot.CauseCode, reply api.AgentReply) *runEnd {
	return &runEnd{unreported: true, Outcome: api.Outcome{
		Kind: api.OutcomeFailed, Code: code, Message: "refused: " + reply.Refused, EndedAt: time.Now().UTC(),
	}}
}

// leaveTimeout is how long an agent that was asked to leave reports an end: with what it
// waited before, and unless its payload takes longer to end, it is gone within fifteen
// seconds. The end is in the sandbox by then.
const leaveTimeout = 7 * time.Second

// reportEnd says how it ended until somebody has heard it, or until a while after ctx has
// ended.
func (r *attemptRun) reportEnd(leave context.Context, out api.Outcome) error {
	ctx, stop := context.WithCancelCause(context.WithoutCancel(leave))
	defer stop(nil)
	defer context.AfterFunc(leave, func() {
		sleepFor(ctx, leaveTimeout)
		stop(pilot.Errorf(pilot.Unavailable, "asked to leave, and nobody heard of the end within %s", leaveTimeout))
	})()
	patience := r.Patience
	if patience == 0 {
		patience = 10 * time.Minute
	}
	begun := time.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		reply, err := r.askLauncher(ctx, api.Finish, api.AgentRequest{Outcome: &out}, askTimeout)
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
		sleepFor(ctx, addJitter(pause))
	}
}

// addJitter spreads a pause over its last third, so that a thousand agents do not
// beat as one.
func addJitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/3+1))
}

func sleepFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
