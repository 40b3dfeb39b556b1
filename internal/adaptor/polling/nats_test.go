package polling_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/polling"
	"github.com/flightlog/flightlog/internal/bustest"
)

// TestOverTheBus has five launchers with connections of their own share a
// scheduler, and kills whoever is elected, once by its context and once by its
// connection.
func TestOverTheBus(t *testing.T) {
	t.Parallel()
	const short, lease = 100 * time.Millisecond, 3 * time.Second
	server := bustest.StartServer(t)
	var s, other fakeScheduler
	type launcher struct {
		*polling.Poller
		die func()
	}
	var alive []*launcher
	for i := range 5 {
		conn := bustest.Connect(t, server)
		leases, err := conn.Leases(t.Context(), lease, 1)
		if err != nil {
			t.Fatal(err)
		}
		for endpoint, at := range map[string]*fakeScheduler{"site.e": &s, "site.f": &other} {
			p, err := polling.New(polling.Config{
				Endpoint: endpoint, LauncherID: fmt.Sprintf("launcher-%d", i), Bus: conn, Leases: leases, Query: at.query, Floor: short,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Close)
			die := p.Close
			if i%2 == 0 {
				die = conn.Close
			}
			if endpoint == "site.e" {
				alive = append(alive, &launcher{p, die})
			}
		}
	}
	began := time.Now()
	for round := range 3 {
		var asking sync.WaitGroup
		for _, l := range alive {
			asking.Go(func() {
				for range 5 {
					after := time.Now()
					listing, err := l.ListAfter(t.Context(), after)
					if err != nil {
						t.Errorf("round %d: %v", round, err)
						return
					}
					s.expectFresh(t, listing, after)
				}
			})
		}
		asking.Wait()
		// Counted, not timed: when a query reaches the scheduler is up to the machine.
		if n, most := len(s.queries()), int(time.Since(began)/short)+1+round; n > most {
			t.Errorf("round %d: %d queries in all, want at most %d", round, n, most)
		}
		for i, l := range alive {
			if l.IsElected() {
				l.die()
				alive = append(alive[:i:i], alive[i+1:]...)
				break
			}
		}
		if len(alive) != 4-round {
			t.Fatalf("after round %d there are %d", round, len(alive))
		}
	}
	if n := len(other.queries()); n != 0 {
		t.Errorf("%d queries of an endpoint that nobody asked about", n)
	}
}
