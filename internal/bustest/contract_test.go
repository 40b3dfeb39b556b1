package bustest_test

import (
	"context"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/bustest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	bustest.TestLog(t, func(*testing.T) bustest.Rig {
		m := bustest.NewMemory()
		return bustest.Rig{Log: m, Put: func(subject string, payload []byte) { m.Put(subject, payload) }}
	})
}

func TestOneServerKeepsTheContract(t *testing.T) {
	t.Parallel()
	bustest.TestLog(t, func(t *testing.T) bustest.Rig {
		r := bustest.NewRestartable(t)
		c := bustest.Connect(t, r.Server())
		rig := rigOf(t, c, 1)
		rig.Restart = r.Restart
		return rig
	})
}

func TestClusterKeepsTheContract(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers and their elections")
	}
	t.Parallel()
	servers := bustest.StartCluster(t, 3)
	var turn sync.Mutex // an account has one log
	bustest.TestLog(t, func(t *testing.T) bustest.Rig {
		turn.Lock()
		t.Cleanup(turn.Unlock)
		c := bustest.Connect(t, servers...)
		rig := rigOf(t, c, 3)
		t.Cleanup(func() { deleteStream(t, c, "PILOTS") })
		return rig
	})
}

// deleteStream removes a stream.
func deleteStream(t *testing.T, c *bus.Conn, stream string) {
	t.Helper()
	js, err := jetstream.New(c.NATS())
	if err == nil {
		err = js.DeleteStream(context.WithoutCancel(t.Context()), stream)
	}
	if err != nil {
		t.Error(err)
	}
}

func rigOf(t *testing.T, c *bus.Conn, replicas int) bustest.Rig {
	t.Helper()
	if err := c.EnsureStream(t.Context(), bus.StreamConfig{Replicas: replicas}); err != nil {
		t.Fatal(err)
	}
	l, err := c.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return bustest.Rig{Log: l, Put: func(subject string, payload []byte) {
		if _, err := c.NATS().RequestMsg(&nats.Msg{Subject: subject, Data: payload}, nats.DefaultTimeout*5); err != nil {
			t.Fatal(err)
		}
	}}
}
