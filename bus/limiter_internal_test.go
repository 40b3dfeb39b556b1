package bus

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/pilot"
)

// TestTurnsComeInOrder: of any number of requests, as many as the limit says are
// answered at once, as many wait as there is room for, the others are refused;
// whichever answer ends, the request that has waited longest is next.
func TestTurnsComeInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit, fit := rapid.IntRange(1, 4).Draw(t, "limit"), rapid.IntRange(0, 8).Draw(t, "fit")
		all := rapid.IntRange(0, 20).Draw(t, "all")
		q := newRequestLimiter(limit, roleReplica)
		q.maxWaitingBytes = fit*(waitingOverhead+100) + 99
		began := make(chan int)
		release := make([]chan struct{}, all)
		var running, refused []int
		for id := range all {
			release[id] = make(chan struct{})
			q.handleOrQueue(queuedRequest{
				size: 100, timeout: maxCallerTimeout,
				handle: func() { began <- id; <-release[id] },
				reject: func(err error) {
					if pilot.CodeOf(err) != pilot.Unavailable {
						t.Errorf("refused with %v", err)
					}
					refused = append(refused, id)
				},
			})
			if id < limit {
				running = append(running, <-began)
			}
		}
		if want := max(0, all-limit-fit); len(refused) != want || want > 0 && refused[0] != limit+fit {
			t.Fatalf("limit %d, room for %d: of %d these were refused: %v", limit, fit, all, refused)
		}
		if r, w := q.counts(); r != min(all, limit) || w != all-r-len(refused) {
			t.Fatalf("%d are answered and %d wait", r, w)
		}
		for next := limit; len(running) > 0; next++ {
			i := rapid.IntRange(0, len(running)-1).Draw(t, "which ends")
			close(release[running[i]])
			running = slices.Delete(running, i, i+1)
			if next < all-len(refused) {
				if id := <-began; id != next {
					t.Fatalf("%d began instead of %d", id, next)
				}
				running = append(running, next)
			}
		}
		q.close()
		if r, w := q.counts(); r+w+q.waitingBytes != 0 {
			t.Errorf("at the end %d are answered, %d wait, of %d bytes", r, w, q.waitingBytes)
		}
	})
}
