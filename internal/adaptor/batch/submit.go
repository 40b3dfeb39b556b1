package batch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// Submit renders the script, puts it and the agent's assignment into the
// sandbox, and submits it there. An attempt that has a job already is given that.
func (s *System) Submit(ctx context.Context, spec *adaptor.Spec) (adaptor.SubmittedJob, error) {
	if err := ctx.Err(); err != nil {
		return adaptor.SubmittedJob{}, &adaptor.Error{Class: adaptor.NotSent, Err: err}
	}
	script, full, err := s.renderScript(ctx, spec)
	if err != nil {
		return adaptor.SubmittedJob{}, notSentError(err)
	}
	if placed, found, err := s.findByMarks(ctx, spec, script.Dir); err != nil || found {
		return placed, notSentError(err)
	}
	if err := s.stageFiles(ctx, spec, full, script); err != nil {
		return adaptor.SubmittedJob{}, notSentError(err)
	}
	c := runner.Command{Argv: script.Submit, Dir: script.Dir, LoginUmask: true} // some systems hand the umask on
	if script.Stdin {
		c.Stdin = []byte(script.Text)
	}
	r, err := s.runCommand(ctx, c)
	if err != nil {
		return adaptor.SubmittedJob{}, &adaptor.Error{Class: classifyRunError(err), Err: err, NoAnswer: true}
	}
	ref, err := s.readSubmitAnswer(script.Submit[0], r)
	if err != nil {
		return adaptor.SubmittedJob{}, err
	}
	mark := sandbox.SubmittedJob{
		ID: ref.ID, Cluster: ref.Cluster, Token: spec.Token(), Digest: script.Digest,
		Raw: clipText(string(r.Stdout), rawLimit), At: time.Now().UTC(),
	}
	if err := s.writeJobMark(ctx, spec, script.Dir, &mark); err != nil {
		s.Logger.Warn("answer to a submit not kept") // it can be found by its token
	}
	return s.submittedJob(&mark, script.Dir), nil
}

// rawLimit bounds what is kept of a submit's answer in the log.
const rawLimit = 500

// renderScript gives the script of an attempt, with its place as a real path.
func (s *System) renderScript(ctx context.Context, spec *adaptor.Spec) (*render.Script, *render.Spec, error) {
	full, err := s.resolveSpec(ctx, spec)
	if err != nil {
		return nil, nil, err
	}
	argv, env, err := s.Agent(ctx, full.AgentDir)
	if err != nil {
		return nil, nil, err
	}
	full.Agent, full.Environment = argv, maps.Clone(env)
	script, err := render.Render(s.Scripts, full)
	if err != nil {
		return nil, nil, impossibleError(err)
	}
	return script, full, nil
}

// resolveSpec fills in what the resource says, and finds the sandbox.
func (s *System) resolveSpec(ctx context.Context, spec *adaptor.Spec) (*render.Spec, error) {
	full, err := render.Spec{
		Key: spec.Key, Attempt: spec.Attempt, Token: spec.Token(), Description: spec.Description,
	}.WithConfig(s.Scripts, &spec.Config)
	if err != nil {
		return nil, impossibleError(err)
	}
	base, err := s.Runner.Expand(ctx, path.Dir(path.Dir(full.Sandbox)))
	if err != nil {
		return nil, err
	}
	full.Sandbox = path.Join(base, spec.Key.Manager, spec.Key.Pilot)
	return full, nil
}

