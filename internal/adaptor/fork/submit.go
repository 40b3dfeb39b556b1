package fork

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// recordPlace is the place of a job's processes.
func recordPlace(r *sandbox.ForkedJob) place { return placeOf(r.Host, r.Boot, r.Space) }

// jobID is the native id: unique on one boot of one host.
func jobID(id proc.Identity, serial int) string {
	text := strconv.Itoa(id.PID) + "." + strconv.FormatUint(id.Start, 10)
	if serial > 0 { // 0: of a version whose agents served one job each
		text += "." + strconv.Itoa(serial)
	}
	return text
}

func submittedJob(r *sandbox.ForkedJob, dir string) adaptor.SubmittedJob {
	return adaptor.SubmittedJob{
		Job:     pilot.Job{ID: jobID(r.Identity, r.Serial), URL: r.URL, Host: r.Host, Boot: r.Boot, Space: r.Space},
		Sandbox: dir,
	}
}

// errAgentDied says that an agent died before it had its assignment.
var errAgentDied = errors.New("the agent died before it had its assignment")

// Submit gives the attempt to an agent, or gives the job that has it.
func (s *System) Submit(ctx context.Context, spec *adaptor.Spec) (submitted adaptor.SubmittedJob, err error) {
	defer s.observeCall("submit", &err)()
	if err := ctx.Err(); err != nil {
		return adaptor.SubmittedJob{}, &adaptor.Error{Class: adaptor.NotSent, Err: err}
	}
	dir, err := s.makeSandbox(spec)
	if err != nil {
		return adaptor.SubmittedJob{}, submitError(err)
	}
	for range 2 { // a warm agent may have died since: then a fresh one
		had, found, err := s.findIn(ctx, dir, spec.Key, spec.Attempt)
		if err != nil {
			return adaptor.SubmittedJob{}, &adaptor.Error{Class: adaptor.Uncertain, Err: err}
		}
		if found {
			return had, nil
		}
		submitted, err := s.launchJob(ctx, spec, dir)
		if err == nil || !errors.Is(err, errAgentDied) {
			return submitted, submitError(err)
		}
	}
	return adaptor.SubmittedJob{}, &adaptor.Error{Class: adaptor.NotSent, Err: errAgentDied}
}

// launchJob writes the record and then hands over the assignment.
func (s *System) launchJob(ctx context.Context, spec *adaptor.Spec, dir string) (adaptor.SubmittedJob, error) {
	c, err := s.takeAgent(ctx)
	if err != nil {
		return adaptor.SubmittedJob{}, err
	}
	r := sandbox.ForkedJob{
		Identity: c.Identity, Serial: c.serial + 1, Host: s.place.hostText(), Space: s.place.space, Token: spec.Token(),
		URL: spec.Config.JobManagerEndpoint, At: time.Now().UTC(),
	}
	message, err := json.Marshal(s.newAssignment(spec, &r, dir))
	if err == nil {
		// Findings say that whoever has a record here never began.
		err = sandbox.MarksOf(dir, spec.Attempt).WriteForkedJob(&r)
	}
	if err != nil {
		s.giveBack(c)
		return adaptor.SubmittedJob{}, err
	}
	if !s.assignJob(c, r.Serial, spec.Key) {
		return adaptor.SubmittedJob{}, errAgentDied
	}
	if err := writeAssignment(ctx, c.stdin, message); err != nil {
		_ = c.Signal(syscall.SIGKILL) // it has not all of its assignment: it has not begun
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
			return adaptor.SubmittedJob{}, errAgentDied
		}
		return adaptor.SubmittedJob{}, err
	}
	return submittedJob(&r, dir), nil
}

func (s *System) newAssignment(spec *adaptor.Spec, r *sandbox.ForkedJob, dir string) *sandbox.Assignment {
	d := &spec.Description
	cores, gpus := grantResources(d)
	return &sandbox.Assignment{
		Resource: spec.Key.Resource, Manager: spec.Key.Manager, Pilot: spec.Key.Pilot,
		Attempt: spec.Attempt, Serial: r.Serial, Token: r.Token, Secret: spec.Secret,
		Executable: d.Executable, Arguments: d.Arguments, Environment: d.Environment,
		Runtime: api.Duration(d.Runtime), Cores: cores, GPUs: gpus, Nodes: []string{s.hostname}, Nodefile: s.nodefile,
		Sandbox: dir, Beat: api.Duration(s.config.Beat),
	}
}

// writeAssignment writes all of a message, or says why not; a pipe takes 64 KiB at once,
// for more the agent must read.
func writeAssignment(ctx context.Context, pipe *os.File, message []byte) error {
	stop := context.AfterFunc(ctx, func() { _ = pipe.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := pipe.Write(message)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// submitError says what may be done about a submit that did not happen. What the machine
// lacks, and what is missing or closed on it, may be mended: an agent that is being
// replaced, a directory that is not mounted yet, a full disk.
func submitError(err error) error {
	if err == nil {
		return nil
	}
	class := adaptor.NotSent
	switch {
	case isAny(err, syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE):
		class = adaptor.Throttled
	case pilot.CodeOf(err) == pilot.Invalid, isAny(err, syscall.ENAMETOOLONG):
		class = adaptor.Impossible
	}
	return &adaptor.Error{Class: class, Err: err}
}

func isAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
