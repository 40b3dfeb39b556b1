package pilot_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

func TestStateNamesReadBack(t *testing.T) {
	t.Parallel()
	exact := map[string]bool{}
	for _, s := range allStates() {
		if got, err := pilot.ParseState(s.Exact()); err != nil || got != s || exact[s.Exact()] {
			t.Errorf("ParseState(%q) is %v, %v", s.Exact(), got, err)
		}
		exact[s.Exact()] = true
		if got, err := pilot.ParseState(s.String()); err != nil || got.String() != s.String() {
			t.Errorf("ParseState(%q) is %v, %v", s, got, err)
		}
	}
}

func TestParseStateKnowsOldSpellings(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]pilot.State{
		"PendingLaunch": pilot.PendingLaunch, "Launching": pilot.Launching, "PendingActive": pilot.PendingActive,
		"Active": pilot.Active, "Canceling": pilot.Canceling, "Done": pilot.Done, "Canceled": pilot.Canceled,
		"Failed": pilot.Failed, "New": pilot.Unborn,
		"PMGR_LAUNCHING_PENDING": pilot.PendingLaunch, "PMGR_LAUNCHING": pilot.Launching,
		"PMGR_ACTIVE_PENDING": pilot.PendingActive, "PMGR_ACTIVE": pilot.Active,
		" active ": pilot.Active, "cancelled": pilot.Canceled, "cancelling": pilot.Canceling,
	} {
		if got, err := pilot.ParseState(name); err != nil || got != want {
			t.Errorf("ParseState(%q) is %v, %v; want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"", "RUNNING", "STATE_10", "ACTIVE!", strings.Repeat("x", 1<<20)} {
		_, err := pilot.ParseState(name)
		if pilot.CodeOf(err) != pilot.Invalid || !strings.Contains(err.Error(), "PENDING_LAUNCH, LAUNCHING") || len(err.Error()) > 300 {
			t.Errorf("ParseState(%.20q) says %.400v", name, err)
		}
	}
}

func TestStateQuestions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state                pilot.State
		final, leaving, live bool
		order                int
	}{
		{pilot.Unborn, false, false, false, 0},
		{pilot.PendingLaunch, false, false, true, 1},
		{pilot.Launching, false, false, true, 2},
		{pilot.PendingActive, false, false, true, 3},
		{pilot.Active, false, false, true, 4},
		{pilot.Canceling, false, true, true, 5},
		{pilot.Stopping, false, true, true, 5},
		{pilot.Done, true, false, false, 6},
		{pilot.Canceled, true, false, false, 6},
		{pilot.Failed, true, false, false, 6},
		{pilot.Failed + 1, false, false, false, 0},
	} {
		s := tt.state
		if s.Final() != tt.final || s.IsCanceling() != tt.leaving || s.Live() != tt.live || s.Order() != tt.order {
			t.Errorf("%v: final %v, leaving %v, live %v, order %d", s, s.Final(), s.IsCanceling(), s.Live(), s.Order())
		}
	}
}

func TestStateInJSON(t *testing.T) {
	t.Parallel()
	out, err := json.Marshal([]pilot.State{pilot.Active, pilot.Stopping})
	if err != nil || string(out) != `["ACTIVE","CANCELING"]` {
		t.Errorf("written as %s, %v", out, err)
	}
	var in []pilot.State
	if err := json.Unmarshal([]byte(`["done","PMGR_ACTIVE"]`), &in); err != nil || in[0] != pilot.Done || in[1] != pilot.Active {
		t.Errorf("read as %v, %v", in, err)
	}
	if err := json.Unmarshal([]byte(`["gone"]`), &in); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("an unknown state gives %v", err)
	}
}

func TestTokensAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	key := pilot.Key{Manager: "m-1", Pilot: "p_2"}
	at := time.UnixMilli(1_795_000_000_123)
	if got, attempt, born, ok := pilot.ParseToken(key.Token(12, at)); !ok || got != key || attempt != 12 || !born.Equal(at) {
		t.Errorf("got %+v %d %v %v", got, attempt, born, ok)
	}
	if key.Token(1, at) == key.Token(1, at.Add(time.Millisecond)) {
		t.Error("pilots of one name in two logs have one token")
	}
	for _, bad := range []string{"", "m", "m.p", "m.p.", "m.p.1", "m.p.0.0", "m.p.-1.0", "m.p.01.0", "m.p.+1.0", "m.p.1.2.3", ".p.1.0", "m..1.0", "a b.p.1.0", "m.p.x.0", "m.p.1.00", "m.p.1.A", "m.p.1."} {
		if got, _, _, ok := pilot.ParseToken(bad); ok {
			t.Errorf("%q is read as %+v", bad, got)
		}
	}
}
