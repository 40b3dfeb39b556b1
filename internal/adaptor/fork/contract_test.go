package fork_test

import (
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/pilot"
)

func TestForkPassesTheContract(t *testing.T) {
	t.Parallel()
	adaptortest.TestAdaptor(t, func(t *testing.T) adaptortest.Harness {
		b := newFixture(t)
		return adaptortest.Harness{
			Open: func() adaptor.Adaptor { return b.open() },
			Spec: func(uid string, attempt int, held bool) *adaptor.Spec {
				if held {
					return b.spec(uid, attempt, "echo held; printf '\\303\\n' >&2; exec sleep 1000")
				}
				return b.spec(uid, attempt, "exit 0")
			},
			Stop: func(key pilot.Key) { b.TellToStop(key.Pilot) },
			Runs: func(key pilot.Key) int { return b.runCount(key.Pilot) },
		}
	})
}
