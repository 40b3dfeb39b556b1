package pilot_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/pilot"
)

// allStates lists all that the log knows, Unborn and both CANCELINGs included.
func allStates() []pilot.State {
	all := []pilot.State{pilot.Unborn}
	for s := pilot.PendingLaunch; s <= pilot.Failed; s++ {
		all = append(all, s)
	}
	return all
}

// machineTable draws the machine: a row for each state, a column for each kind, "."
// where nothing moves. CANCELING' is the one that was ACTIVE before.
func machineTable() string {
	name := func(s pilot.State) string {
		switch s {
		case pilot.Unborn:
			return "(none)"
		case pilot.Stopping:
			return "CANCELING'"
		default:
			return s.String()
		}
	}
	var b strings.Builder
	row := func(first string, cells []string) {
		line := fmt.Sprintf("%-15s", first)
		for _, c := range cells {
			line += fmt.Sprintf("%-15s", c)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	heads := make([]string, 0, len(pilot.Kinds()))
	for _, k := range pilot.Kinds() {
		heads = append(heads, k.String())
	}
	row("", heads)
	for _, s := range allStates() {
		cells := make([]string, 0, len(heads))
		for _, k := range pilot.Kinds() {
			cell := "."
			if to, ok := s.After(k); ok {
				cell = name(to)
			}
			cells = append(cells, cell)
		}
		row(name(s), cells)
	}
	return b.String()
}

func TestMachinePicture(t *testing.T) {
	t.Parallel()
	checkGolden(t, "testdata/machine.golden", machineTable())
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), machineTable()) {
		t.Error("docs/architecture.md has another table: put that of testdata/machine.golden there")
	}
}

func TestOutsideTheMachineNothingMoves(t *testing.T) {
	t.Parallel()
	for _, s := range append(allStates(), 10, 11, math.MaxUint8) {
		for _, k := range []pilot.Kind{pilot.NoKind, pilot.KindFailed + 1, math.MaxUint8} {
			if to, ok := s.After(k); ok || to != pilot.Unborn && to != s {
				t.Errorf("%v moves %v to %v", k, s, to)
			}
		}
	}
	for k := range pilot.Kind(math.MaxUint8) {
		if _, ok := (pilot.Failed + 1).After(k); ok {
			t.Errorf("a state beyond the last moves on %v", k)
		}
	}
}

// TestAllowedIsWhatAfterDoes compares Allowed with the moves themselves, for
// every state, recorded kind and state after.
func TestAllowedIsWhatAfterDoes(t *testing.T) {
	t.Parallel()
	type move struct {
		from pilot.State
		kind pilot.Kind
		to   pilot.State
	}
	legal := map[move]bool{}
	for _, s := range allStates() {
		for _, k := range pilot.Kinds() {
			if to, ok := s.After(k); ok {
				legal[move{s, pilot.Recorded(k, to), to}] = true
			}
		}
	}
	for _, from := range append(allStates(), 10) {
		for k := range pilot.KindFailed + 2 {
			for _, to := range append(allStates(), 10) {
				if got := pilot.Allowed(from, k, to); got != legal[move{from, k, to}] {
					t.Errorf("Allowed(%v, %v, %v) is %v", from, k, to, got)
				}
			}
		}
	}
}

func TestKindNamesReadBack(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range pilot.Kinds() {
		got, ok := pilot.ParseKind(k.String())
		if !ok || got != k || seen[k.String()] {
			t.Errorf("ParseKind(%q) is %v, %v", k, got, ok)
		}
		seen[k.String()] = true
	}
	for _, name := range []string{"", "Submit", "cancel", "paused"} {
		if k, ok := pilot.ParseKind(name); ok {
			t.Errorf("ParseKind(%q) is %v", name, k)
		}
	}
	if pilot.NoKind.String() != "" || pilot.Kind(math.MaxUint8).String() != "" {
		t.Error("a kind that is none has a name")
	}
}

// drawHistory draws what may happen to one pilot, in any order, and gives all its
// statuses, the first one after its birth.
func drawHistory(t *rapid.T) []pilot.Status {
	now, _, _ := pilot.Status{}.Move(pilot.KindSubmit)
	steps := []pilot.Status{now}
	for _, k := range rapid.SliceOfN(rapid.SampledFrom(pilot.Kinds()), 0, 30).Draw(t, "kinds") {
		if next, ok := move(now, k); ok {
			now = next
			steps = append(steps, now)
		}
	}
	return steps
}

