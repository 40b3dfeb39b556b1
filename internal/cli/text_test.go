package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

func TestTimesAreHuman(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "now", 1500 * time.Millisecond: "1.5s ago", 30 * time.Second: "30s ago", 3 * time.Minute: "3m ago",
		125 * time.Minute: "2h5m ago", 50 * time.Hour: "2d ago", -time.Hour: "in 1h0m",
	} {
		if got := agoText(now.Add(-d), now); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
	if got := agoText(time.Time{}, now); got != "-" {
		t.Errorf("no time: %q", got)
	}
}

func TestPastReadsTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"90s": now.Add(-90 * time.Second), "-2h": now.Add(-2 * time.Hour),
		"2026-02-28T10:00:00Z": time.Date(2026, 2, 28, 10, 0, 0, 0, time.UTC),
		"2026-02-28 10:00:00":  time.Date(2026, 2, 28, 10, 0, 0, 0, time.Local),
		"":                     {},
	} {
		if got, err := parsePastTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %s, %v; want %s", text, got, err, want)
		}
	}
}

func TestTheProgressLineCountsWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := progressLine{width: 80, states: map[string]pilot.State{"m/p": 0, "m/q": 0}, counts: map[pilot.State]int{0: 2}}
	for _, x := range []struct {
		uid   pilot.UID
		state pilot.State
	}{{"p", pilot.PendingLaunch}, {"q", pilot.Stopping}, {"stranger", pilot.Active}, {"p", pilot.Active}} {
		b.applyChange(client.Change{Pilot: api.Pilot{Manager: "m", UID: x.uid, State: x.state}})
	}
	if got, want := b.lineText(b.began.Add(61*time.Second)), "2 pilots: 1 ACTIVE, 1 CANCELING · 1m1s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.width = 10
	if got := b.lineText(b.began); got != "2 pilots:" {
		t.Errorf("cut: got %q", got)
	}
}

func TestACauseIsToldOnce(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"FAILED: exit code 7 (exit code 7)": "FAILED: exit code 7",
		"FAILED: vanished (exit code 7)":    "FAILED: vanished (exit code 7)",
		"ACTIVE":                            "ACTIVE",
	} {
		if got := dropRepeatedRemark(line); got != want {
			t.Errorf("%q: got %q", line, got)
		}
	}
	cause := &api.Cause{Message: "no room"}
	if got := eventText(&api.Event{Message: "again: no room", Cause: cause}); got != "again: no room" {
		t.Errorf("got %q", got)
	}
}

func TestHistoryLeavesOutRequestsThatWereAnswered(t *testing.T) {
	t.Parallel()
	asked, leaving := api.Event{Kind: events.Cancel}, pilot.Canceling
	if got := dropAnsweredCancels([]api.Event{{Kind: "canceling", State: &leaving}, asked}); len(got) != 1 {
		t.Errorf("answered: %+v", got)
	}
	if got := dropAnsweredCancels([]api.Event{asked}); len(got) != 1 {
		t.Errorf("not yet answered: %+v", got)
	}
}

// TestHistoryMarksWhatCountsForNothing: it shows no state, and why before what it says.
func TestHistoryMarksWhatCountsForNothing(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &commandLine{processEnv: processEnv{stdout: &out, stderr: &out, getenv: getenv(nil)}, output: outTable, color: "never"}
	done := pilot.Done
	refused := api.Event{Seq: 8, Kind: "failed", State: &done, Job: "7", Message: "gone", Cause: &api.Cause{Code: "launch_error"}}.AsRefused("message 8 is not allowed")
	if err := a.printResult(historyResult([]api.Event{{Seq: 7, Kind: "done", State: &done}, refused})); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if last := strings.Join(strings.Fields(lines[len(lines)-1]), " "); !strings.HasSuffix(last, "failed (refused) counts for nothing: message 8 is not allowed, gone") ||
		strings.Count(out.String(), "(refused)") != 1 {
		t.Errorf("got\n%s", out.String())
	}
}

func TestNarrowTerminalsKeepTheRemark(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]string{0: "A RESOURCE SIZE REMARK", 80: "A RESOURCE SIZE REMARK", 60: "A SIZE REMARK", 50: "A REMARK"} {
		p := printer{width: width}
		header, rows := p.dropSpareColumns(
			[]string{"A", "RESOURCE", "SIZE", "REMARK"},
			[][]string{{"a", "local.localhost", "12n 4g", strings.Repeat("x", 100)}}, "RESOURCE", "SIZE")
		if got := strings.Join(header, " "); got != want || len(rows[0]) != len(header) {
			t.Errorf("%d: got %q and %q, want %q", width, got, rows, want)
		}
	}
}

func TestWaitExitCodes(t *testing.T) {
	t.Parallel()
	well := waitedPilot{Waited: api.Waited{State: pilot.Done, Reached: true}}
	failed := waitedPilot{Waited: api.Waited{State: pilot.Failed}}
	running := waitedPilot{Waited: api.Waited{State: pilot.Active}}
	for name, x := range map[string]struct {
		pilots []waitedPilot
		want   error
	}{
		"none": {nil, nil}, "reached": {[]waitedPilot{well}, nil},
		"ended otherwise": {[]waitedPilot{well, failed}, exitCodeError(exitOtherwise)},
		"deadline":        {[]waitedPilot{failed, running}, exitCodeError(exitDeadline)},
	} {
		if got := (&waitSummary{Pilots: x.pilots}).exitStatus(); got != x.want { //nolint:errorlint // exit is a number
			t.Errorf("%s: got %v, want %v", name, got, x.want)
		}
	}
}
