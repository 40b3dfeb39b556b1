package bus_test

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/flightlog/flightlog/bus"
)

// runServer runs a server until the end of the test, or earlier.
func runServer(t *testing.T, opts server.Options) *server.Server {
	t.Helper()
	opts.Host, opts.NoLog, opts.NoSigs = "127.0.0.1", true, true
	s, err := server.NewServer(&opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	return s
}

// TestLeasesOutliveAnOutageBehindALeafNode: a bus that was away behind a server
// that stayed connected is no reason to believe that holders are dead.
func TestLeasesOutliveAnOutageBehindALeafNode(t *testing.T) {
	t.Parallel()
	const ttl = 2 * time.Second
	opts := server.Options{Port: server.RANDOM_PORT, JetStream: true, JetStreamDomain: "hub", StoreDir: t.TempDir()}
	opts.LeafNode.Host, opts.LeafNode.Port = "127.0.0.1", server.RANDOM_PORT
	hub := runServer(t, opts)
	vars, err := hub.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	opts.LeafNode.Port = vars.LeafNode.Port
	at := &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(vars.LeafNode.Port))}
	leafOpts := server.Options{Port: server.RANDOM_PORT}
	leafOpts.LeafNode.ReconnectInterval = 100 * time.Millisecond
	leafOpts.LeafNode.Remotes = []*server.RemoteLeafOpts{{URLs: []*url.URL{at}}}
	leaf := runServer(t, leafOpts)
	for from, to := range map[string]string{"$JS.API.>": "$JS.hub.API.>", "$KV.>": "$JS.hub.API.$KV.>"} {
		if err := leaf.GlobalAccount().AddMapping(from, to); err != nil {
			t.Fatal(err)
		}
	}
	c, err := bus.Connect(t.Context(), bus.Config{URL: leaf.ClientURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	leases, err := c.Leases(t.Context(), ttl, 1)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = leases.Hold(t.Context(), "mine", "me") }()
	ask := func(done func(alive bool, err error) bool) {
		t.Helper()
		over := time.Now().Add(time.Minute)
		look := func() (bool, error) {
			ctx, stop := context.WithTimeout(t.Context(), ttl/2)
			defer stop()
			return leases.Alive(ctx, "theirs")
		}
		for !done(look()) {
			if time.Now().After(over) {
				t.Fatal("nothing changes for a minute")
			}
		}
	}
	ask(func(_ bool, err error) bool { return err == nil }) // nobody has had it for as long as it lasts
	hub.Shutdown()
	hub.WaitForShutdown()
	ask(func(_ bool, err error) bool { return err != nil })
	runServer(t, opts)
	early := false
	ask(func(_ bool, err error) bool {
		early = early || err != nil && strings.Contains(err.Error(), "too early")
		return err == nil
	})
	if !early {
		t.Error("right after an outage it knows that a holder is dead")
	}
	if !c.Connected() {
		t.Error("the connection was lost too: the test shows nothing")
	}
}
