package launcher

import (
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// TestTheRuntimeIsOver holds the rule against whoever may tell of it: agents of this
// version and of earlier ones, which called it done, and batch systems.
func TestTheRuntimeIsOver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		payload string
		state   pilot.State
		told    api.OutcomeKind
		want    pilot.State
		cause   pilot.CauseCode
	}{
		{"a payload, says an agent", "solve", pilot.Active, api.OutcomeFailed, pilot.Failed, pilot.RuntimeReached},
		{"a payload, says an earlier agent", "solve", pilot.Active, api.OutcomeDone, pilot.Failed, pilot.RuntimeReached},
		{"held, says an agent", "", pilot.Active, api.OutcomeDone, pilot.Done, pilot.RuntimeReached},
		{"held, says a batch system", "", pilot.Active, api.OutcomeFailed, pilot.Done, pilot.RuntimeReached},
		{"a payload that was never ACTIVE", "solve", pilot.PendingActive, api.OutcomeFailed, pilot.Failed, pilot.BootstrapFailed},
		{"held, never ACTIVE", "", pilot.PendingActive, api.OutcomeDone, pilot.Failed, pilot.BootstrapFailed},
		{"a payload that is canceled meanwhile", "solve", pilot.Stopping, api.OutcomeFailed, pilot.Canceled, pilot.KilledAfterGrace},
		{"held, canceled meanwhile", "", pilot.Stopping, api.OutcomeDone, pilot.Done, pilot.RuntimeReached},
		{"canceled, never ACTIVE", "solve", pilot.Canceling, api.OutcomeDone, pilot.Canceled, pilot.CanceledInQueue},
	} {
		status := pilot.Status{State: c.state, Peak: c.state}
		if c.state.Leaving() {
			status.Cancel = &pilot.Cancel{By: "ada"}
		}
		s := &sight{Pilot: projection.Pilot{
			Status: status, Birth: &events.Birth{Description: pilot.Description{Executable: c.payload}},
		}}
		exit := 0
		out := &api.Outcome{Kind: c.told, Code: pilot.RuntimeReached, Message: "the runtime is over", ExitCode: &exit}
		e, ok := (&Launcher{}).event(s, s.outcomeChange(out), &result{})
		if !ok || e.Status.State != c.want || e.Status.Cause.Code != c.cause {
			t.Errorf("%s: %v, %+v, cause %+v", c.name, ok, e.Status.State, e.Status.Cause)
		}
	}
}
