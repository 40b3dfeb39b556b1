package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// TestE2ERuntimeIsOver: a payload that the end of the runtime cut off has failed, also if
// it ends well when it is told; an allocation that was held for nobody is done.
func TestE2ERuntimeIsOver(t *testing.T) {
	t.Parallel()
	h := newFixture(t)
	up := h.startUp()
	defer up.terminate()
	m := h.createManager(h.connectClient())
	held := localPilot("")
	cut, polite := shellPilot("sleep 600"), shellPilot("trap 'exit 0' TERM; while :; do sleep 0.05; done")
	for _, d := range []*pilot.Description{&held, &cut, &polite} {
		d.Runtime = pilot.Runtime(time.Second)
	}
	ps := submit(t, m, held, cut, polite)
	for i, want := range []struct {
		state string
		code  int
	}{{"DONE", 0}, {"FAILED", 3}, {"FAILED", 3}} {
		out, code := h.runCLI("wait", "--manager", m.UID(), ps[i].UID())
		if code != want.code || !strings.Contains(out, want.state) {
			t.Errorf("pilot %d: exit code %d, want %d; %s", i, code, want.code, out)
		}
		if p, err := ps[i].Get(t.Context()); err != nil || p.Cause.Code != pilot.RuntimeReached {
			t.Errorf("pilot %d: cause %+v, %v", i, p.Cause, err)
		}
	}
}
