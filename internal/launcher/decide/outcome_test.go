package decide

import (
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
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
		status := pilot.Status{State: c.state, FurthestState: c.state}
		if c.state.IsCanceling() {
			status.Cancel = &pilot.Cancel{By: "ada"}
		}
		s := &Observation{Pilot: projection.Pilot{
			Status: status, Submission: &events.Submission{Description: pilot.Description{Executable: c.payload}},
		}}
		exit := 0
		out := &api.Outcome{Kind: c.told, Code: pilot.RuntimeReached, Message: "the runtime is over", ExitCode: &exit}
		change := s.outcomeChange(out)
		e, ok := s.ChangeEvent(&change, nil, time.Now())
		if !ok || e.Status.State != c.want || e.Status.Cause.Code != c.cause {
			t.Errorf("%s: %v, %+v, cause %+v", c.name, ok, e.Status.State, e.Status.Cause)
		}
	}
}

// TestALimitThatWasCutShort: who is warned of a limit before he has heard that it was made
// shorter says that he was asked to end, and not by whom.
func TestALimitThatWasCutShort(t *testing.T) {
	t.Parallel()
	active := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		first, limit, ran time.Duration
		kind              api.OutcomeKind
		want              pilot.CauseCode
	}{
		"made shorter":           {time.Hour, 10 * time.Minute, 9 * time.Minute, api.OutcomeFailed, pilot.RuntimeReached},
		"long before it":         {time.Hour, 10 * time.Minute, 7 * time.Minute, api.OutcomeFailed, pilot.JobCanceledByThem},
		"as it was":              {time.Hour, time.Hour, time.Hour, api.OutcomeFailed, pilot.JobCanceledByThem},
		"made longer":            {time.Hour, 2 * time.Hour, 2 * time.Hour, api.OutcomeFailed, pilot.JobCanceledByThem},
		"not shown":              {time.Hour, 0, time.Hour, api.OutcomeFailed, pilot.JobCanceledByThem},
		"nobody knows the first": {0, 10 * time.Minute, 9 * time.Minute, api.OutcomeFailed, pilot.JobCanceledByThem},
		"a system says who":      {time.Hour, 10 * time.Minute, 9 * time.Minute, api.OutcomeCanceled, pilot.JobCanceledByThem},
	} {
		s := &Observation{Pilot: projection.Pilot{
			Status:     pilot.Status{State: pilot.Active, FurthestState: pilot.Active, ActiveAt: active},
			Submission: &events.Submission{Description: pilot.Description{Executable: "solve"}},
			Note:       events.Note{Limit: c.first},
		}, AttemptState: AttemptState{LastPoll: &adaptor.Status{Phase: adaptor.Ended, Limit: c.limit}}}
		change := s.outcomeChange(&api.Outcome{Kind: c.kind, Code: pilot.JobCanceledByThem, EndedAt: active.Add(c.ran)})
		if change.Kind != pilot.KindFailed || change.Cause.Code != c.want {
			t.Errorf("%s: %s, %+v", name, change.Kind, change.Cause)
		}
	}
}

// TestMoreTimeThatIsNotHad: where a system, or an agent, cannot give it.
func TestMoreTimeThatIsNotHad(t *testing.T) {
	t.Parallel()
	active := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		mute, firm bool
		limit      time.Duration
		want       bool
	}{
		"more":                            {false, false, 2 * time.Hour, true},
		"more, and an agent apart":        {true, false, 2 * time.Hour, false},
		"more, and a system as firm":      {false, true, 2 * time.Hour, false},
		"less":                            {false, false, time.Hour / 2, true},
		"less, and an agent apart":        {true, false, time.Hour / 2, true},
		"less, and a system as firm":      {false, true, time.Hour / 2, true},
		"nothing that anybody could read": {false, false, -time.Hour, false},
	} {
		s := &Observation{Pilot: projection.Pilot{
			Status: pilot.Status{State: pilot.Active, FurthestState: pilot.Active, ActiveAt: active, Deadline: active.Add(time.Hour)},
			Note:   events.Note{Limit: time.Hour}, ChangedAt: active,
		}, AttemptState: AttemptState{LastPoll: &adaptor.Status{Phase: adaptor.Running, Limit: c.limit, LimitFixed: c.firm}, PolledAt: active.Add(time.Minute)}}
		s.Handle.AgentOffline = c.mute
		if _, moved := s.changedLimit(); moved != c.want {
			t.Errorf("%s: %v", name, moved)
		}
		s.PolledAt = active
		if _, moved := s.changedLimit(); moved {
			t.Errorf("%s: by what was seen before the pilot's last change", name)
		}
	}
}
