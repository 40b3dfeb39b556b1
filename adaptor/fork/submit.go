package fork

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/agent"
	"github.com/flightlog/flightlog/agent/proc"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// record is the job record: which process got the attempt. It is written
// before that process learns of it.
type record struct {
	proc.Identity
	Host  string    `json:"host"`
	Token string    `json:"token"`
	URL   string    `json:"url"`
	At    time.Time `json:"at"`
}

const recordMark = "job"

// jobID is the native id: unique on one boot of one host.
func jobID(id proc.Identity) string {
	return strconv.Itoa(id.PID) + "." + strconv.FormatUint(id.Start, 10)
}

func (r *record) placed(sandbox string) adaptor.Placed {
	return adaptor.Placed{
		Job:     pilot.Job{ID: jobID(r.Identity), URL: r.URL, Host: r.Host, Boot: r.Boot},
		Sandbox: sandbox,
	}
}

// errDead says that an agent died before it had its assignment.
var errDead = errors.New("the agent died before it had its assignment")

// Submit gives the attempt to an agent, or gives the job that has it.
func (s *System) Submit(ctx context.Context, spec *adaptor.Spec) (adaptor.Placed, error) {
	if err := ctx.Err(); err != nil {
		return adaptor.Placed{}, &adaptor.Error{Class: adaptor.NotSent, Err: err}
	}
	sandbox, err := s.makeSandbox(spec)
	if err != nil {
		return adaptor.Placed{}, classify(err)
	}
	for range 2 { // a warm agent may have died since: then a fresh one
		placed, found, err := s.findIn(ctx, sandbox, spec.Key, spec.Attempt)
		if err != nil {
			return adaptor.Placed{}, &adaptor.Error{Class: adaptor.Uncertain, Err: err}
		}
		if found {
			return placed, nil
		}
		placed, err = s.launch(ctx, spec, sandbox)
		if err == nil || !errors.Is(err, errDead) {
			return placed, classify(err)
		}
	}
	return adaptor.Placed{}, &adaptor.Error{Class: adaptor.NotSent, Err: errDead}
}

// launch writes the record and then hands over the assignment.
func (s *System) launch(ctx context.Context, spec *adaptor.Spec, sandbox string) (adaptor.Placed, error) {
	token := adaptor.Token(spec.Key, spec.Attempt)
	message, err := json.Marshal(s.assignment(spec, token, sandbox))
	if err != nil {
		return adaptor.Placed{}, err
	}
	c, err := s.take()
	if err != nil {
		return adaptor.Placed{}, err
	}
	defer func() { _ = c.stdin.Close() }()
	r := record{Identity: c.Identity, Host: s.host, Token: token, URL: spec.Config.JobManagerEndpoint, At: time.Now().UTC()}
	// Replace: findIn has seen that whoever has a record here never began.
	if err := agent.MarksOf(sandbox, spec.Attempt).Replace(recordMark, r); err != nil {
		return adaptor.Placed{}, err
	}
	s.employ(c, spec.Key)
	if err := send(ctx, c.stdin, message); err != nil {
		_ = c.Signal(syscall.SIGKILL) // it has not all of its assignment: it has not begun
		if errors.Is(err, syscall.EPIPE) {
			return adaptor.Placed{}, errDead
		}
		return adaptor.Placed{}, err
	}
	return r.placed(sandbox), nil
}

func (s *System) assignment(spec *adaptor.Spec, token, sandbox string) *agent.Assignment {
	d := &spec.Description
	return &agent.Assignment{
		Resource: spec.Key.Resource, Manager: spec.Key.Manager, Pilot: spec.Key.Pilot,
		Attempt: spec.Attempt, Token: token, Secret: spec.Secret,
		Executable: d.Executable, Arguments: d.Arguments, Environment: d.Environment,
		Runtime: api.Duration(d.Runtime), Cores: d.Cores, GPUs: d.GPUs, Nodes: []string{s.host},
		Sandbox: sandbox, Beat: api.Duration(s.config.Beat),
	}
}

// send writes all of a message, or says why not; a pipe takes 64 KiB at once,
// for more the agent must read.
func send(ctx context.Context, pipe *os.File, message []byte) error {
	stop := context.AfterFunc(ctx, func() { _ = pipe.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := pipe.Write(message)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// classify says what may be done about a submit that did not happen.
func classify(err error) error {
	if err == nil {
		return nil
	}
	class := adaptor.NotSent
	switch {
	case is(err, syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.ENOSPC, syscall.EDQUOT):
		class = adaptor.Throttled
	case pilot.CodeOf(err) == pilot.Invalid,
		is(err, fs.ErrNotExist, fs.ErrPermission, syscall.ENOEXEC, syscall.ENOTDIR, syscall.ELOOP, syscall.EROFS, syscall.ENAMETOOLONG, syscall.E2BIG):
		class = adaptor.Rejected
	}
	return &adaptor.Error{Class: class, Err: err}
}

func is(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
