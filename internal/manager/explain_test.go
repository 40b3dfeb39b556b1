package manager_test

import (
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

func TestExplainTellsHowItCameToThis(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("p"))
	a, err := m.ExplainPilot(t.Context(), api.PilotRequest{Manager: of, UID: "p"}, user)
	if err != nil || a.Why == "" || a.Next == "" || a.Pilot.UID != "p" || a.Evidence == nil || a.Seq == 0 || len(a.Attempts) != 0 {
		t.Fatalf("got %+v, %v", a, err)
	}
	mustMove(t, log, of, "p", pilot.KindLaunching, pilot.KindRetrying, pilot.KindLaunching, pilot.KindFailed)
	eventually(t, "the end is folded", func() bool {
		a, err = m.ExplainPilot(t.Context(), api.PilotRequest{Manager: of, UID: "p"}, user)
		return err == nil && a.Pilot.State == pilot.Failed
	})
	if len(a.Attempts) != 2 || a.Attempts[1].EndedAt == nil || !strings.Contains(a.Why, "as_the_test_wants") || a.Next != "" {
		t.Errorf("got %+v", a)
	}
	_, err = m.ExplainPilot(t.Context(), api.PilotRequest{Manager: of, UID: "nobody"}, user)
	wantCode(t, err, pilot.NotFound)
	_, err = m.ExplainPilot(t.Context(), api.PilotRequest{Manager: of, UID: "p", After: 1}, user)
	wantCode(t, err, pilot.Invalid)
}
