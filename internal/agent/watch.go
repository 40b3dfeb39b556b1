package agent

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// stopReason is a reason to stop the payload.
type stopReason struct {
	kind       api.OutcomeKind
	code       pilot.CauseCode
	message    string
	force      bool
	grace      time.Duration
	unreported bool
}

// watchPayload waits for the payload's end, or for a reason to end it, and says how
// it ended.
func (r *attemptRun) watchPayload(ctx context.Context, p *payload) runEnd {
	asking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var beats sync.WaitGroup
	defer beats.Wait()
	defer cancel()
	limit := time.NewTimer(time.Until(r.deadline))
	defer limit.Stop()
	beat := time.NewTimer(r.nextBeatIn())
	defer beat.Stop()
	replies := make(chan api.AgentReply, 1) // 1: one beat at a time, which nobody may be waiting for
	for {
		select {
		case e := <-p.ended:
			if r.BatchJob && e.bySharedSignal() && endsWithin(ctx, sharedSignalWait) {
				p.ended <- e
				return r.stopPayload(p, r.reasonForTerm(ctx))
			}
			return exitedEnd(e)
		case <-limit.C:
			return r.stopPayload(p, r.runtimeOver("the runtime is over"))
		case <-ctx.Done():
			return r.stopPayload(p, r.reasonForTerm(ctx))
		case <-r.childEnds:
			r.reapOrphans(p)
		case <-beat.C:
			near := r.isNearEnd() // here: who asks beside us does not look at our deadline
			beats.Go(func() { replies <- r.sendBeat(asking, near) })
		case reply := <-replies:
			if o, ok := r.stopReasonIn(reply); ok {
				return r.stopPayload(p, o)
			}
			if r.applyMovedDeadline(&reply) {
				limit.Reset(time.Until(r.deadline))
			}
			beat.Reset(r.nextBeatIn())
		}
	}
}

// sharedSignalWait is how long a signal to all processes of a job may take to reach
// us, by way of the job's script, once a payload has died of it.
const sharedSignalWait = 2 * time.Second

// bySharedSignal says whether a payload ended by, or as those do that handle it, a signal
// that batch systems send to all processes of a job: what the script of package render
// listens for. Grid Engine's qdel has been seen to end payloads by its warning before
// their agents knew.
func (e processExit) bySharedSignal() bool {
	s := e.signal
	if s == 0 {
		s = syscall.Signal(e.code - 128) // what shells make of one
	}
	switch s {
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGXCPU:
		return true
	default:
		return false
	}
}

// endsWithin says whether ctx ends within d.
func endsWithin(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return true
	case <-t.C:
		return false
	}
}

// sendBeat says that we are there. Nobody answers: go on.
func (r *attemptRun) sendBeat(ctx context.Context, near bool) api.AgentReply {
	reply, err := r.askLauncher(ctx, api.Beat, api.AgentRequest{Near: near}, askTimeout)
	if err != nil {
		r.log.Warn("beat not heard", zap.Error(err))
		return api.AgentReply{}
	}
	return reply
}

// stopReasonIn reads the answer to a beat; true: stop.
func (r *attemptRun) stopReasonIn(reply api.AgentReply) (stopReason, bool) {
	switch {
	case reply.Refused != "":
		return stopReason{
			kind: api.OutcomeFailed, code: pilot.AgentLost, message: "refused: " + reply.Refused,
			grace: time.Duration(r.Grace), unreported: true,
		}, true
	case reply.Stop:
		return stopReason{
			kind: api.OutcomeCanceled, code: pilot.CanceledByAgent, message: "told to stop",
			force: reply.Force, grace: time.Duration(reply.Grace),
		}, true
	default:
		return stopReason{}, false
	}
}

// reasonForTerm asks whether the TERM we got was a cancel. If nobody says so, it came
// from elsewhere.
func (r *attemptRun) reasonForTerm(ctx context.Context) stopReason {
	reply, err := r.askLauncher(context.WithoutCancel(ctx), api.Beat, api.AgentRequest{}, termTimeout)
	if err == nil {
		if o, ok := r.stopReasonIn(reply); ok {
			return o
		}
		r.applyMovedDeadline(&reply)
	}
	if r.atTimeLimit() {
		return r.runtimeOver("the batch system's time limit is reached")
	}
	return stopReason{
		kind: api.OutcomeFailed, code: pilot.JobCanceledByThem,
		message: "asked to end by a signal, and not by its launcher", grace: time.Duration(r.Grace),
	}
}

// runtimeOver is the order to stop because the runtime is over. A payload that has to be
// told has not done what was asked, whatever it exits with then; an allocation that was
// only to be held was.
func (r *attemptRun) runtimeOver(message string) stopReason {
	o := stopReason{kind: api.OutcomeFailed, code: pilot.RuntimeReached, message: message, grace: time.Duration(r.Grace)}
	if r.Executable == "" {
		o.kind = api.OutcomeDone
	}
	return o
}

