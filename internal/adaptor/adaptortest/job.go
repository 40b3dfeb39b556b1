package adaptortest

import (
	"cmp"
	"context"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// job is one job with its agent, whose course run is.
type job struct {
	memory *Memory
	spec   adaptor.Spec
	script Script

	deadline    time.Time // run's own
	deadlineSeq uint64    // run's own: the change whose deadline that is
	silent      bool      // run's own: a refused agent leaves without a word

	killed context.Context //nolint:containedctx // ends with the job's processes
	kill   context.CancelFunc
	termed context.Context //nolint:containedctx // ends when the job is asked to end
	term   context.CancelFunc

	// Under memory.mu.
	placed     adaptor.SubmittedJob
	phase      adaptor.Phase
	limit      time.Duration
	outcome    *api.Outcome
	payloadRan bool
}

func newJob(m *Memory, spec adaptor.Spec) *job {
	j := &job{memory: m, spec: spec, phase: adaptor.Queued, script: m.config.Script(&spec)}
	j.limit = cmp.Or(j.script.Limit, spec.Description.Runtime.Duration())
	j.killed, j.kill = context.WithCancel(m.life)
	j.termed, j.term = context.WithCancel(j.killed)
	return j
}

func (j *job) token() string { return j.spec.Token() }

// pollStatus is what a poll says; the caller holds mu.
func (j *job) pollStatus() adaptor.Status {
	s := adaptor.Status{Phase: j.phase, Native: string(j.phase), Limit: j.limit}
	if j.outcome != nil { // the mark is there before the agent is gone
		out := *j.outcome
		s.Phase, s.Outcome = adaptor.Ended, &out
	}
	return s
}

// recordOutcome leaves what is known of the end; the first one counts. The caller holds
// mu.
func (j *job) recordOutcome(out *api.Outcome) {
	if j.outcome == nil && j.phase != adaptor.Ended {
		out.EndedAt = time.Now().UTC()
		j.outcome = out
	}
}

// markEnded ends the job; the caller holds mu.
func (j *job) markEnded() {
	if j.phase != adaptor.Ended {
		j.phase = adaptor.Ended
		j.memory.notifyEnd(j)
	}
}

// run is the job's whole life.
func (j *job) run() {
	defer j.kill()
	out := j.followScript()
	if out != nil && j.killed.Err() == nil {
		j.withLock(func() { j.recordOutcome(out) })
		j.sendFinish(*out)
	}
	j.withLock(j.markEnded)
}

// followScript goes through queue, activation and payload; nil when the job ended
// and nobody can say how.
func (j *job) followScript() *api.Outcome {
	if !j.sleep(j.termed, j.script.Queue) {
		j.silent = true
		return &api.Outcome{Kind: api.OutcomeCanceled, Code: pilot.CanceledInQueue, Message: "canceled in the queue"}
	}
	if j.script.NeverRuns {
		return nil
	}
	j.withLock(func() { j.phase = adaptor.Running })
	if out := j.activate(); out != nil {
		return out
	}
	if j.killed.Err() != nil {
		return nil
	}
	return j.runPayload()
}

// withLock changes the job under the lock.
func (j *job) withLock(change func()) {
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	change()
}

// activate asks until somebody answers, as long as the runtime allows; nil
// when the payload may run.
func (j *job) activate() *api.Outcome {
	limit := time.Now().Add(j.spec.Description.Runtime.Duration())
	for wait := time.Second; j.killed.Err() == nil; wait = min(2*wait, 30*time.Second) {
		reply, err := j.memory.askLauncher(j.killed, &j.spec, api.Activate,
			api.AgentRequest{Nodes: []string{"memory"}, Cores: j.spec.Description.Cores, GPUs: j.spec.Description.GPUs})
		switch {
		case err == nil && reply.Refused != "":
			j.silent = true
			return &api.Outcome{Kind: api.OutcomeFailed, Code: pilot.BootstrapFailed, Message: "refused: " + reply.Refused}
		case err == nil && reply.Stop:
			return canceledOutcome(pilot.CanceledByAgent)
		case err == nil:
			j.deadline = reply.Deadline
			if j.deadline.IsZero() {
				j.deadline = time.Now().Add(j.spec.Description.Runtime.Duration())
			}
			return nil
		case j.termed.Err() != nil:
			return j.handleTerm()
		case time.Now().After(limit):
			return &api.Outcome{Kind: api.OutcomeFailed, Code: pilot.BootstrapFailed, Message: "nobody answered"}
		}
		j.sleep(j.termed, wait)
	}
	return nil
}

// runPayload runs until the payload, the deadline, or somebody ends it; nil when
// the agent died with it.
func (j *job) runPayload() *api.Outcome {
	j.withLock(func() { j.payloadRan = true })
	own, beat := time.NewTimer(j.script.Length), time.NewTimer(j.untilBeat())
	limit := time.NewTimer(time.Until(j.deadline))
	defer own.Stop()
	defer beat.Stop()
	defer limit.Stop()
	if j.script.Hold {
		own.Stop()
	}
	for {
		select {
		case <-own.C:
			return j.exitOutcome()
		case <-j.killed.Done():
			return nil
		case <-limit.C:
			j.stopPayload(pilot.DefaultGrace)
			return j.runtimeOutcome()
		case <-j.termed.Done():
			return j.handleTerm()
		case <-beat.C:
			if out := j.sendBeat(); out != nil {
				return out
			}
			limit.Reset(time.Until(j.deadline))
			beat.Reset(j.untilBeat())
		}
	}
}

// nearDeadline is how long before its deadline an agent says that it is near.
const nearDeadline = 10 * time.Second

func (j *job) nearsDeadline() bool {
	return !j.script.FixedDeadline && time.Until(j.deadline) <= nearDeadline
}

// untilBeat is the pause before the next beat; there are more near the deadline, as agents have it.
func (j *job) untilBeat() time.Duration {
	every := j.memory.config.Beat
	switch left := time.Until(j.deadline); {
	case j.script.FixedDeadline:
		return every
	case j.nearsDeadline():
		return min(every, nearDeadline/4)
	default:
		return min(every, left-nearDeadline)
	}
}

func (j *job) runtimeOutcome() *api.Outcome {
	if j.spec.Description.Executable == "" {
		return &api.Outcome{Kind: api.OutcomeDone, Code: pilot.RuntimeReached}
	}
	return &api.Outcome{Kind: api.OutcomeFailed, Code: pilot.RuntimeReached}
}

func (j *job) exitOutcome() *api.Outcome {
	code := j.script.Exit
	switch {
	case j.script.Crash:
		return nil
	case code == 0:
		return &api.Outcome{Kind: api.OutcomeDone, Code: pilot.PayloadFinished, ExitCode: &code}
	default:
		return &api.Outcome{Kind: api.OutcomeFailed, Code: pilot.PayloadFailed, ExitCode: &code, Message: "the payload failed"}
	}
}

// sendBeat is one beat; an outcome when the answer was to stop.
func (j *job) sendBeat() *api.Outcome {
	reply, err := j.memory.askLauncher(j.killed, &j.spec, api.Beat, api.AgentRequest{Near: j.nearsDeadline()})
	switch {
	case err != nil:
		return nil
	case reply.Refused != "":
		j.silent = true
		return &api.Outcome{Kind: api.OutcomeFailed, Code: pilot.AgentLost, Message: "refused: " + reply.Refused}
	case reply.Stop && reply.Force:
		return canceledOutcome(pilot.KilledAfterGrace)
	case reply.Stop:
		return j.stopPayload(time.Duration(reply.Grace))
	case reply.Moved > j.deadlineSeq && !j.script.FixedDeadline:
		j.deadlineSeq, j.deadline = reply.Moved, reply.Deadline
	}
	return nil
}

// handleTerm is what an agent does when the batch system sends TERM: it asks
// whether that was wanted.
func (j *job) handleTerm() *api.Outcome {
	if out := j.sendBeat(); out != nil {
		return out
	}
	j.stopPayload(pilot.DefaultGrace)
	return &api.Outcome{Kind: api.OutcomeFailed, Code: pilot.JobCanceledByThem, Message: "asked to end by the batch system"}
}

// stopPayload stops the payload, which takes the grace if it is deaf.
func (j *job) stopPayload(grace time.Duration) *api.Outcome {
	if !j.script.IgnoresTerm {
		return canceledOutcome(pilot.CanceledByAgent)
	}
	j.sleep(j.killed, grace)
	return canceledOutcome(pilot.KilledAfterGrace)
}

// sendFinish says finish until somebody hears it, for ten minutes.
func (j *job) sendFinish(out api.Outcome) {
	waited, wait := time.Duration(0), time.Second
	for !j.silent && waited < 10*time.Minute {
		_, err := j.memory.askLauncher(j.killed, &j.spec, api.Finish, api.AgentRequest{Outcome: &out})
		if err == nil || !j.sleep(j.killed, wait) {
			return
		}
		waited, wait = waited+wait, min(2*wait, 15*time.Second)
	}
}

// sleep waits; false when ctx ended first.
func (j *job) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func canceledOutcome(code pilot.CauseCode) *api.Outcome {
	return &api.Outcome{Kind: api.OutcomeCanceled, Code: code}
}
