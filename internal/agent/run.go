package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// Config is what an agent needs besides its assignment.
type Config struct {
	Gateway  Gateway
	Logger   *zap.Logger   // nil: agent.log beside the marks
	Patience time.Duration // how long the end is reported to nobody; 0: 10 min
	// OwnProcess says that this process is the agent and nothing else. It then
	// becomes the parent of what the payload leaves behind, and so finds all
	// of it; otherwise it finds what carries its token.
	OwnProcess bool
}

// attemptRun is one agent at work; its goroutine owns it.
type attemptRun struct {
	Config
	sandbox.Assignment
	marks       sandbox.Marks
	instance    string // of this process and assignment
	log         *zap.Logger
	askedAt     time.Time        // when it first asked for leave, by our clock
	grantedAt   time.Time        // when it had it
	timeLimit   time.Duration    // how long the pilot may run, from being ACTIVE on
	deadline    time.Time        // by our clock
	deadlineSeq uint64           // position of the change whose deadline it is; 0: it is the runtime's
	childEnds   <-chan os.Signal // SIGCHLD, if we are alone
}

// Run does all that an agent does and returns when the end was reported, or
// given up. When ctx ends the agent is asked to leave, as by a batch system
// with SIGTERM: it asks its launcher whether that was wanted, stops the
// payload either way, and reports. Errors: code invalid for the assignment,
// conflict when another agent has the attempt, denied when a launcher refused,
// unavailable when nobody heard of the end.
func Run(ctx context.Context, c Config, a sandbox.Assignment) error {
	_, err := serveAssignment(ctx, c, a)
	return err
}

// serveAssignment is Run; it also says whether this process is as it was before, so that
// another assignment may follow: the payload ended by itself, its end is
// marked and acknowledged, nothing of it lives, and nobody has asked this
// process to leave.
func serveAssignment(ctx context.Context, c Config, a sandbox.Assignment) (reusable bool, err error) {
	if err := a.Complete(); err != nil {
		return false, err
	}
	r := &attemptRun{Config: c, Assignment: a, marks: sandbox.MarksOf(a.Sandbox, a.Attempt), log: c.Logger}
	if err := r.claimAttempt(); err != nil {
		return false, err
	}
	if r.log == nil {
		log, done := openLog(r.marks)
		defer done()
		r.log = log
	}
	r.log = r.log.With(zap.String("pilot", a.Pilot), zap.Int("attempt", a.Attempt))
	if c.OwnProcess {
		defer r.adoptOrphans()()
	}
	end := r.runPayload(ctx)
	if err := r.finishAttempt(ctx, &end); err != nil {
		return false, err
	}
	return end.byItself && r.OwnProcess && ctx.Err() == nil && !r.marks.StopAnnounced() && reapChildren(), nil
}

// reapChildren reaps what has ended and says whether that was all.
func reapChildren() bool {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.EINTR), pid > 0:
		default:
			return errors.Is(err, syscall.ECHILD)
		}
	}
}

// claimAttempt claims the attempt in the sandbox.
func (r *attemptRun) claimAttempt() error {
	if err := os.MkdirAll(r.marks.Dir, 0o700); err != nil {
		return err
	}
	self, err := proc.Self()
	if err != nil {
		return err
	}
	r.instance = strings.ToLower(rand.Text())
	if len(r.Nodes) == 0 {
		if name, err := os.Hostname(); err == nil {
			r.Nodes = []string{name}
		}
	}
	err = r.marks.WriteStarted(sandbox.Started{Identity: self, Serial: r.Serial, Token: r.Token, Instance: r.instance, At: time.Now().UTC()})
	if err != nil {
		return err
	}
	// Who killed an agent before it began has left a word for those to come.
	if out, err := r.marks.ReadExit(); out != nil || err != nil {
		return &pilot.Error{Code: pilot.Conflict, Op: "begin", Message: "the attempt has ended", Err: err}
	}
	return nil
}

