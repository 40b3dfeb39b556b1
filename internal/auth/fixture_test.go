package auth_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/internal/embedded"
)

const (
	here  = "site-a.host"
	there = "site-b.host"

	// hangs is after how long something is said to hang: no test fails because the machine is busy.
	hangs = 2 * time.Minute
)

// fixture is a server that knows the users of a directory.
type fixture struct {
	*auth.Set
	server *server.Server
	keys   bool // it knows users by these, in mode operator too
}

// newDirectory makes one with these users.
func newDirectory(t *testing.T, dir string, mode auth.Mode, users ...access.User) *auth.Set {
	t.Helper()
	set, err := auth.Init(dir, mode)
	if err == nil {
		_, err = set.Add(users...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// newFixture starts a server with the usual users.
func newFixture(t *testing.T, mode auth.Mode, users ...access.User) *fixture {
	t.Helper()
	dir := t.TempDir()
	set := newDirectory(t, filepath.Join(dir, "auth"), mode, users...)
	conf := "listen: 127.0.0.1:-1\njetstream { store_dir: " + filepath.Join(dir, "store") + " }\nmax_payload: 2MB\nleafnodes { listen: 127.0.0.1:-1 }\n" +
		"include auth/auth.conf\n"
	path := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return &fixture{Set: set, server: startServer(t, path)}
}

// startServer starts a server.
func startServer(t *testing.T, conf string) *server.Server {
	t.Helper()
	opts, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog, opts.AuthTimeout = true, true, hangs.Seconds()
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(hangs) {
		t.Fatal("the server does not start")
	}
	return s
}

// usualUsers are one user of each role, and a second site and tenant.
func usualUsers() []access.User {
	return []access.User{
		{Role: access.Admin},
		{Role: access.Manager},
		{Role: access.Client},
		{Role: access.Client, Name: "watcher", Watch: true},
		{Role: access.Subscriber},
		{Role: access.Launcher, Resource: here},
		{Role: access.Launcher, Resource: there},
		{Role: access.Agent, Resource: here},
		{Role: access.Manager, Tenant: "other"},
		{Role: access.Client, Tenant: "other"},
	}
}

// config is how a process of the user connects.
func (h *fixture) config(name string) bus.Config {
	cfg := bus.Config{URL: h.server.ClientURL(), InboxPrefix: "_INBOX_" + name, Name: name}
	if h.Mode == auth.Operator {
		cfg.Creds = h.CredentialsPath(name)
	} else {
		cfg.NKey = h.CredentialsPath(name)
	}
	return cfg
}

// connectAs connects as a user.
func (h *fixture) connectAs(t *testing.T, name string) *bus.Conn {
	t.Helper()
	c, err := bus.Connect(t.Context(), h.config(name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Cleanup(c.Close)
	return c
}

// connectManager connects as it, makes the log, and lets readers read.
func (h *fixture) connectManager(t *testing.T) *bus.Conn {
	t.Helper()
	m := h.connectAs(t, "manager")
	if err := m.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	h.serve(t, m)
	return m
}

// serve has a manager serve nothing but readers.
func (h *fixture) serve(t *testing.T, m *bus.Conn) {
	t.Helper()
	stop, err := m.Serve(t.Context(), bus.Service{Name: "readers", Version: "1.0.0", UserCheckEvery: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

// inBothModes runs a test in both modes.
func inBothModes(t *testing.T, test func(t *testing.T, mode auth.Mode)) {
	for _, mode := range []auth.Mode{auth.NKey, auth.Operator} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			test(t, mode)
		})
	}
}

// startEmbedded starts a server in this process that lets in the usual users, by their keys.
func startEmbedded(t *testing.T) (*auth.Set, *embedded.Server) {
	t.Helper()
	dir := t.TempDir()
	set := newDirectory(t, filepath.Join(dir, "auth"), auth.NKey, usualUsers()...)
	s, err := embedded.Start(t.Context(), embedded.Config{Store: filepath.Join(dir, "store"), Listen: "127.0.0.1:0", Auth: set.ConfPath()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return set, s
}
