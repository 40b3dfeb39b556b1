package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/agent"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// deadlineAnswer is what a launcher says of the deadline from a time on.
type deadlineAnswer struct {
	from  time.Duration // after the beginning
	limit time.Duration // from the beginning on
	moved uint64
}

// TestAMovedDeadline holds allocations of an hour, in simulated time, whose launchers say
// something else later.
func TestAMovedDeadline(t *testing.T) {
	t.Parallel()
	const minute, hour = time.Minute, time.Hour
	for name, c := range map[string]struct {
		skew  time.Duration // of the launcher's clock
		words []deadlineAnswer
		want  time.Duration
		moves int
	}{
		"nothing":                    {0, nil, hour, 0},
		"longer":                     {0, []deadlineAnswer{{30 * minute, 2 * hour, 7}}, 2 * hour, 1},
		"shorter":                    {0, []deadlineAnswer{{30 * minute, 40 * minute, 7}}, 40 * minute, 1},
		"longer, then shorter":       {0, []deadlineAnswer{{10 * minute, 2 * hour, 7}, {30 * minute, 90 * minute, 9}}, 90 * minute, 2},
		"and back":                   {0, []deadlineAnswer{{10 * minute, 2 * hour, 7}, {30 * minute, hour, 9}}, hour, 2},
		"an earlier word comes late": {0, []deadlineAnswer{{10 * minute, 2 * hour, 9}, {30 * minute, 40 * minute, 7}}, 2 * hour, 1},
		"the same said again":        {0, []deadlineAnswer{{10 * minute, 2 * hour, 7}, {30 * minute, 2 * hour, 9}}, 2 * hour, 1},
		"an earlier launcher":        {0, []deadlineAnswer{{10 * minute, 2 * hour, 7}, {20 * minute, hour, 0}}, 2 * hour, 1},
		"its clock is ahead":         {5 * hour, []deadlineAnswer{{30 * minute, 2 * hour, 7}}, 2 * hour, 1},
		"its clock is behind":        {-5 * hour, []deadlineAnswer{{30 * minute, 2 * hour, 7}}, 2 * hour, 1},
		"ahead, and shorter":         {5 * hour, []deadlineAnswer{{30 * minute, 40 * minute, 7}}, 40 * minute, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assignment(t, "")
			a.Executable, a.Arguments, a.Beat = "", nil, api.Duration(10*time.Second)
			synctest.Test(t, func(t *testing.T) {
				log, lines := observer.New(zap.InfoLevel)
				begun := time.Now()
				end, err := runHeld(t, a, zap.New(log), begun.Add(c.skew), c.words)
				if took := time.Since(begun); err != nil || end.Code != pilot.RuntimeReached || took.Truncate(time.Second) != c.want {
					t.Errorf("ended after %s, want %s: %v, %+v", took, c.want, err, end)
				}
				if n := lines.FilterMessage("deadline moved").Len(); n != c.moves {
					t.Errorf("said %d times that it was moved, want %d", n, c.moves)
				}
			})
		})
	}
}

// runHeld runs an agent whose launcher granted it an hour at a time, by its own clock.
func runHeld(t *testing.T, a sandbox.Assignment, log *zap.Logger, active time.Time, words []deadlineAnswer) (api.Outcome, error) {
	t.Helper()
	begun := time.Now()
	d := &fakeLauncher{
		activate: func(int, api.AgentRequest) (api.AgentReply, error) {
			return api.AgentReply{ActiveAt: active, Deadline: active.Add(time.Hour)}, nil
		},
		beat: func(int, api.AgentRequest) (api.AgentReply, error) {
			said := deadlineAnswer{limit: time.Hour}
			for _, w := range words {
				if time.Since(begun) >= w.from {
					said = w
				}
			}
			return api.AgentReply{ActiveAt: active, Deadline: active.Add(said.limit), Moved: said.moved}, nil
		},
	}
	err := agent.Run(t.Context(), agent.Config{Gateway: d, Logger: log, Patience: time.Minute}, a)
	out, markErr := sandbox.MarksOf(a.Sandbox, a.Attempt).ReadExit()
	if markErr != nil || out == nil {
		t.Fatalf("no exit mark: %v, run: %v", markErr, err)
	}
	return *out, err
}

