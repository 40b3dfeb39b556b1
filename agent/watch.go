package agent

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/agent/proc"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// order is a reason to stop the payload.
type order struct {
	kind    api.OutcomeKind
	code    pilot.CauseCode
	message string
	force   bool
	grace   time.Duration
	mute    bool
}

// watch waits for the payload's end, or for a reason to end it, and says how
// it ended.
func (r *run) watch(ctx context.Context, p *payload) end {
	asking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var beats sync.WaitGroup
	defer beats.Wait()
	defer cancel()
	limit := time.NewTimer(time.Until(r.deadline))
	defer limit.Stop()
	beat := time.NewTimer(r.untilBeat())
	defer beat.Stop()
	replies := make(chan api.AgentReply, 1) // 1: one beat at a time, which nobody may be waiting for
	for {
		select {
		case e := <-p.ended:
			if r.Job && e.heardByAll() && within(ctx, sharedSignal) {
				p.ended <- e
				return r.stop(p, r.termed(ctx))
			}
			return exited(e)
		case <-limit.C:
			return r.stop(p, r.timeOver("the runtime is over"))
		case <-ctx.Done():
			return r.stop(p, r.termed(ctx))
		case <-r.orphans:
			r.reap(p)
		case <-beat.C:
			near := r.near() // here: who asks beside us does not look at our deadline
			beats.Go(func() { replies <- r.beat(asking, near) })
		case reply := <-replies:
			if o, ok := r.told(reply); ok {
				return r.stop(p, o)
			}
			if r.heed(&reply) {
				limit.Reset(time.Until(r.deadline))
			}
			beat.Reset(r.untilBeat())
		}
	}
}

// sharedSignal is how long a signal to all processes of a job may take to reach
// us, by way of the job's script, once a payload has died of it.
const sharedSignal = 2 * time.Second

// heardByAll says whether a payload ended by, or as those do that handle it, a signal
// that batch systems send to all processes of a job: what the script of package render
// listens for. Grid Engine's qdel has been seen to end payloads by its warning before
// their agents knew.
func (e exit) heardByAll() bool {
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

// within says whether ctx ends within d.
func within(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return true
	case <-t.C:
		return false
	}
}

// beat says that we are there. Nobody answers: go on.
func (r *run) beat(ctx context.Context, near bool) api.AgentReply {
	reply, err := r.ask(ctx, api.Beat, api.AgentRequest{Near: near}, askTimeout)
	if err != nil {
		r.log.Warn("beat not heard", zap.Error(err))
		return api.AgentReply{}
	}
	return reply
}

// told reads the answer to a beat; true: stop.
func (r *run) told(reply api.AgentReply) (order, bool) {
	switch {
	case reply.Refused != "":
		return order{
			kind: api.OutcomeFailed, code: pilot.AgentLost, message: "refused: " + reply.Refused,
			grace: time.Duration(r.Grace), mute: true,
		}, true
	case reply.Stop:
		return order{
			kind: api.OutcomeCanceled, code: pilot.CanceledByAgent, message: "told to stop",
			force: reply.Force, grace: time.Duration(reply.Grace),
		}, true
	default:
		return order{}, false
	}
}

// termed asks whether the TERM we got was a cancel. If nobody says so, it came
// from elsewhere.
func (r *run) termed(ctx context.Context) order {
	reply, err := r.ask(context.WithoutCancel(ctx), api.Beat, api.AgentRequest{}, termedTimeout)
	if err == nil {
		if o, ok := r.told(reply); ok {
			return o
		}
		r.heed(&reply)
	}
	if r.timeIsUp() {
		return r.timeOver("the batch system's time limit is reached")
	}
	return order{
		kind: api.OutcomeFailed, code: pilot.JobCanceledByThem,
		message: "asked to end by a signal, and not by its launcher", grace: time.Duration(r.Grace),
	}
}

// timeOver is the order to stop because the runtime is over. A payload that has to be
// told has not done what was asked, whatever it exits with then; an allocation that was
// only to be held was.
func (r *run) timeOver(message string) order {
	o := order{kind: api.OutcomeFailed, code: pilot.RuntimeReached, message: message, grace: time.Duration(r.Grace)}
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
	warnedAfter = 5 * time.Minute
	warnedEarly = 2 * time.Minute
)

