package manager

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/explain"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// ExplainPilot answers why a pilot is as it is, by what is in the log and by the lease
// of its launcher.
func (m *Manager) ExplainPilot(ctx context.Context, r api.PilotRequest, c Call) (api.ExplainAnswer, error) {
	if r.After != 0 {
		return api.ExplainAnswer{}, invalidField("after", "is for histories")
	}
	p, all, err := m.readHistory(ctx, &r, c)
	if err != nil {
		return api.ExplainAnswer{}, err
	}
	all = slices.DeleteFunc(all, func(e events.Event) bool { return p.refused[e.Seq] != "" })
	f := explain.Facts{Pilot: p.Pilot, History: all, Alive: m.isLauncherAlive(ctx, p.Resource, &p.Status), Now: time.Now()}
	answer := explain.Explain(&f)
	answer.Seq = p.seq
	return answer, nil
}

// leaseTimeout is how long an explanation waits to know whether a launcher lives.
const leaseTimeout = time.Second

// isLauncherAlive says whether a pilot's launcher lives; nil: that is not known.
func (m *Manager) isLauncherAlive(ctx context.Context, resource string, s *pilot.Status) *bool {
	if m.leases == nil || s.Launcher == "" || !s.State.Live() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	held, err := m.leases.LeaseHeld(ctx, subject.LauncherLease(resource, s.Launcher))
	if err != nil {
		m.logger.Warn("lease cannot be read", zap.String("launcher", s.Launcher), zap.Error(err))
		return nil
	}
	return &held
}
