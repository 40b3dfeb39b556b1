package auth_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/flightlog/flightlog/access"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/bus/auth"
)

const (
	here  = "site-a.host"
	there = "site-b.host"
)

// house is a server that knows the users of a directory.
type house struct {
	*auth.Set
	server *server.Server
	keys   bool // it knows users by these, in mode operator too
}

// directory makes one with these users.
func directory(t *testing.T, dir string, mode auth.Mode, users ...access.User) *auth.Set {
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

// build starts a server with the usual users.
func build(t *testing.T, mode auth.Mode, users ...access.User) *house {
	t.Helper()
	dir := t.TempDir()
	set := directory(t, filepath.Join(dir, "auth"), mode, users...)
	conf := "listen: 127.0.0.1:-1\njetstream { store_dir: " + filepath.Join(dir, "store") + " }\nmax_payload: 2MB\nleafnodes { listen: 127.0.0.1:-1 }\n" +
		"include auth/auth.conf\n"
	path := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return &house{Set: set, server: start(t, path)}
}

// start starts a server.
func start(t *testing.T, conf string) *server.Server {
	t.Helper()
	opts, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	return s
}

// usual are one user of each role, and a second site and tenant.
func usual() []access.User {
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
func (h *house) config(name string) bus.Config {
	cfg := bus.Config{URL: h.server.ClientURL(), InboxPrefix: "_INBOX_" + name, Name: name}
	if h.Mode == auth.Operator {
		cfg.Creds = h.Credentials(name)
	} else {
		cfg.NKey = h.Credentials(name)
	}
	return cfg
}

// as connects as a user.
func (h *house) as(t *testing.T, name string) *bus.Conn {
	t.Helper()
	c, err := bus.Connect(t.Context(), h.config(name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Cleanup(c.Close)
	return c
}

// manager connects as it, makes the log, and lets readers read.
func (h *house) manager(t *testing.T) *bus.Conn {
	t.Helper()
	m := h.as(t, "manager")
	if err := m.Ensure(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	h.serve(t, m)
	return m
}

// serve has a manager serve nothing but readers.
func (h *house) serve(t *testing.T, m *bus.Conn) {
	t.Helper()
	stop, err := m.Serve(t.Context(), bus.Service{Name: "readers", Version: "1.0.0", LookEvery: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

// both runs a test in both modes.
func both(t *testing.T, test func(t *testing.T, mode auth.Mode)) {
	for _, mode := range []auth.Mode{auth.NKey, auth.Operator} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			test(t, mode)
		})
	}
}
