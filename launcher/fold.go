package launcher

import (
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// fold takes in one entry of the log and looks at the pilot it is about.
func (l *Launcher) fold(e events.Entry) {
	switch {
	case e.Mark:
		l.caughtUp = true
		close(l.ready)
		for key, t := range l.tracks {
			if p, ok := l.view.Get(key.Manager, key.Pilot); ok && p.State.Final() && t.held == nil && len(t.asks) == 0 {
				delete(l.tracks, key) // its birth came before its end
				continue
			}
			l.look(t)
		}
		l.logger.Info("launcher ready", zap.Uint64("seq", e.Seq), zap.Int("live", len(l.tracks)))
		return
	case e.Broken != "":
		l.view.ApplyBroken(&e.Event, e.Broken)
		l.logger.Error("message does not decode", zap.String("pilot", e.Pilot), zap.Uint64("seq", e.Seq), zap.String("err", e.Broken))
	default:
		l.enter(&e.Event)
	}
	l.follow(e.Key)
}

// follow looks at a pilot whose entry in the view may have changed.
func (l *Launcher) follow(key pilot.Key) {
	t, tracked := l.tracks[key]
	if !tracked {
		p, ok := l.view.Get(key.Manager, key.Pilot)
		if !ok || p.State.Final() {
			return
		}
		t = l.track(key)
	}
	if l.caughtUp {
		l.look(t)
	}
}

func (l *Launcher) track(key pilot.Key) *track {
	t, ok := l.tracks[key]
	if !ok {
		t = &track{key: key}
		l.tracks[key] = t
	}
	return t
}

// arrive takes a submit command. The command is the pilot's birth, so nothing
// has to wait for the tail, but for the other births of its list.
func (l *Launcher) arrive(d *events.Delivery) {
	t := l.track(d.Key)
	if t.held != nil && t.held.Seq != d.Seq { // one of them stands in the place of the other
		t.stale = append(t.stale, t.held)
	}
	t.held, t.list = d, listing{from: time.Now().Add(tickEvery)}
	l.enter(&d.Event)
	if l.caughtUp {
		l.look(t)
	}
}

// look answers the pilot's agents, asks step what it needs, and starts it. While a
// command of the batch system is under way only agents are answered, beside a submit
// once it has had submitFirst.
func (l *Launcher) look(t *track) {
	if t.busy[writes] || l.leaving || !l.caughtUp || t.busy[commands] && len(t.asks) == 0 {
		return
	}
	if len(t.stale) > 0 {
		l.start(t, &sight{Pilot: projection.Pilot{Key: t.key}}, effect{Act: ack, command: t.stale[0]})
		return
	}
	p, ok := l.view.Get(t.key.Manager, t.key.Pilot)
	if !ok {
		l.strangers(t)
		l.incomplete(t)
		return
	}
	l.bind(t, p.Birth)
	t.about(p.Attempt)
	s := l.see(t, &p)
	now := time.Now()
	if at := t.answerFrom(now); !at.IsZero() {
		t.wake = at
		return
	}
	e, answering := l.answer(t, s)
	switch {
	case answering:
	case t.busy[commands]:
		return
	default:
		e = step(s, now, &l.lim)
	}
	t.wake = e.At
	switch e.Act {
	case wait:
		if p.State.Final() && len(t.asks) == 0 && e.At.IsZero() {
			delete(l.tracks, t.key)
		}
	case poll:
		if !t.polling {
			l.pollSoon(t)
		}
	default:
		l.start(t, s, e)
	}
}

// sweep looks at what is due by the clock.
func (l *Launcher) sweep(now time.Time) {
	if !l.caughtUp {
		return
	}
	for _, t := range l.tracks {
		if !t.wake.IsZero() && !now.Before(t.wake) {
			l.look(t)
		}
		t.dropSilent()
	}
	l.startLeases(now)
}
