package launcher

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// pollAnswer is the answer to one bulk query.
type pollAnswer struct {
	system   adaptor.Adaptor
	jobs     []adaptor.Handle
	statuses []adaptor.Status
	err      error // says nothing about any job
}

// jobEnded polls a pilot's job at once: its system says that it has ended.
func (l *Launcher) jobEnded(key pilot.Key) {
	if t, ok := l.tracked[key]; ok {
		l.pollSoon(t)
	}
}

func (l *Launcher) anyPollRunning() bool {
	for _, a := range l.queries {
		if a.busy {
			return true
		}
	}
	return false
}

// startPolls runs after each turn of the owner's goroutine: it asks each batch
// system about all of its jobs that are due, in one call, unless such a call is
// under way. A BulkPolled system is asked about every job as soon as one is due.
func (l *Launcher) startPolls(now time.Time) {
	if len(l.pollsDue) == 0 || l.draining {
		return
	}
	due := map[adaptor.Adaptor][]adaptor.Handle{}
	var later []*tracked
	for _, t := range l.pollsDue {
		switch a := l.queries[t.system]; {
		case a != nil && a.busy:
			later = append(later, t)
		default:
			l.addToPoll(due, t, now)
		}
	}
	l.pollsDue = later
	for system := range due {
		if _, shared := system.(adaptor.BulkPolled); shared {
			for _, t := range l.tracked {
				if p, ok := l.view.Get(t.key.Manager, t.key.Pilot); ok && t.system == system && !t.pollRunning && !p.State.Final() {
					l.addToPoll(due, t, now)
				}
			}
		}
		l.startPoll(system, due[system])
	}
}

// addToPoll adds a pilot's job to a query, if it is this launcher's to ask about.
func (l *Launcher) addToPoll(due map[adaptor.Adaptor][]adaptor.Handle, t *tracked, now time.Time) {
	t.pollDue = false
	p, ok := l.view.Get(t.key.Manager, t.key.Pilot)
	owner := l.leaseStates[p.Launcher]
	if ok && t.system != nil && p.Job.Known() && (p.Launcher == l.id || owner.Known && !owner.Alive) {
		t.pollRunning, t.wakeAt = true, now.Add(l.lim.EffectTimeout)
		due[t.system] = append(due[t.system], t.jobHandle(&p))
	}
}

func (l *Launcher) startPoll(system adaptor.Adaptor, jobs []adaptor.Handle) {
	a := l.queryStateOf(system)
	a.busy = true
	after := a.asOf
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), l.lim.EffectTimeout)
		defer cancel()
		p := pollAnswer{system: system, jobs: jobs}
		p.statuses, p.err = system.Poll(ctx, jobs, after)
		l.pollAnswers <- p
	}()
}

func (l *Launcher) applyPoll(p pollAnswer) {
	a := l.queries[p.system]
	a.busy = false
	a.interval = l.addJitter(l.lim.Poll)
	if p.err != nil {
		l.logger.Warn("poll failed", zap.Error(p.err))
	}
	now := time.Now()
	l.recordAnswering(p.system, p.err == nil, now)
	for i, job := range p.jobs {
		st := adaptor.Status{Phase: adaptor.Unknown}
		if p.err == nil {
			st = p.statuses[i]
			if st.At.After(a.asOf) {
				a.asOf = st.At
			}
		}
		t, ok := l.tracked[job.Key]
		if !ok {
			continue
		}
		t.pollRunning = false
		if t.Number == job.Attempt {
			t.recordPoll(st, p.err != nil, now)
		}
		l.reconcile(t)
	}
}

// addJitter makes a time up to a tenth longer or shorter, so that launchers that were
// started together do not ask together for ever.
func (l *Launcher) addJitter(d time.Duration) time.Duration {
	return d + time.Duration(float64(d)*(l.rand.Float64()-0.5)/5)
}
