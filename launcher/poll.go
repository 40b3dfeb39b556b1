package launcher

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// polled is the answer to one bulk query.
type polled struct {
	jobs     []adaptor.Handle
	statuses []adaptor.Status
	failed   []bool // the system of that job could not be asked
	err      error
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

// startPolls runs after each turn of the owner's goroutine: it asks each batch system about all of its jobs that are due, in one
// call, unless such a call is under way.
func (l *Launcher) startPolls(now time.Time) {
	if l.polling || l.leaving {
		return
	}
	due := map[string][]adaptor.Handle{} // by name of the system
	for _, t := range l.due {
		t.pollDue = false
		p, ok := l.view.Get(t.key.Manager, t.key.Pilot)
		if ok && t.system != nil && p.Launcher == l.id && p.Job.Known() {
			t.polling, t.wake = true, now.Add(l.lim.Effect)
			name := t.config.System()
			due[name] = append(due[name], handle(&p))
		}
	}
	l.due = l.due[:0]
	if len(due) == 0 {
		return
	}
	l.polling = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), l.lim.Effect)
		defer cancel()
		var all polled
		for name, jobs := range due {
			statuses, err := l.systems[name].Poll(ctx, jobs)
			if err != nil {
				all.err = err // says nothing about any job; the others still count
				statuses = make([]adaptor.Status, len(jobs))
				for i := range statuses {
					statuses[i].Phase = adaptor.Unknown
				}
			}
			all.jobs, all.statuses = append(all.jobs, jobs...), append(all.statuses, statuses...)
			all.failed = append(all.failed, slices.Repeat([]bool{err != nil}, len(jobs))...)
		}
		l.polls <- all
	}()
}

func (l *Launcher) takePolls(p polled) {
	l.polling = false
	if p.err != nil {
		l.logger.Warn("poll failed", zap.Error(p.err))
	}
	now := time.Now()
	for i, job := range p.jobs {
		if t, ok := l.tracks[job.Key]; ok && t.attempt == job.Attempt {
			t.polled(p.statuses[i], p.failed[i], now)
			l.look(t)
		}
	}
}
