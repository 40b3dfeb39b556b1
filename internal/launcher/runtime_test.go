package launcher_test

import (
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/pilot"
)

// TestTheLimitOfABatchSystem: a job that its system kills at its limit, without a warning
// and so without a word of its agent, is a failure of the payload it ran; one that held
// its allocation for nobody did what was asked.
func TestTheLimitOfABatchSystem(t *testing.T) {
	atSites(t, func(s *site) {
		if s.system == "cobalt" {
			s.t.Skip("it forgets a job when that ends, and never says why")
		}
		k := s.startRunning()
		s.fake.Kill(s.onlyJob().ID, fakebatch.Overtime)
		if p := s.awaitState(k, pilot.Failed); p.Cause.Code != pilot.RuntimeReached {
			s.t.Errorf("cause is %+v", p.Cause)
		}
	})
	t.Run("held", func(t *testing.T) {
		atSites(t, func(s *site) {
			if s.system == "cobalt" {
				s.t.Skip("it forgets a job when that ends, and never says why")
			}
			s.openLauncher("a")
			cfg := s.resourceConfig()
			k := s.submitOn("p", pilot.Description{}, &cfg)
			s.awaitActive(k)
			s.fake.Kill(s.onlyJob().ID, fakebatch.Overtime)
			if p := s.awaitState(k, pilot.Done); p.Cause.Code != pilot.RuntimeReached {
				s.t.Errorf("cause is %+v", p.Cause)
			}
		})
	})
}
