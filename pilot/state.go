package pilot

import (
	"fmt"
	"strings"
)

// State is where a pilot stands. The zero value is Unborn.
type State uint8

// The states. PendingLaunch to Active are the way up, in order; Canceling and
// Stopping are the way out once somebody asked for it; the last three are
// final. Canceling and Stopping are both CANCELING to users: they differ in
// whether the pilot was ever ACTIVE, without which a pilot that never ran
// could end DONE.
const (
	Unborn        State = iota // not in the log; NEW on the client's side
	PendingLaunch              // written down, not claimed by a launcher
	Launching                  // claimed: a launcher is about to submit, or has just submitted, the batch job
	PendingActive              // the batch system has the job
	Active                     // the agent holds the allocation
	Canceling                  // to be canceled, never was ACTIVE
	Stopping                   // to be canceled, was ACTIVE
	Done                       // did what was asked
	Canceled                   // ended because somebody asked for it
	Failed                     // ended for any other reason; the Cause says which
	numStates
)

var stateNames = [numStates]string{
	Unborn: "NEW", PendingLaunch: "PENDING_LAUNCH", Launching: "LAUNCHING",
	PendingActive: "PENDING_ACTIVE", Active: "ACTIVE", Canceling: "CANCELING",
	Stopping: "CANCELING", Done: "DONE", Canceled: "CANCELED", Failed: "FAILED",
}

// stoppingExact tells Stopping from Canceling in the log.
const stoppingExact = "CANCELING_ACTIVE"

// stateOf is the state of each name in the log.
var stateOf = func() map[string]State {
	of := map[string]State{}
	for s := range numStates {
		of[s.Exact()] = s
	}
	return of
}()

// States are all that users see, in order.
func States() []State {
	return []State{PendingLaunch, Launching, PendingActive, Active, Canceling, Done, Canceled, Failed}
}

// Finals are the states that are never left.
func Finals() []State { return []State{Done, Canceled, Failed} }

// String is the name users see; Canceling and Stopping share one.
func (s State) String() string {
	if s < numStates {
		return stateNames[s]
	}
	return fmt.Sprintf("STATE_%d", uint8(s))
}

// Exact is the name in the log: one for each state.
func (s State) Exact() string {
	if s == Stopping {
		return stoppingExact
	}
	return s.String()
}

// Final says whether the state is never left.
func (s State) Final() bool { return s >= Done && s < numStates }

// IsCanceling says whether the pilot is on its way out on request.
func (s State) IsCanceling() bool { return s == Canceling || s == Stopping }

// Live says whether the pilot is in the log and has not ended.
func (s State) Live() bool { return s > Unborn && s < Done }

// Order ranks states for "has it got this far": 1 for PENDING_LAUNCH up to 6
// for every final, 0 for Unborn.
func (s State) Order() int {
	switch {
	case s == Unborn || s >= numStates:
		return 0
	case s.Final():
		return 6
	case s.IsCanceling():
		return 5
	default:
		return int(s)
	}
}

// stateAliases are the spellings of RADICAL-Pilot: stored values of v0.25 to v0.35
// and constants of v1.103 (its states.py).
var stateAliases = map[string]State{
	"PENDINGLAUNCH": PendingLaunch, "PENDINGACTIVE": PendingActive,
	"PMGR_LAUNCHING_PENDING": PendingLaunch, "PMGR_LAUNCHING": Launching,
	"PMGR_ACTIVE_PENDING": PendingActive, "PMGR_ACTIVE": Active,
	"CANCELLING": Canceling, "CANCELLED": Canceled,
}

// ParseState reads a state's name as users write it, whatever the case, and
// the spellings of RADICAL-Pilot ("PendingLaunch", "PMGR_ACTIVE").
func ParseState(name string) (State, error) {
	if s, ok := stateOf[name]; ok { // as the log has it: no copy is made
		return s, nil
	}
	up := strings.ToUpper(strings.TrimSpace(name))
	if s, ok := stateOf[up]; ok {
		return s, nil
	}
	if s, ok := stateAliases[up]; ok {
		return s, nil
	}
	return Unborn, Errorf(Invalid, "%.64q is not a pilot state; one of %s", name, stateList())
}

func stateList() string {
	var b strings.Builder
	for i, s := range States() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.String())
	}
	return b.String()
}

// MarshalText gives the name users see.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseState reads.
func (s *State) UnmarshalText(text []byte) error {
	parsed, err := ParseState(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}
