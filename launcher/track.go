package launcher

import (
	"cmp"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
	"github.com/flightlog/flightlog/resource"
)

// track is what a launcher knows of a live pilot beside the log. All of it can
// be lost: it is found out again from the log and the batch system.
type track struct {
	key     pilot.Key
	system  adaptor.Adaptor // nil: none here can drive it
	closed  error           // why not
	config  *resource.Config
	settle  time.Duration
	busy    [lanes]bool // an effect is under way
	queued  [lanes]bool // waits for a free slot
	sentAt  time.Time   // since when its submit is under way; zero: none is
	wake    time.Time
	held    *events.Delivery
	stale   []*events.Delivery // commands that held has taken the place of
	list    listing            // of held
	asks    []*ask
	attempt int // what follows is about this attempt

	reached   bool      // there is a way to the batch system
	away      string    // there is none now, and why
	awaySince time.Time // zero: there was one when last asked

	secret    string
	placed    *adaptor.Placed
	refusal   *adaptor.Error
	refusedAt time.Time
	soughtAt  time.Time

	beatAt    time.Time     // its agent was heard
	ending    bool          // its agent said that it ends, and not why
	limit     time.Duration // of its job, as it was first seen; 0: it was not
	poll      *adaptor.Status
	polling   bool
	pollDue   bool
	polledAt  time.Time
	heardAt   time.Time // last answer that said something, for the census
	goneAt    time.Time
	closingAt time.Time // first of the answers Completing, one after the other
	silent    int       // polls and finds that failed, one after the other
	unasked   int       // finds alone
	stopSent  stopLevel
	stoppedAt time.Time
	stopFails bool
	told      time.Time // the owner is gone since then, says a note
	cleanups  int       // tries that failed
	cleaned   bool
}

// about makes the track forget what belongs to an earlier attempt.
func (t *track) about(attempt int) {
	if t.attempt == attempt {
		return
	}
	t.attempt = attempt
	t.unreached()
	t.secret, t.placed, t.refusal = "", nil, nil
	t.refusedAt, t.soughtAt = time.Time{}, time.Time{}
	t.poll, t.polledAt, t.goneAt, t.closingAt, t.heardAt = nil, time.Time{}, time.Time{}, time.Time{}, time.Time{}
	t.beatAt, t.ending, t.limit = time.Time{}, false, 0
	t.stopSent, t.stoppedAt, t.stopFails = notSent, time.Time{}, false
}

// polled takes note of an answer; failed: the system could not be asked.
func (t *track) polled(st adaptor.Status, failed bool, now time.Time) {
	t.poll, t.polledAt = &st, now
	t.limit = cmp.Or(t.limit, st.Limit)
	t.heardOf(&st, failed, now)
	if t.silent++; !failed {
		t.silent = 0
	}
	since(&t.goneAt, st.Phase == adaptor.Vanished, now)
	since(&t.closingAt, st.Phase == adaptor.Completing, now)
}

// since keeps when something began that is so now.
func since(at *time.Time, is bool, now time.Time) {
	switch {
	case !is:
		*at = time.Time{}
	case at.IsZero():
		*at = now
	}
}

// bind finds the adaptor of a pilot's batch system, once.
func (l *Launcher) bind(t *track, birth *events.Birth) {
	if t.system != nil || birth == nil {
		return
	}
	cfg, ok := l.configs[string(birth.Config)]
	if !ok {
		var err error
		if cfg, err = resource.ParseCanonical(birth.Config); err != nil {
			return
		}
		l.configs[string(birth.Config)] = cfg
	}
	t.config, t.settle = cfg, adaptor.DefaultSettle
	t.system, t.closed = l.systems.For(cfg)
	if s, ok := t.system.(adaptor.Settler); ok {
		t.settle = s.Settle()
	}
	l.hearEnds(t.system)
}

// see gathers what step looks at.
func (l *Launcher) see(t *track, p *projection.Pilot) *sight {
	s := &sight{
		Unheard: l.unheard, SeenAt: t.heardAt,
		Pilot: *p, Handle: t.handle(p), Me: l.id, Near: t.near(p), Supported: t.system != nil,
		Secret: t.secret != "", Placed: t.placed, Refusal: t.refusal, RefusedAt: t.refusedAt,
		SoughtAt: t.soughtAt, Settle: t.settle, Owner: l.owners[p.Launcher],
		SeenLimit: t.limit, Poll: t.poll, PolledAt: t.polledAt, GoneAt: t.goneAt, ClosingAt: t.closingAt,
		StopSent: t.stopSent, StoppedAt: t.stoppedAt, StopFailed: t.stopFails,
		Reached: t.reached, Away: t.away, AwaySince: t.awaySince,
		Held: t.held != nil, Blind: t.silent >= blindAfter, Cleaned: t.cleaned,
	}
	s.Told = !t.told.IsZero() && t.told.Equal(s.Owner.Since)
	if b, ok := t.system.(adaptor.Bound); ok {
		s.Place = b.Place()
	}
	if t.closed != nil {
		s.Closed, s.Never = t.closed.Error(), pilot.CodeOf(t.closed) == pilot.Unsupported
	}
	_, s.Reaches = t.system.(adaptor.Reacher)
	_, s.Shared = t.system.(adaptor.Shared)
	if s.Alone = l.began; p.Launcher != l.id {
		s.Alone = s.Owner.Since
	}
	s.BeatAt, s.Ending, s.Pace = t.beatAt, t.ending, l.pace(t.system)
	if a := l.asking[t.system]; a != nil {
		s.Back = a.back
	}
	return s
}

// near says that a pilot's job can be seen from here.
func (t *track) near(p *projection.Pilot) bool {
	b, bound := t.system.(adaptor.Bound)
	return !bound || p.Job.Host == "" || b.Sees(&p.Job)
}

// blindAfter is how many polls in a row may fail before people are told.
const blindAfter = 3

// handle is what a pilot's job is asked about with.
func (t *track) handle(p *projection.Pilot) adaptor.Handle {
	return adaptor.Handle{
		Key: p.Key, Attempt: p.Attempt, Job: p.Job, Sandbox: p.Sandbox, Born: p.SubmittedAt,
		Mute: t.mute() && !p.State.Final(), // its word is heard
	}
}

// mute says that the pilot's agent reaches no launcher.
func (t *track) mute() bool { return t.config != nil && t.config.Agent == "none" }
