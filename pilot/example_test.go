package pilot_test

import (
	"fmt"

	"github.com/flightlog/flightlog/pilot"
)

// A status moves only as the transition table allows.
func ExampleStatus_Move() {
	s := pilot.Status{State: pilot.PendingLaunch, FurthestState: pilot.PendingLaunch}
	for _, kind := range []pilot.Kind{pilot.KindLaunching, pilot.KindDone} {
		after, _, ok := s.Move(kind)
		fmt.Println(s.State, kind, ok)
		s = after
	}
	// Output:
	// PENDING_LAUNCH launching true
	// LAUNCHING done false
}
