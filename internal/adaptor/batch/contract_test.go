package batch_test

import (
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/pilot"
)

func TestSystemsPassTheContract(t *testing.T) {
	for _, system := range append(fakebatch.Systems(), "ssh") {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			adaptortest.TestAdaptor(t, func(t *testing.T) adaptortest.Harness {
				b := newFixture(t, system)
				return adaptortest.Harness{
					Open: func() adaptor.Adaptor { return b.openSystem() },
					Spec: func(uid string, attempt int, held bool) *adaptor.Spec {
						if held {
							return b.spec(uid, attempt, "echo held; printf '\\303\\n' >&2; exec sleep 1000")
						}
						return b.spec(uid, attempt, "exit 0")
					},
					Stop: func(key pilot.Key) { b.TellToStop(key.Pilot) },
					Runs: func(key pilot.Key) int { return b.countRuns(key.Pilot) },
				}
			})
		})
	}
}
