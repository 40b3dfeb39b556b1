package explain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/explain"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// TestHintsFitWhereAgentsAreKept: whatever is wrong with the directory, and wherever that
// shows, it is said how to name another one.
func TestHintsFitWhereAgentsAreKept(t *testing.T) {
	t.Parallel()
	hints := func(p projection.Pilot) []string {
		return explain.Explain(&explain.Facts{Pilot: p, Now: time.Unix(100, 0)}).Hints
	}
	for _, why := range []string{
		"nothing in /home/ann/.cache/flightlog/agents can be executed: its file system is mounted noexec",
		"write /home/ann/.cache/flightlog/agents/.tmp1: permission denied",
		"exit code 74: mkdir: cannot create directory '/home/ann': No such file or directory",
		"others may write to /home/ann/.cache/flightlog/agents; 'chmod go-w /home/ann/.cache/flightlog/agents' keeps them out",
	} {
		p := projection.Pilot{Status: pilot.Status{State: pilot.PendingLaunch}}
		p.Note.Health, p.Note.Text = api.HealthNotLaunched, "cannot be launched now: not_sent: agents cannot be kept in /home/ann/.cache/flightlog/agents: "+why
		if got := hints(p); len(got) == 0 || !strings.Contains(got[0], "agent_dir of the resource") {
			t.Errorf("%s: %q", why, got)
		}
	}
	for _, message := range []string{"the agent did not start, exit code 126", "the agent did not start, exit code 127"} {
		p := projection.Pilot{Status: pilot.Status{
			State: pilot.Failed, Sandbox: "/s", Cause: &pilot.Cause{Code: pilot.BootstrapFailed, Message: message},
		}}
		if got := hints(p); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "agent_dir of the resource") }) {
			t.Errorf("%s: %q", message, got)
		}
	}
}
