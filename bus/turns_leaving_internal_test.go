package bus

import (
	"testing"

	"github.com/flightlog/flightlog/pilot"
)

// TestWhoLeavesIsNamed: what a launcher does not answer any more is not said to be
// refused by a replica of the manager, whether it waits or comes later.
func TestWhoLeavesIsNamed(t *testing.T) {
	t.Parallel()
	for _, who := range []string{replica, launcher} {
		q := newTurns(1, who)
		began, release := make(chan struct{}), make(chan struct{})
		q.take(turn{patience: maxPatience, answer: func() { close(began); <-release }, refuse: func(err error) { t.Error(err) }})
		<-began
		var refused []error
		refuse := func(err error) { refused = append(refused, err) }
		waits := turn{patience: maxPatience, answer: func() { t.Error("answered") }, refuse: func(err error) { refuse(err); close(release) }}
		q.take(waits)
		q.close()
		q.take(turn{patience: maxPatience, answer: func() { t.Error("answered") }, refuse: refuse})
		if len(refused) != 2 {
			t.Fatalf("%s: refused are %v", who, refused)
		}
		for _, err := range refused {
			if want := pilot.Errorf(pilot.Unavailable, "this %s is leaving", who); err.Error() != want.Error() || pilot.CodeOf(err) != pilot.Unavailable {
				t.Errorf("%s: %v", who, err)
			}
		}
	}
}
