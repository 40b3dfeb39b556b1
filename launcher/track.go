package launcher

import (
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
	config  *resource.Config
	settle  time.Duration
	busy    bool // an effect is under way
	queued  bool // waits for a free slot
	wake    time.Time
	held    *events.Delivery
	asks    []*ask
	attempt int // what follows is about this attempt

	secret    string
	placed    *adaptor.Placed
	refusal   *adaptor.Error
	refusedAt time.Time
	soughtAt  time.Time

	poll      *adaptor.Status
	polling   bool
	pollDue   bool
	polledAt  time.Time
	goneAt    time.Time
	stopSent  stopLevel
	stoppedAt time.Time
	cleaned   bool
}

// about makes the track forget what belongs to an earlier attempt.
func (t *track) about(attempt int) {
	if t.attempt == attempt {
		return
	}
	t.attempt = attempt
	t.secret, t.placed, t.refusal = "", nil, nil
	t.refusedAt, t.soughtAt = time.Time{}, time.Time{}
	t.poll, t.polledAt, t.goneAt = nil, time.Time{}, time.Time{}
	t.stopSent, t.stoppedAt = notSent, time.Time{}
}

// polled takes note of an answer.
func (t *track) polled(st adaptor.Status, now time.Time) {
	t.poll, t.polledAt, t.polling = &st, now, false
	switch {
	case st.Phase != adaptor.Vanished:
		t.goneAt = time.Time{}
	case t.goneAt.IsZero():
		t.goneAt = now
	}
}

// bind finds the adaptor of a pilot's batch system, once.
func (l *Launcher) bind(t *track, birth *events.Birth) {
	if t.system != nil || birth == nil {
		return
	}
	cfg, err := resource.ParseCanonical(birth.Config)
	if err != nil {
		return
	}
	t.config, t.system, t.settle = cfg, l.systems[cfg.System()], adaptor.DefaultSettle
	if s, ok := t.system.(adaptor.Settler); ok {
		t.settle = s.Settle()
	}
}

// see gathers what step looks at.
func (l *Launcher) see(t *track, p *projection.Pilot) *sight {
	s := &sight{
		Pilot: *p, Me: l.id, Host: l.host, Supported: t.system != nil,
		Secret: t.secret != "", Placed: t.placed, Refusal: t.refusal, RefusedAt: t.refusedAt,
		SoughtAt: t.soughtAt, Settle: t.settle, Owner: l.owners[p.Launcher],
		Poll: t.poll, PolledAt: t.polledAt, GoneAt: t.goneAt,
		StopSent: t.stopSent, StoppedAt: t.stoppedAt, Cleaned: t.cleaned,
	}
	if t.held != nil {
		s.Held, s.Count = true, t.held.Count
	}
	return s
}

func handle(p *projection.Pilot) adaptor.Handle {
	return adaptor.Handle{Key: p.Key, Attempt: p.Attempt, Job: p.Job, Sandbox: p.Sandbox}
}
