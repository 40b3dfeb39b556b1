package ops

import (
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// LauncherMeter counts what a launcher does; nil where nobody looks.
func (p *Server) LauncherMeter() launcher.Meter {
	if p == nil {
		return nil
	}
	return meter{p}
}

type meter struct{ server *Server }

// PilotMoved counts a change, and times what it brings to an end. A launch is over
// with the first word of the job, whether the launcher or the agent has it; so
// is the wait in the queue of a job that was not yet seen there.
func (m meter) PilotMoved(before *projection.Pilot, e *events.Event) {
	p := m.server
	p.tracing.recordMove(before, e)
	p.changes.WithLabelValues(e.Resource, string(e.Kind)).Inc()
	kind, _ := e.Move()
	at := e.At.Sub(before.ChangedAt)
	switch {
	case before.State == pilot.Launching && kind == pilot.KindPendingActive:
		p.launchTime.WithLabelValues(e.Resource).Observe(nonNegativeSeconds(at))
	case before.State == pilot.Launching && kind == pilot.KindActive:
		p.launchTime.WithLabelValues(e.Resource).Observe(nonNegativeSeconds(at))
		p.queueWait.WithLabelValues(e.Resource).Observe(0)
	case before.State == pilot.PendingActive && kind == pilot.KindActive:
		p.queueWait.WithLabelValues(e.Resource).Observe(nonNegativeSeconds(at))
	}
}

// DuplicateFenced counts.
func (m meter) DuplicateFenced(what launcher.Fence) {
	m.server.fenced.WithLabelValues(string(what)).Inc()
}

// nonNegativeSeconds is not negative: two clocks may have measured.
func nonNegativeSeconds(d time.Duration) float64 { return max(d, 0).Seconds() }