// timeIsUp says whether a batch system's own TERM is that of its time limit,
// which is counted from the beginning of the script.
func (r *run) timeIsUp() bool {
	var script struct {
		At time.Time `json:"at"`
	}
	if !r.Job {
		return false
	}
	if ok, err := r.marks.Read("bootstrap", &script); !ok || err != nil {
		return false
	}
	limit := r.whole
	if limit == 0 { // it has no leave yet
		limit = time.Duration(r.Runtime)
	}
	if time.Duration(r.Runtime) >= warnedAfter { // the wish for a warning stays if the limit is changed
		limit -= warnedEarly
	}
	return time.Since(script.At) >= limit
}

// stop ends the payload and all it left behind.
func (r *run) stop(p *payload, o order) end {
	r.log.Info("stopping", zap.String("code", string(o.code)), zap.Duration("grace", o.grace), zap.Bool("force", o.force))
	out := end{mute: o.mute, Outcome: api.Outcome{Kind: o.kind, Code: o.code, Message: o.message}}
	if p.group == 0 {
		return out
	}
	e, killed := p.stop(o)
	r.sweep(p)
	out.Message += "; payload: " + e.String()
	if killed && o.kind == api.OutcomeCanceled {
		out.Code = pilot.KilledAfterGrace
	}
	e.into(&out.Outcome)
	return out
}

// killPatience is how long a killed payload may take to be gone; one that hangs
// in a dead file system is reported anyway.
const killPatience = 10 * time.Second

// stop asks, and after the grace kills; it says whether it had to kill.
func (p *payload) stop(o order) (e exit, killed bool) {
	if !o.force {
		p.signal(syscall.SIGTERM, syscall.SIGCONT) // a stopped process takes no TERM
		grace := time.NewTimer(o.grace)
		defer grace.Stop()
		select {
		case e := <-p.ended:
			return e, false
		case <-grace.C:
		}
	}
	p.signal(syscall.SIGKILL)
	gone := time.NewTimer(killPatience)
	defer gone.Stop()
	select {
	case e := <-p.ended:
		return e, true
	case <-gone.C:
		return exit{code: -1}, true
	}
}

// reap waits for orphans that have ended; it takes no time.
func (r *run) reap(p *payload) {
	if !r.Alone {
		return
	}
	for _, pid := range proc.Children(os.Getpid()) {
		if pid != p.group {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil) // not ended yet: next time
		}
	}
}

// sweep kills what left the payload's group, until there is none. New ones may
// be forked while we look, hence the rounds; each gives the killed a moment.
func (r *run) sweep(p *payload) {
	for range 100 {
		r.reap(p)
		left := r.strays()
		if len(left) == 0 {
			return
		}
		for _, stray := range left {
			_ = proc.Kill(stray) // it has ended: nothing to do
		}
		time.Sleep(2 * time.Millisecond)
	}
	r.log.Error("something of the payload cannot be killed", zap.Int("processes", len(r.strays())))
}

func (r *run) strays() []proc.Identity {
	if !r.Alone {
		return proc.Left(proc.Scan(TokenVariable), proc.Identity{}, r.Token)
	}
	return proc.Living(proc.Descendants(os.Getpid()))
}

// exited is the outcome of a payload that ended by itself.
func exited(e exit) end {
	out := api.Outcome{Kind: api.OutcomeFailed, Code: pilot.PayloadFailed, Message: "payload: " + e.String()}
	if e.signal == 0 && e.code == 0 {
		out = api.Outcome{Kind: api.OutcomeDone, Code: pilot.PayloadFinished}
	}
	e.into(&out)
	return end{Outcome: out, natural: true}
}

// into notes an exit in an outcome; one that nobody knows is left out.
func (e exit) into(out *api.Outcome) {
	out.Signal = int(e.signal)
	if e.signal == 0 && e.code >= 0 {
		out.ExitCode = &e.code
	}
}