// How long before its time limit a batch system may send the warning that
// package render asks for: of SLURM's 60 s, which may come 60 s earlier
// (sbatch(1), --signal), for jobs of at least five minutes. Others get their TERM
// when the limit, of the same length as the runtime or what it was changed to, is reached.
const (
	minRuntimeForWarning = 5 * time.Minute
	warningLead          = 2 * time.Minute
)

// atTimeLimit says whether a batch system's own TERM is that of its time limit,
// which is counted from the beginning of the script.
func (r *attemptRun) atTimeLimit() bool {
	if !r.BatchJob {
		return false
	}
	script, err := r.marks.ReadBootstrap()
	if script == nil || err != nil {
		return false
	}
	limit := r.timeLimit
	if limit == 0 { // it has no leave yet
		limit = time.Duration(r.Runtime)
	}
	if time.Duration(r.Runtime) >= minRuntimeForWarning { // the wish for a warning stays if the limit is changed
		limit -= warningLead
	}
	return time.Since(script.At) >= limit
}

// stopPayload ends the payload and all it left behind.
func (r *attemptRun) stopPayload(p *payload, o stopReason) runEnd {
	r.log.Info("stopping", zap.String("code", string(o.code)), zap.Duration("grace", o.grace), zap.Bool("force", o.force))
	out := runEnd{unreported: o.unreported, Outcome: api.Outcome{Kind: o.kind, Code: o.code, Message: o.message}}
	if p.group == 0 {
		return out
	}
	e, killed := p.stopGroup(o)
	r.killLeftovers(p)
	out.Message += "; payload: " + e.String()
	if killed && o.kind == api.OutcomeCanceled {
		out.Code = pilot.KilledAfterGrace
	}
	e.fillOutcome(&out.Outcome)
	return out
}

// killTimeout is how long a killed payload may take to be gone; one that hangs
// in a dead file system is reported anyway.
const killTimeout = 10 * time.Second

// stopGroup asks, and after the grace kills; it says whether it had to kill.
func (p *payload) stopGroup(o stopReason) (e processExit, killed bool) {
	if !o.force {
		p.signalGroup(syscall.SIGTERM, syscall.SIGCONT) // a stopped process takes no TERM
		grace := time.NewTimer(o.grace)
		defer grace.Stop()
		select {
		case e := <-p.ended:
			return e, false
		case <-grace.C:
		}
	}
	p.signalGroup(syscall.SIGKILL)
	gone := time.NewTimer(killTimeout)
	defer gone.Stop()
	select {
	case e := <-p.ended:
		return e, true
	case <-gone.C:
		return processExit{code: -1}, true
	}
}

// reapOrphans waits for orphans that have ended; it takes no time.
func (r *attemptRun) reapOrphans(p *payload) {
	if !r.OwnProcess {
		return
	}
	for _, pid := range proc.ChildrenOf(os.Getpid()) {
		if pid != p.group {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil) // not ended yet: next time
		}
	}
}

// killLeftovers kills what left the payload's group, until there is none. New ones may
// be forked while we look, hence the rounds; each gives the killed a moment.
func (r *attemptRun) killLeftovers(p *payload) {
	for range 100 {
		r.reapOrphans(p)
		left := r.findLeftovers()
		if len(left) == 0 {
			return
		}
		for _, stray := range left {
			_ = proc.Kill(stray) // it has ended: nothing to do
		}
		time.Sleep(2 * time.Millisecond)
	}
	r.log.Error("something of the payload cannot be killed", zap.Int("processes", len(r.findLeftovers())))
}

func (r *attemptRun) findLeftovers() []proc.Identity {
	if !r.OwnProcess {
		return proc.FindLeftBehind(proc.ScanProcesses(sandbox.TokenVariable), proc.Identity{}, r.Token)
	}
	return proc.LiveIdentities(proc.DescendantsOf(os.Getpid()))
}

// exitedEnd is the outcome of a payload that ended by itself.
func exitedEnd(e processExit) runEnd {
	out := api.Outcome{Kind: api.OutcomeFailed, Code: pilot.PayloadFailed, Message: "payload: " + e.String()}
	if e.signal == 0 && e.code == 0 {
		out = api.Outcome{Kind: api.OutcomeDone, Code: pilot.PayloadFinished}
	}
	e.fillOutcome(&out)
	return runEnd{Outcome: out, byItself: true}
}

// fillOutcome notes an exit in an outcome; one that nobody knows is left out.
func (e processExit) fillOutcome(out *api.Outcome) {
	out.Signal = int(e.signal)
	if e.signal == 0 && e.code >= 0 {
		out.ExitCode = &e.code
	}
}
