package launcher

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/launcher/decide"
	"github.com/flightlog/flightlog/pilot"
)

// effect is what is carried out about a pilot, and on whose behalf.
type effect struct {
	decide.Effect
	waiter  *agentWaiter     // the agent that waits for it; nil: none does
	command *events.Delivery // ack: one that another has taken the place of; nil: the one that is held
}

// result is what came of an effect. Only what is set is taken over.
type result struct {
	tracked     *tracked
	effect      effect
	attempt     int
	command     *events.Delivery // what ack and again were about
	latest      []events.Event   // what is now known to be the last of the pilot's subject
	extent      events.Extent    // of the list that was counted
	submissions []events.Event   // of it, those of this launcher's resource

	secret       string // of the attempt just claimed
	submittedJob *adaptor.SubmittedJob
	notFound     bool // Find is sure that there is no job
	submitErr    *adaptor.Error
	reachErr     error // why there is no way to the batch system; nil: there is
	err          error
}

// startEffect runs an effect beside the owner's goroutine, or queues the pilot for a slot.
func (l *Launcher) startEffect(t *tracked, o *decide.Observation, e effect) {
	if !l.takeSlot(t, laneOf(e.Act)) {
		return
	}
	command, system := t.heldCommand, t.system
	if e.command != nil {
		command = e.command
	}
	spec := adaptor.Spec{Key: t.key, Attempt: o.Attempt, SubmittedAt: o.SubmittedAt, LiveOnly: o.State.IsCanceling()}
	if o.Submission != nil && t.config != nil {
		spec.Description, spec.Config = withTrace(o.Submission.Description, o.Trace), *t.config
	}
	if e.Act == decide.ActLaunch {
		spec.Secret, t.submittingSince = t.Secret, time.Now()
	}
	go func() {
		// Not the context of Run: what is begun is finished when the process leaves.
		ctx, cancel := context.WithTimeout(context.Background(), l.lim.EffectTimeout)
		defer cancel()
		r := l.runEffect(ctx, o, e, system, command, &spec)
		r.tracked, r.effect, r.attempt, r.command = t, e, o.Attempt, command
		l.results <- r
	}()
}

// withTrace lets a payload go on with the trace its pilot was submitted under.
func withTrace(d pilot.Description, traceparent string) pilot.Description {
	const name = "TRACEPARENT" // as OpenTelemetry has it for environments
	if _, own := d.Environment[name]; traceparent == "" || own {
		return d
	}
	env := map[string]string{name: traceparent}
	maps.Copy(env, d.Environment)
	d.Environment = env
	return d
}

// runEffect carries out one effect. It runs beside the owner and touches nothing of it.
func (l *Launcher) runEffect(
	ctx context.Context, o *decide.Observation, e effect, system adaptor.Adaptor, command *events.Delivery, spec *adaptor.Spec,
) result {
	switch e.Act {
	case decide.ActAck:
		return result{err: command.Done()}
	case decide.ActRequeue:
		return result{err: command.Again(max(0, time.Until(e.At)))}
	case decide.ActRecord:
		return l.appendChange(ctx, o, &e.Change)
	case decide.ActNote:
		return l.appendNote(ctx, o, &e.Note)
	case decide.ActRefresh:
		fresh, err := l.readLatest(ctx, events.Event{Class: events.ClassChange, Key: o.Key})
		return result{latest: fresh, err: err}
	case decide.ActCount:
		return l.countList(ctx, command)
	case decide.ActLaunch:
		return l.submitJob(ctx, o, system, spec)
	case decide.ActFind, decide.ActStop, decide.ActCleanup, decide.ActReach:
		return runCommand(ctx, o, &e.Effect, system, spec)
	case decide.ActWait, decide.ActPoll: // never started
	}
	return result{}
}

// runCommand carries out an effect that the batch system alone is asked for.
func runCommand(ctx context.Context, o *decide.Observation, e *decide.Effect, system adaptor.Adaptor, spec *adaptor.Spec) result {
	switch e.Act {
	case decide.ActFind:
		submitted, ok, err := system.Find(ctx, spec)
		if err != nil || !ok {
			return result{notFound: err == nil, err: err}
		}
		return result{submittedJob: &submitted}
	case decide.ActStop:
		return result{err: system.Cancel(ctx, o.Handle, e.Stop)}
	case decide.ActCleanup:
		if c, ok := system.(adaptor.SandboxRemover); ok {
			return result{err: c.RemoveSandbox(ctx, o.Handle)}
		}
	case decide.ActReach:
		if r, ok := system.(adaptor.Reacher); ok {
			return result{reachErr: r.Reach(ctx)}
		}
	default: // not of the batch system
	}
	return result{}
}

