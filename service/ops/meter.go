package ops

import (
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/launcher"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// Meter counts what a launcher does; nil where nobody looks.
func (p *Panel) Meter() launcher.Meter {
	if p == nil {
		return nil
	}
	return meter{p}
}

type meter struct{ panel *Panel }

// Moved counts a change, and times what it brings to an end. A launch is over
// with the first word of the job, whether the launcher or the agent has it; so
// is the wait in the queue of a job that was not yet seen there.
func (m meter) Moved(before *projection.Pilot, e *events.Event) {
	p := m.panel
	p.tracing.moved(before, e)
	p.changes.WithLabelValues(e.Resource, string(e.Kind)).Inc()
	kind, _ := e.Move()
	at := e.At.Sub(before.ChangedAt)
	switch {
	case before.State == pilot.Launching && kind == pilot.Queued:
		p.launchTime.WithLabelValues(e.Resource).Observe(seconds(at))
	case before.State == pilot.Launching && kind == pilot.Activated:
		p.launchTime.WithLabelValues(e.Resource).Observe(seconds(at))
		p.queueWait.WithLabelValues(e.Resource).Observe(0)
	case before.State == pilot.PendingActive && kind == pilot.Activated:
		p.queueWait.WithLabelValues(e.Resource).Observe(seconds(at))
	}
}

// Fenced counts.
func (m meter) Fenced(what launcher.Fence) { m.panel.fenced.WithLabelValues(string(what)).Inc() }

// seconds is not negative: two clocks may have measured.
func seconds(d time.Duration) float64 { return max(d, 0).Seconds() }
