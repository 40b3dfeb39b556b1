package launcher

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// asking is how a batch system is asked about jobs.
type asking struct {
	busy bool          // a query is under way
	asOf time.Time     // the last answer was as of then
	pace time.Duration // until the next one, while nothing is expected
	away bool          // polls or submits were not answered last
	back time.Time     // they were again then
}

// polled is the answer to one bulk query.
type polled struct {
	system   adaptor.Adaptor
	jobs     []adaptor.Handle
	statuses []adaptor.Status
	err      error // says nothing about any job
}

// jobEnded polls a pilot's job at once: its system says that it has ended.
func (l *Launcher) jobEnded(key pilot.Key) {
	if t, ok := l.tracks[key]; ok {
		l.pollSoon(t)
	}
}

// pollSoon puts a pilot into the next bulk query.
func (l *Launcher) pollSoon(t *track) {
	if !t.pollDue {
		t.pollDue = true
		l.due = append(l.due, t)
	}
}

func (l *Launcher) polling() bool {
	for _, a := range l.asking {
		if a.busy {
			return true
		}
	}
	return false
}

// startPolls runs after each turn of the owner's goroutine: it asks each batch
// system about all of its jobs that are due, in one call, unless such a call is
// under way. A Shared system is asked about every job as soon as one is due.
func (l *Launcher) startPolls(now time.Time) {
	if len(l.due) == 0 || l.leaving {
		return
	}
	due := map[adaptor.Adaptor][]adaptor.Handle{}
	var later []*track
	for _, t := range l.due {
		switch a := l.asking[t.system]; {
		case a != nil && a.busy:
			later = append(later, t)
		default:
			l.join(due, t, now)
		}
	}
	l.due = later
	for system := range due {
		if _, shared := system.(adaptor.Shared); shared {
			for _, t := range l.tracks {
				if p, ok := l.view.Get(t.key.Manager, t.key.Pilot); ok && t.system == system && !t.polling && !p.State.Final() {
					l.join(due, t, now)
				}
			}
		}
		l.poll(system, due[system])
	}
}

// join adds a pilot's job to a query, if it is this launcher's to ask about.
func (l *Launcher) join(due map[adaptor.Adaptor][]adaptor.Handle, t *track, now time.Time) {
	t.pollDue = false
	p, ok := l.view.Get(t.key.Manager, t.key.Pilot)
	owner := l.owners[p.Launcher]
	if ok && t.system != nil && p.Job.Known() && (p.Launcher == l.id || owner.Known && !owner.Alive) {
		t.polling, t.wake = true, now.Add(l.lim.Effect)
		due[t.system] = append(due[t.system], t.handle(&p))
	}
}

func (l *Launcher) poll(system adaptor.Adaptor, jobs []adaptor.Handle) {
	a := l.askingOf(system)
	a.busy = true
	after := a.asOf
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), l.lim.Effect)
		defer cancel()
		p := polled{system: system, jobs: jobs}
		p.statuses, p.err = system.Poll(ctx, jobs, after)
		l.polls <- p
	}()
}

func (l *Launcher) takePolls(p polled) {
	a := l.asking[p.system]
	a.busy = false
	a.pace = l.sway(l.lim.Poll)
	if p.err != nil {
		l.logger.Warn("poll failed", zap.Error(p.err))
	}
	now := time.Now()
	l.takeAnswer(p.system, p.err == nil, now)
	for i, job := range p.jobs {
		st := adaptor.Status{Phase: adaptor.Unknown}
		if p.err == nil {
			st = p.statuses[i]
			if st.At.After(a.asOf) {
				a.asOf = st.At
			}
		}
		t, ok := l.tracks[job.Key]
		if !ok {
			continue
		}
		t.polling = false
		if t.attempt == job.Attempt {
			t.polled(st, p.err != nil, now)
		}
		l.look(t)
	}
}

// sway makes a time up to a tenth longer or shorter, so that launchers that were
// started together do not ask together for ever.
func (l *Launcher) sway(d time.Duration) time.Duration {
	return d + time.Duration(float64(d)*(l.rand.Float64()-0.5)/5)
}

// pace is the time between polls of a system while nothing is expected.
func (l *Launcher) pace(system adaptor.Adaptor) time.Duration {
	if a := l.asking[system]; a != nil && a.pace != 0 {
		return a.pace
	}
	return l.lim.Poll
}