// submitJob submits and, without a detour over the owner, records the job.
func (l *Launcher) submitJob(ctx context.Context, o *decide.Observation, system adaptor.Adaptor, spec *adaptor.Spec) result {
	if faults := l.policy.Check(0, o.Actor, &spec.Description); len(faults) > 0 {
		err := &pilot.Error{Code: pilot.Denied, Message: "not launched", FieldErrors: faults}
		l.logger.Warn("pilot against the policy", zap.String("pilot", o.Key.Pilot), zap.String("actor", o.Actor), zap.Error(err))
		return result{submitErr: &adaptor.Error{Class: adaptor.Impossible, Err: err}}
	}
	submitted, err := system.Submit(ctx, spec)
	if err != nil {
		var submitErr *adaptor.Error
		if !errors.As(err, &submitErr) {
			submitErr = &adaptor.Error{Class: adaptor.Uncertain, Err: err}
		}
		return result{submitErr: submitErr}
	}
	r := l.appendChange(ctx, o, &decide.Change{Kind: pilot.KindPendingActive, SubmittedJob: &submitted})
	r.submittedJob = &submitted
	for _, last := range r.latest {
		if attemptGivenUp(o, last.Status) { // nobody else knows of this job
			l.meter.DuplicateFenced(FencedJob)
			orphan := adaptor.Handle{Key: o.Key, Attempt: o.Attempt, Job: submitted.Job, Sandbox: submitted.Sandbox, SubmittedAt: o.SubmittedAt}
			if err := system.Cancel(ctx, orphan, adaptor.Stop{Force: true}); err != nil {
				l.logger.Error("a fenced job could not be killed", zap.String("pilot", o.Key.Pilot), zap.String("job", submitted.Job.ID), zap.Error(err))
			}
		}
	}
	return r
}

// attemptGivenUp says that the attempt was given up while its job was submitted: another one
// began, or the pilot ended, and not by this job's agent.
func attemptGivenUp(o *decide.Observation, last *pilot.Status) bool {
	return last != nil && (last.Attempt != o.Attempt || last.State.Final() && last.Instance == "")
}

// appendChange appends a change and gives back what the pilot's subject ends with.
func (l *Launcher) appendChange(ctx context.Context, o *decide.Observation, c *decide.Change) result {
	var r result
	var hash []byte
	if c.Kind == pilot.KindLaunching {
		r.secret, hash = newSecret()
	}
	e, ok := o.ChangeEvent(c, hash, time.Now())
	e.ID = newID()
	if !ok {
		return result{err: pilot.Errorf(pilot.Internal, "%s does not move a pilot that is %s", c.Kind, o.State)}
	}
	seq, err := l.log.Append(ctx, &e)
	switch {
	case err == nil:
		e.Seq = seq
		r.latest = []events.Event{e}
		l.meter.PilotMoved(&o.Pilot, &e)
		l.logger.Info("pilot moved", zap.String("manager", e.Manager), zap.String("pilot", e.Pilot),
			zap.Stringer("state", e.Status.State), zap.Uint64("seq", seq), zap.Int("attempt", e.Status.Attempt))
	case pilot.CodeOf(err) == pilot.Conflict || pilot.CodeOf(err) == pilot.Timeout:
		r.latest, r.err = l.readLatest(ctx, e)
		if len(r.latest) == 0 || r.latest[0].ID != e.ID {
			r.secret = "" // somebody else's change, not this one
		} else {
			l.meter.PilotMoved(&o.Pilot, &r.latest[0])
		}
	default:
		r.secret, r.err = "", err
	}
	return r
}

// readLatest gives the last message of e's subject.
func (l *Launcher) readLatest(ctx context.Context, e events.Event) ([]events.Event, error) {
	last, ok, err := l.log.Last(ctx, e)
	if err != nil || !ok {
		return nil, err
	}
	return []events.Event{last}, nil
}

// appendNote appends a remark; it moves nothing.
func (l *Launcher) appendNote(ctx context.Context, o *decide.Observation, n *decide.Note) result {
	e := o.NoteEvent(n, time.Now())
	e.ID = newID()
	seq, err := l.log.Append(ctx, &e)
	if err != nil {
		return result{err: err}
	}
	e.Seq = seq
	return result{latest: []events.Event{e}}
}

// newID makes the unique id of an append.
func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// newSecret makes the ticket of an attempt, and what of it goes into the log.
func newSecret() (secret string, hash []byte) {
	secret = rand.Text()
	sum := sha256.Sum256([]byte(secret))
	return secret, sum[:]
}