// stageFiles puts the script and the agent's assignment where the job will find them.
func (s *System) stageFiles(ctx context.Context, spec *adaptor.Spec, full *render.Spec, script *render.Script) error {
	d := &spec.Description
	assignment, err := sandbox.Encode(&sandbox.Assignment{
		Resource: spec.Key.Resource, Manager: spec.Key.Manager, Pilot: spec.Key.Pilot,
		Attempt: spec.Attempt, Token: full.Token, Secret: spec.Secret,
		Executable: d.Executable, Arguments: d.Arguments, Environment: d.Environment,
		Runtime: api.Duration(d.Runtime), Cores: d.Cores, GPUs: d.GPUs, Sandbox: script.Dir,
		Offline: spec.Config.Agent == "none", BatchJob: true,
	})
	if err != nil {
		return err
	}
	if err := s.revokeAssignments(ctx, spec, script.Dir); err != nil {
		return err
	}
	return s.Runner.Write(ctx, sandbox.MarksPath(script.Dir),
		runner.File{Name: sandbox.MarkName(spec.Attempt, sandbox.ScriptFile), Content: []byte(script.Text), Mode: 0o700}, // Cobalt executes it
		runner.File{Name: sandbox.MarkName(spec.Attempt, sandbox.AssignmentFile), Content: assignment},
	)
}

// revokeAssignments takes their assignments away from the attempts before: a job of one of
// them that shows up late runs nothing, even if its agent can ask nobody.
func (s *System) revokeAssignments(ctx context.Context, spec *adaptor.Spec, dir string) error {
	if spec.Attempt == 1 {
		return nil
	}
	var paths []string
	for n := max(1, spec.Attempt-attemptsRevoked); n < spec.Attempt; n++ {
		paths = append(paths, sandbox.MarkPath(dir, n, sandbox.AssignmentFile))
	}
	return s.Runner.Remove(ctx, paths...)
}

// attemptsRevoked is more than follow each other without one that gets as far as this.
const attemptsRevoked = 30

func (s *System) writeJobMark(ctx context.Context, spec *adaptor.Spec, dir string, mark *sandbox.SubmittedJob) error {
	b, err := sandbox.Encode(mark)
	if err != nil {
		return err
	}
	return s.Runner.Write(ctx, sandbox.MarksPath(dir), runner.File{Name: sandbox.MarkName(spec.Attempt, sandbox.JobFile), Content: b})
}

func (s *System) submittedJob(m *sandbox.SubmittedJob, dir string) adaptor.SubmittedJob {
	return adaptor.SubmittedJob{
		Job:     pilot.Job{ID: m.ID, Cluster: m.Cluster, URL: s.URL, Digest: m.Digest, Raw: m.Raw},
		Sandbox: dir,
	}
}

// readSubmitAnswer reads the answer to a submit.
func (s *System) readSubmitAnswer(command string, r runner.Result) (Ref, error) {
	ref, class := s.Dialect.ClassifySubmit(r)
	switch {
	case class == "":
		return ref, nil
	case r.Code == 0 && r.Signal == "" && class == adaptor.Uncertain:
		return Ref{}, &adaptor.Error{
			Class: class, Err: fmt.Errorf("no job id can be read from the answer of %s: %q", command, clipText(string(r.Stdout), rawLimit)),
		}
	default:
		return Ref{}, &adaptor.Error{Class: class, Err: commandError(command, r), NoAnswer: class == adaptor.NotSent}
	}
}

// classifyRunError says what a submit without an answer means.
func classifyRunError(err error) adaptor.Class {
	var e *runner.Error
	if errors.As(err, &e) && !e.Started {
		return adaptor.NotSent
	}
	return adaptor.Uncertain
}

// notSentError says what it means that nothing was submitted yet. What is in the way of a
// login, of files and of the agent may pass, whatever code it has.
func notSentError(err error) error {
	if err == nil {
		return nil
	}
	if _, classified := errors.AsType[*adaptor.Error](err); classified {
		return err
	}
	c := adaptor.NotSent
	if pilot.CodeOf(err) == pilot.Unsupported {
		c = adaptor.Impossible
	}
	_, away := errors.AsType[*runner.Error](err)
	return &adaptor.Error{Class: c, Err: err, NoAnswer: away}
}

// impossibleError is an error of what will be as wrong at the next attempt.
func impossibleError(err error) error { return &adaptor.Error{Class: adaptor.Impossible, Err: err} }