// TestNearTheDeadline: an agent says so, often enough that what its launcher asks the batch
// system then still reaches it, and does so for each deadline.
func TestNearTheDeadline(t *testing.T) {
	t.Parallel()
	a := assignment(t, "")
	a.Executable, a.Arguments, a.Beat = "", nil, api.Duration(10*time.Second)
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		granted := begun.Add(time.Hour)
		var near []time.Duration // before the deadline that was known
		d := &fakeLauncher{
			activate: func(int, api.AgentRequest) (api.AgentReply, error) {
				return api.AgentReply{ActiveAt: begun, Deadline: granted}, nil
			},
			beat: func(_ int, req api.AgentRequest) (api.AgentReply, error) {
				reply, left := api.AgentReply{ActiveAt: begun, Deadline: granted}, time.Until(granted)
				if req.Near != (left <= 10*time.Second) {
					t.Errorf("%s before its deadline it says near: %v", left, req.Near)
				}
				if req.Near && left > 0 { // at the deadline either may come first
					near = append(near, left)
				}
				if len(near) == 3 { // asking the batch system took five seconds
					granted = begun.Add(2 * time.Hour)
				}
				if granted.After(begun.Add(time.Hour)) {
					reply.Deadline, reply.Moved = granted, 7
				}
				return reply, nil
			},
		}
		err := agent.Run(t.Context(), agent.Config{Gateway: d, Logger: zap.NewNop(), Patience: time.Minute}, a)
		if took := time.Since(begun); err != nil || took.Truncate(time.Second) != 2*time.Hour {
			t.Errorf("ended after %s: %v", took, err)
		}
		want := []time.Duration{10 * time.Second, 7500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 7500 * time.Millisecond, 5 * time.Second, 2500 * time.Millisecond}
		if !slices.Equal(near, want) {
			t.Errorf("it said so %v before, want %v", near, want)
		}
	})
}

// TestALimitThatHasPassed: an allocation whose limit is now shorter than it has run ends at
// the beat that says so.
func TestALimitThatHasPassed(t *testing.T) {
	t.Parallel()
	a := assignment(t, "")
	a.Executable, a.Arguments, a.Beat = "", nil, api.Duration(10*time.Second)
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		end, err := runHeld(t, a, zap.NewNop(), begun, []deadlineAnswer{{30 * time.Minute, 20 * time.Minute, 7}})
		took := time.Since(begun)
		if err != nil || end.Code != pilot.RuntimeReached || took < 30*time.Minute || took > 30*time.Minute+10*time.Second {
			t.Errorf("ended after %s: %v, %+v", took, err, end)
		}
	})
}

// TestThePayloadReadsItsDeadline: the environment has the first, the file the present one.
func TestThePayloadReadsItsDeadline(t *testing.T) {
	t.Parallel()
	a := assignment(t, `cp "$PILOT_DEADLINEFILE" .first && mv .first first
		while cmp -s first "$PILOT_DEADLINEFILE"; do sleep 0.01; done
		echo "$PILOT_DEADLINE"; cat first "$PILOT_DEADLINEFILE"`)
	active := time.Now()
	d := &fakeLauncher{
		activate: func(int, api.AgentRequest) (api.AgentReply, error) {
			return api.AgentReply{ActiveAt: active, Deadline: active.Add(time.Hour)}, nil
		},
		beat: func(int, api.AgentRequest) (api.AgentReply, error) {
			reply := api.AgentReply{ActiveAt: active, Deadline: active.Add(time.Hour)}
			if _, err := os.Stat(filepath.Join(a.Sandbox, "first")); err == nil {
				reply.Deadline, reply.Moved = active.Add(2*time.Hour), 7
			}
			return reply, nil
		},
	}
	out, err := attemptRun(context.WithoutCancel(t.Context()), t, d, a)
	at := strings.Fields(out.Stdout)
	if err != nil || out.Code != pilot.PayloadFinished || len(at) != 3 || at[0] != at[1] {
		t.Fatalf("%v %+v", err, out)
	}
	first, err := time.Parse(time.RFC3339, at[0])
	if err != nil {
		t.Fatal(err)
	}
	if now, err := time.Parse(time.RFC3339, at[2]); err != nil || now.Sub(first) != time.Hour {
		t.Errorf("%v, %v", at, err)
	}
}
