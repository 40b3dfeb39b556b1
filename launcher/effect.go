package launcher

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// result is what came of an effect. Only what is set is taken over.
type result struct {
	track   *track
	effect  effect
	attempt int
	held    *events.Delivery // what ack and again were about
	fresh   []events.Event   // what is now known to be the last of the pilot's subject
	extent  events.Extent    // of the list that was counted
	births  []events.Event   // of it, those of this launcher's resource

	secret  string // of the attempt just claimed
	placed  *adaptor.Placed
	none    bool // Find is sure that there is no job
	refusal *adaptor.Error
	away    error // why there is no way to the batch system; nil: there is
	err     error
}

// start runs an effect beside the owner's goroutine, or queues the pilot for a slot.
func (l *Launcher) start(t *track, s *sight, e effect) {
	if !l.takeSlot(t, e.Act.lane()) {
		return
	}
	held, system := t.held, t.system
	if e.command != nil {
		held = e.command
	}
	spec := adaptor.Spec{Key: t.key, Attempt: s.Attempt, Born: s.SubmittedAt, Ending: s.State.Leaving()}
	if s.Birth != nil && t.config != nil {
		spec.Description, spec.Config = traced(s.Birth.Description, s.Trace), *t.config
	}
	if e.Act == launch {
		spec.Secret, t.sentAt = t.secret, time.Now()
	}
	go func() {
		// Not the context of Run: what is begun is finished when the process leaves.
		ctx, cancel := context.WithTimeout(context.Background(), l.lim.Effect)
		defer cancel()
		r := l.do(ctx, s, e, system, held, &spec)
		r.track, r.effect, r.attempt, r.held = t, e, s.Attempt, held
		l.results <- r
	}()
}

// traced lets a payload go on with the trace its pilot was submitted under.
func traced(d pilot.Description, traceparent string) pilot.Description {
	const name = "TRACEPARENT" // as OpenTelemetry has it for environments
	if _, own := d.Environment[name]; traceparent == "" || own {
		return d
	}
	env := map[string]string{name: traceparent}
	maps.Copy(env, d.Environment)
	d.Environment = env
	return d
}

// do carries out one effect. It runs beside the owner and touches nothing of it.
func (l *Launcher) do(
	ctx context.Context, s *sight, e effect, system adaptor.Adaptor, held *events.Delivery, spec *adaptor.Spec,
) result {
	switch e.Act {
	case ack:
		return result{err: held.Done()}
	case again:
		return result{err: held.Again(max(0, time.Until(e.At)))}
	case record:
		return l.record(ctx, s, e.Change)
	case find:
		placed, ok, err := system.Find(ctx, spec)
		if err != nil || !ok {
			return result{none: err == nil, err: err}
		}
		return result{placed: &placed}
	case launch:
		return l.launch(ctx, s, system, spec)
	case stop:
		return result{err: system.Cancel(ctx, s.Handle, e.Stop)}
	case cleanup:
		c, ok := system.(adaptor.Cleaner)
		if !ok {
			return result{}
		}
		return result{err: c.Cleanup(ctx, s.Handle)}
	case note:
		return l.note(ctx, s, e.Note)
	case refresh:
		fresh, err := l.reread(ctx, events.Event{Class: events.Change, Key: s.Key})
		return result{fresh: fresh, err: err}
	case count:
		return l.countList(ctx, held)
	case reach:
		if r, ok := system.(adaptor.Reacher); ok {
			return result{away: r.Reach(ctx)}
		}
	case wait, poll: // never started
	}
	return result{}
}

// launch submits and, without a detour over the owner, records the job.
func (l *Launcher) launch(ctx context.Context, s *sight, system adaptor.Adaptor, spec *adaptor.Spec) result {
	if faults := l.policy.Check(0, s.Actor, &spec.Description); len(faults) > 0 {
		err := &pilot.Error{Code: pilot.Denied, Message: "not launched", Faults: faults}
		l.logger.Warn("pilot against the policy", zap.String("pilot", s.Key.Pilot), zap.String("actor", s.Actor), zap.Error(err))
		return result{refusal: &adaptor.Error{Class: adaptor.Impossible, Err: err}}
	}
	placed, err := system.Submit(ctx, spec)
	if err != nil {
		var refusal *adaptor.Error
		if !errors.As(err, &refusal) {
			refusal = &adaptor.Error{Class: adaptor.Uncertain, Err: err}
		}
		return result{refusal: refusal}
	}
	r := l.record(ctx, s, change{Kind: pilot.Queued, Placed: &placed})
	r.placed = &placed
	for _, last := range r.fresh {
		if fenced(s, last.Status) { // nobody else knows of this job
			l.meter.Fenced(FencedJob)
			orphan := adaptor.Handle{Key: s.Key, Attempt: s.Attempt, Job: placed.Job, Sandbox: placed.Sandbox, Born: s.SubmittedAt}
			if err := system.Cancel(ctx, orphan, adaptor.Stop{Force: true}); err != nil {
				l.logger.Error("a fenced job could not be killed", zap.String("pilot", s.Key.Pilot), zap.String("job", placed.Job.ID), zap.Error(err))
			}
		}
	}
	return r
}

// fenced says that the attempt was given up while its job was submitted: another one
// began, or the pilot ended, and not by this job's agent.
func fenced(s *sight, last *pilot.Status) bool {
	return last != nil && (last.Attempt != s.Attempt || last.State.Final() && last.Instance == "")
}

