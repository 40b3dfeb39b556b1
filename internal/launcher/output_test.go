package launcher_test

import (
	"testing"
	"testing/synctest"

	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// TestOneLauncherSpeaksForAPilot: its own, as long as it runs and the pilot does.
func TestOneLauncherSpeaksForAPilot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{})
		crew := map[string]*member{"a": f.launch("a"), "b": f.launch("b")}
		k := f.submit("p", pilot.Description{})
		p := f.awaitState(k, pilot.Active)
		says := func(want pilot.Code) {
			t.Helper()
			for id, m := range crew {
				_, mine, err := m.ReadOutput(t.Context(), k.Manager, k.Pilot)
				if mine != (id == p.Launcher) || mine && pilot.CodeOf(err) != want || !mine && err != nil {
					t.Errorf("%s, of a pilot of %s: %v, %v", id, p.Launcher, mine, err)
				}
			}
		}
		says("")
		f.cancel(k, true)
		f.await(k, "at its end", func(p *projection.Pilot) bool { return p.State.Final() })
		says(pilot.Closed)
		if _, mine, err := crew["a"].ReadOutput(t.Context(), k.Manager, "unknown"); mine || err != nil {
			t.Errorf("a pilot that nobody has: %v, %v", mine, err)
		}
		m := crew["a"]
		m.stop()
		<-m.done
		if _, mine, err := m.ReadOutput(t.Context(), k.Manager, k.Pilot); mine || err != nil {
			t.Errorf("of a launcher that has stopped: %v, %v", mine, err)
		}
	})
}