// adoptOrphans makes this process the parent of the payload's orphans
// (PR_SET_CHILD_SUBREAPER, prctl(2)) and listens for their ends.
func (r *attemptRun) adoptOrphans() func() {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		r.OwnProcess = false
		return func() {}
	}
	ends := make(chan os.Signal, 1) // 1: a signal only says "look"
	signal.Notify(ends, syscall.SIGCHLD)
	r.childEnds = ends
	return func() { signal.Stop(ends) }
}

// runEnd is an outcome.
type runEnd struct {
	api.Outcome
	unreported bool // launchers are not to hear it from us
	byItself   bool // nobody had to end it
}

// runPayload goes from activation to the payload's end.
func (r *attemptRun) runPayload(ctx context.Context) runEnd {
	if out := r.requestActivation(ctx); out != nil {
		return *out
	}
	p, err := r.startPayload()
	if err != nil {
		r.log.Warn("payload not started", zap.Error(err))
		return runEnd{Outcome: api.Outcome{
			Kind: api.OutcomeFailed, Code: pilot.PayloadNotStarted, Message: err.Error(), EndedAt: time.Now().UTC(),
		}}
	}
	out := r.watchPayload(ctx, p)
	out.EndedAt = time.Now().UTC()
	if p.group > 0 {
		out.Stdout, out.Stderr = sandbox.ReadTail(r.Sandbox, sandbox.StdoutFile), sandbox.ReadTail(r.Sandbox, sandbox.StderrFile)
	}
	return out
}

// startPayload starts the payload; a payload without an executable is one that never
// ends.
func (r *attemptRun) startPayload() (*payload, error) {
	if r.Executable == "" {
		r.log.Info("allocation held", zap.Time("deadline", r.deadline))
		return &payload{}, nil
	}
	nodefile, err := r.ensureNodefile()
	if err != nil {
		return nil, err
	}
	c := payloadCommand{
		argv: append([]string{r.Executable}, r.Arguments...), dir: r.Sandbox,
		environ: payloadEnviron(&r.Assignment, os.Environ(), nodefile, r.marks.Path(sandbox.DeadlineFile), r.deadline),
	}
	r.writeDeadline(r.marks.CreateFile)
	if c.path, err = lookPath(r.Executable, c.environ, r.Sandbox); err != nil {
		return nil, err
	}
	p, err := c.startProcess()
	if err != nil {
		return nil, err
	}
	r.log.Debug("payload started", zap.Int("pid", p.group), zap.Time("deadline", r.deadline))
	return p, nil
}

// writeDeadline writes the present deadline for the payload. A payload that does not find it is no
// reason to stop one.
func (r *attemptRun) writeDeadline(write func(name string, content []byte) error) {
	if err := write(sandbox.DeadlineFile, []byte(formatTime(r.deadline)+"\n")); err != nil {
		r.log.Warn("deadline not written for the payload", zap.Error(err))
	}
}

// ensureNodefile gives a file that lists the nodes.
func (r *attemptRun) ensureNodefile() (string, error) {
	list := []byte(strings.Join(r.Nodes, "\n") + "\n")
	if r.Nodefile != "" {
		if found, err := os.ReadFile(r.Nodefile); err == nil && bytes.Equal(found, list) {
			return r.Nodefile, nil
		}
	}
	own := r.marks.Path(sandbox.NodesFile)
	return own, os.WriteFile(own, list, 0o600)
}

// finishAttempt leaves the exit mark and then tells the launchers, not for long once ctx has ended.
func (r *attemptRun) finishAttempt(ctx context.Context, out *runEnd) error {
	r.log.Debug("ended", zap.String("code", string(out.Code)), zap.String("message", out.Message))
	err := r.marks.WriteNew(sandbox.ExitFile, out.Outcome)
	if errors.Is(err, fs.ErrExist) { // the first counts; who else is here?
		out.byItself, err = false, nil
	}
	if err != nil {
		r.log.Error("exit mark not written", zap.Error(err))
	}
	if out.unreported {
		return errors.Join(pilot.Errorf(pilot.Denied, "%s", out.Message), err)
	}
	return errors.Join(r.reportEnd(ctx, out.Outcome), err)
}
