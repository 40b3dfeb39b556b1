package bustest

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/embedded"
)

// StartServer starts a server with its own store and port for this test. It is
// as safe against kill -9 as any, but not against a power failure.
func StartServer(t testing.TB) *embedded.Server {
	t.Helper()
	return startServer(t, serverConfig(t))
}

// serverConfig is that of a server on a free port.
func serverConfig(t testing.TB) embedded.Config {
	t.Helper()
	return embedded.Config{Store: t.TempDir(), Listen: freePort(t), Sync: "2m"}
}

func startServer(t testing.TB, cfg embedded.Config) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

// Connect connects to a server for the length of this test.
func Connect(t testing.TB, servers ...*embedded.Server) *bus.Conn {
	t.Helper()
	urls := make([]string, len(servers))
	for i, s := range servers {
		urls[i] = s.URL()
	}
	c, err := bus.Connect(t.Context(), bus.Config{URL: strings.Join(urls, ","), Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// ConnectReady starts a server and gives a connection to it, with an empty log made.
func ConnectReady(t testing.TB) *bus.Conn {
	t.Helper()
	c := Connect(t, StartServer(t))
	if err := c.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	return c
}

// StartCluster starts n servers that form a cluster, for this test.
func StartCluster(t testing.TB, n int) []*embedded.Server {
	t.Helper()
	configs := make([]embedded.Config, n)
	routes := make([]string, n)
	for i := range configs {
		configs[i] = serverConfig(t)
		configs[i].Cluster = &embedded.Cluster{Name: fmt.Sprintf("n%d", i), Listen: freePort(t)}
		routes[i] = "nats://" + configs[i].Cluster.Listen
	}
	servers := make([]*embedded.Server, n)
	var wg sync.WaitGroup
	for i := range configs { // together: one by one they wait seconds for each other
		configs[i].Cluster.Routes = routes
		wg.Go(func() {
			s, err := embedded.Start(t.Context(), configs[i])
			if err != nil {
				t.Error(err)
				return
			}
			servers[i] = s
			t.Cleanup(s.Shutdown)
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return servers
}

// freePort is an address nobody listens on; a server that is started again
// needs the one it had.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