// move is Move by a writer who fills in what the kind demands.
func move(st pilot.Status, k pilot.Kind) (pilot.Status, bool) {
	next, _, ok := st.Move(k)
	if !ok {
		return st, false
	}
	if k == pilot.KindCanceling && next.Cancel == nil {
		next.Cancel = &pilot.Cancel{By: "someone"}
	}
	if next.State.Final() {
		next.Cause = &pilot.Cause{Code: pilot.CanceledBeforeLaunch}
	}
	return next, true
}

func TestFinalIsNeverLeft(t *testing.T) {
	t.Parallel()
	for _, s := range pilot.Finals() {
		for _, k := range pilot.Kinds() {
			if to, ok := s.After(k); ok {
				t.Errorf("%v leaves %v for %v", k, s, to)
			}
		}
	}
}

func TestOrderFallsOnlyOnRetry(t *testing.T) {
	t.Parallel()
	for _, s := range allStates() {
		for _, k := range pilot.Kinds() {
			to, ok := s.After(k)
			if ok && to.Order() < s.Order() && (s != pilot.Launching || to != pilot.PendingLaunch || k != pilot.KindRetrying) {
				t.Errorf("%v takes %v back to %v", k, s, to)
			}
		}
	}
}

func TestDoneImpliesActive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		active := false
		for _, st := range drawHistory(t) {
			active = active || st.State == pilot.Active || st.State == pilot.Stopping
			if st.State == pilot.Done && !active {
				t.Fatal("DONE without ever being ACTIVE")
			}
			if st.Reached(pilot.Active) != active {
				t.Fatalf("in %v, Reached(ACTIVE) is %v", st.State, !active)
			}
		}
	})
}

// TestAskedToEndNeverFails holds since whoever asked for the end gets it, under
// the name CANCELED, or DONE if the work was done first.
func TestAskedToEndNeverFails(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		asked := false
		for _, st := range drawHistory(t) {
			asked = asked || st.Cancel != nil
			if asked && !st.State.IsCanceling() && st.State != pilot.Canceled && st.State != pilot.Done {
				t.Fatalf("%v after a cancel", st.State)
			}
			if st.State == pilot.Canceled && !asked {
				t.Fatal("CANCELED though nobody asked")
			}
		}
	})
}

func TestReachedIsNeverLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		reached := map[pilot.State]bool{}
		for _, st := range drawHistory(t) {
			if !st.Reached(st.State) {
				t.Fatalf("in %v, which it has not reached", st.State)
			}
			for _, s := range pilot.States() {
				if reached[s] && !st.Reached(s) {
					t.Fatalf("in %v, %v is no longer reached", st.State, s)
				}
				reached[s] = st.Reached(s)
			}
		}
	})
}

// TestReachedIsNotGuessed compares Reached with the states a pilot was seen in,
// for those that can be skipped.
func TestReachedIsNotGuessed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seen := map[string]bool{}
		for _, st := range drawHistory(t) {
			seen[st.State.String()] = true
			for _, s := range []pilot.State{pilot.Canceling, pilot.Stopping, pilot.Done, pilot.Canceled, pilot.Failed} {
				if st.Reached(s) != seen[s.String()] {
					t.Fatalf("in %v, Reached(%v) is %v", st.State, s, st.Reached(s))
				}
			}
		}
	})
}

func TestMoveTouchesOnlyStateAndPeak(t *testing.T) {
	t.Parallel()
	before := pilot.Status{
		State: pilot.Launching, FurthestState: pilot.Launching, Attempt: 2, Launcher: "here-0", Job: pilot.Job{ID: "17"}, Cores: 4,
	}
	after, recorded, ok := before.Move(pilot.KindPendingActive)
	if !ok || recorded != pilot.KindPendingActive || after.State != pilot.PendingActive || after.FurthestState != pilot.PendingActive {
		t.Fatalf("moved to %+v as %v", after, recorded)
	}
	if after.Attempt != 2 || after.Launcher != "here-0" || after.Job.ID != "17" || after.Cores != 4 {
		t.Errorf("lost something: %+v", after)
	}
	if same, kind, ok := after.Move(pilot.KindSubmit); ok || kind != pilot.NoKind || same.State != pilot.PendingActive {
		t.Errorf("an illegal move gave %+v as %v", same, kind)
	}
}
