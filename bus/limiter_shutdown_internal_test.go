package bus

import (
	"testing"

	"github.com/flightlog/flightlog/pilot"
)

// TestWhoLeavesIsNamed: what a launcher does not answer any more is not said to be
// refused by a replica of the manager, whether it waits or comes later.
func TestWhoLeavesIsNamed(t *testing.T) {
	t.Parallel()
	for _, who := range []string{roleReplica, roleLauncher} {
		q := newRequestLimiter(1, who)
		began, release := make(chan struct{}), make(chan struct{})
		q.handleOrQueue(queuedRequest{timeout: maxCallerTimeout, handle: func() { close(began); <-release }, reject: func(err error) { t.Error(err) }})
		<-began
		var refused []error
		refuse := func(err error) { refused = append(refused, err) }
		waits := queuedRequest{timeout: maxCallerTimeout, handle: func() { t.Error("answered") }, reject: func(err error) { refuse(err); close(release) }}
		q.handleOrQueue(waits)
		q.close()
		q.handleOrQueue(queuedRequest{timeout: maxCallerTimeout, handle: func() { t.Error("answered") }, reject: refuse})
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
