package bustest

import (
	"testing"

	"github.com/flightlog/flightlog/bus"
)

// JetStream starts a server with its own store and port for this test.
func JetStream(t testing.TB) *bus.Server {
	t.Helper()
	s, err := bus.Embed(t.Context(), bus.ServerConfig{Store: t.TempDir(), Listen: "127.0.0.1:0", Sync: "2m"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

// Connect connects to a server for the length of this test.
func Connect(t testing.TB, s *bus.Server) *bus.Conn {
	t.Helper()
	c, err := bus.Connect(t.Context(), bus.Config{URL: s.URL(), Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Ready starts a server and gives a connection to it, with an empty log made.
func Ready(t testing.TB) *bus.Conn {
	t.Helper()
	c := Connect(t, JetStream(t))
	if err := c.Ensure(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	return c
}