// record appends a change and gives back what the pilot's subject ends with.
func (l *Launcher) record(ctx context.Context, s *sight, c change) result {
	var r result
	e, ok := l.event(s, c, &r)
	if !ok {
		return result{err: pilot.Errorf(pilot.Internal, "%s does not move a pilot that is %s", c.Kind, s.State)}
	}
	seq, err := l.log.Append(ctx, &e)
	switch {
	case err == nil:
		e.Seq = seq
		r.fresh = []events.Event{e}
		l.meter.Moved(&s.Pilot, &e)
		l.logger.Info("pilot moved", zap.String("manager", e.Manager), zap.String("pilot", e.Pilot),
			zap.Stringer("state", e.Status.State), zap.Uint64("seq", seq), zap.Int("attempt", e.Status.Attempt))
	case pilot.CodeOf(err) == pilot.Conflict || pilot.CodeOf(err) == pilot.Timeout:
		r.fresh, r.err = l.reread(ctx, e)
		if len(r.fresh) == 0 || r.fresh[0].ID != e.ID {
			r.secret = "" // somebody else's change, not this one
		} else {
			l.meter.Moved(&s.Pilot, &r.fresh[0])
		}
	default:
		r.secret, r.err = "", err
	}
	return r
}

// reread gives the last message of e's subject.
func (l *Launcher) reread(ctx context.Context, e events.Event) ([]events.Event, error) {
	last, ok, err := l.log.Last(ctx, e)
	if err != nil || !ok {
		return nil, err
	}
	return []events.Event{last}, nil
}

// note appends a remark; it moves nothing.
func (l *Launcher) note(ctx context.Context, s *sight, n remark) result {
	e := events.Event{
		ID: newID(), Class: events.Remark, Key: s.Key, Kind: n.Kind, At: time.Now(), Actor: l.id,
		Remark: &events.Note{Text: n.Text, Phase: s.Note.Phase, Native: s.Note.Native, Health: n.Health, Limit: s.firstLimit()},
	}
	if n.Seen {
		e.Remark.Phase, e.Remark.Native = string(s.Poll.Phase), s.native()
	}
	seq, err := l.log.Append(ctx, &e)
	if err != nil {
		return result{err: err}
	}
	e.Seq = seq
	return result{fresh: []events.Event{e}}
}

// settleEffect takes over what an effect brought and looks at the pilot again.
func (l *Launcher) settleEffect(r result) {
	t, way := r.track, r.effect.Act.lane()
	t.busy[way] = false
	l.traffic[way].under--
	if r.effect.Act == launch {
		t.sentAt = time.Time{}
	}
	for i := range r.fresh {
		l.view.Apply(&r.fresh[i])
	}
	if r.effect.Act == count {
		l.counted(&r)
	}
	now := time.Now()
	if r.secret != "" {
		t.about(r.attempt + 1)
		t.secret = r.secret
	} else if r.attempt == t.attempt {
		t.take(&r, now)
	}
	t.heard(&r)
	if answers, known := r.systemAnswers(); known {
		l.takeAnswer(t.system, answers, now)
	}
	if r.err != nil {
		l.logger.Warn("effect failed", zap.String("pilot", t.key.Pilot), zap.Stringer("act", r.effect.Act), zap.Error(r.err))
		t.wake = now.Add(t.retryIn(&r))
	} else {
		if r.effect.Act == find {
			t.unasked, t.silent = 0, 0
		}
		l.look(t)
	}
	l.next(way)
}

// retryEffect is the pause after an effect that could not be carried out, and
// longestRetry that after many a look for a job: a system that is ill is not to be
// asked by each pilot at every second.
const (
	retryEffect  = time.Second
	longestRetry = time.Minute
)

// retryIn is the pause after an effect that has failed.
func (t *track) retryIn(r *result) time.Duration {
	if r.effect.Act != find {
		return retryEffect
	}
	t.silent++
	t.unasked++
	return min(retryEffect<<min(t.unasked-1, 6), longestRetry)
}

// take keeps what an effect told about the present attempt.
func (t *track) take(r *result, now time.Time) {
	if r.placed != nil {
		t.placed = r.placed
	}
	if r.none {
		t.soughtAt = now
	}
	if r.refusal != nil {
		t.refusal, t.refusedAt, t.soughtAt = r.refusal, now, time.Time{}
	}
	switch r.effect.Act {
	case stop:
		t.stopSent, t.stoppedAt, t.stopFails = asked, now, r.err != nil
		if r.effect.Stop.Force {
			t.stopSent = forced
		}
	case cleanup:
		if r.err != nil {
			t.cleanups++
		}
		t.cleaned = r.err == nil || t.cleanups == cleanupTries
	case note:
		if r.effect.Note.Kind == events.Health && r.err == nil {
			t.told = r.effect.Note.Since
		}
	case reach:
		t.reachedOut(r.away, now)
	case again:
		t.unreached()
	case ack, wait, record, find, launch, poll, refresh, count:
	}
}

// cleanupTries is how often a sandbox that cannot be removed is tried.
const cleanupTries = 10

// heard lets go of a command that was handed on, and tells the agents' asks
// what the effect on their behalf came to. A command whose ack did not arrive
// comes again; one that came meanwhile is another delivery.
func (t *track) heard(r *result) {
	if r.effect.Act == ack || r.effect.Act == again {
		t.stale = slices.DeleteFunc(t.stale, func(d *events.Delivery) bool { return d == r.held })
		if t.held == r.held {
			t.held = nil
		}
	}
	a := r.effect.ask
	switch {
	case a == nil:
	case r.err != nil:
		t.drop(a, answered{err: pilot.Errorf(pilot.Unavailable, "the log cannot be asked now")})
	case r.effect.Act == refresh:
		a.fresh = true
	case r.effect.Act == note:
		a.noted = true
	}
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
