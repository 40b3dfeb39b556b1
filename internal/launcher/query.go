package launcher

import (
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
)

// queryState is how a batch system is asked about jobs.
type queryState struct {
	busy        bool          // a query is under way
	asOf        time.Time     // the last answer was as of then
	interval    time.Duration // until the next one, while nothing is expected
	unanswered  bool          // polls or submits were not answered last
	recoveredAt time.Time     // they were again then
}

// pollInterval is the time between polls of a system while nothing is expected.
func (l *Launcher) pollInterval(system adaptor.Adaptor) time.Duration {
	if a := l.queries[system]; a != nil && a.interval != 0 {
		return a.interval
	}
	return l.lim.Poll
}

// pollSoon puts a pilot into the next bulk query.
func (l *Launcher) pollSoon(t *tracked) {
	if !t.pollDue {
		t.pollDue = true
		l.pollsDue = append(l.pollsDue, t)
	}
}

// queryStateOf is how a batch system is asked.
func (l *Launcher) queryStateOf(system adaptor.Adaptor) *queryState {
	a := l.queries[system]
	if a == nil {
		a = &queryState{}
		l.queries[system] = a
	}
	return a
}
