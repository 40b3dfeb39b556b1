package bustest_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/pilot"
)

func TestMemorySharesLikeTheBus(t *testing.T) {
	t.Parallel()
	t.Run("inbox", func(t *testing.T) {
		bustest.TestQueue(t, func(*testing.T) bustest.QueueRig {
			m := bustest.NewMemory()
			return bustest.QueueRig{
				Rig: bustest.Rig{Log: m, Put: func(subject string, payload []byte) { m.Put(subject, payload) }},
				Join: func(cfg bus.CommandQueueConfig) (bustest.Queue, func()) {
					i := m.CommandQueue("local.localhost", cfg)
					return i, i.Kill
				},
			}
		})
	})
	t.Run("leases", func(t *testing.T) {
		bustest.TestLeases(t, func(*testing.T) bustest.LeaseRig {
			m := bustest.NewMemory()
			return bustest.LeaseRig{Join: func(ttl time.Duration) (bustest.Leases, func()) {
				l := m.Leases(ttl)
				return l, l.Kill
			}}
		})
	})
}

func TestOneServerShares(t *testing.T) {
	t.Parallel()
	sharesQueue(t, 1, func(t *testing.T) []*embedded.Server { return []*embedded.Server{bustest.StartServer(t)} })
}

func TestAClusterShares(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers and their elections")
	}
	t.Parallel()
	servers := bustest.StartCluster(t, 3)
	var turn sync.Mutex
	sharesQueue(t, 3, func(t *testing.T) []*embedded.Server {
		turn.Lock()
		t.Cleanup(turn.Unlock)
		return servers
	})
}

// sharesQueue checks inboxes and leases on servers that hold nothing yet, or
// nothing any more: a test forgets what it made.
func sharesQueue(t *testing.T, replicas int, servers func(t *testing.T) []*embedded.Server) {
	t.Helper()
	bustest.TestQueue(t, func(t *testing.T) bustest.QueueRig {
		on := servers(t)
		c := bustest.Connect(t, on...)
		rig := rigOf(t, c, replicas)
		t.Cleanup(func() { deleteStream(t, c, "PILOTS") })
		return bustest.QueueRig{Rig: rig, Join: func(cfg bus.CommandQueueConfig) (bustest.Queue, func()) {
			c := bustest.Connect(t, on...)
			i, err := c.CommandQueue(t.Context(), "local.localhost", cfg)
			if err != nil {
				t.Fatal(err)
			}
			return i, c.NATS().Close
		}}
	})
	bustest.TestLeases(t, func(t *testing.T) bustest.LeaseRig {
		on := servers(t)
		c := bustest.Connect(t, on...)
		t.Cleanup(func() { deleteStream(t, c, "KV_PILOTS_LEASES") })
		return bustest.LeaseRig{Join: func(ttl time.Duration) (bustest.Leases, func()) {
			c := bustest.Connect(t, on...)
			l, err := c.Leases(t.Context(), ttl, replicas)
			if err != nil {
				t.Fatal(err)
			}
			return l, c.NATS().Close
		}}
	})
}

// In a bubble a dead process's command comes again when its time is over, and
// not a moment earlier.
func TestMemoryLivesByTheBubblesClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := bustest.NewMemory()
		k := pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: "p"}
		if _, err := m.Append(t.Context(), &events.Event{
			ID: "b", Class: events.ClassCommand, Key: k, Kind: events.Submit, Submission: &events.Submission{},
		}); err != nil {
			t.Fatal(err)
		}
		first := m.CommandQueue(k.Resource, bus.CommandQueueConfig{AckWait: time.Hour})
		for _, err := range first.Receive(t.Context()) {
			if err != nil {
				break
			}
			first.Kill()
		}
		died := time.Now()
		for d, err := range m.CommandQueue(k.Resource, bus.CommandQueueConfig{}).Receive(t.Context()) {
			if err != nil || d.Count != 2 || time.Since(died) != time.Hour {
				t.Errorf("it came for the %d. time after %s, %v", d.Count, time.Since(died), err)
			}
			break
		}
	})
}
