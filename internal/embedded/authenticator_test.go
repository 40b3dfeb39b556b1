package embedded_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/sys/unix"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/pilot"
)

// startOwned starts a server that lets in the owner of its store.
func startOwned(t *testing.T) (*embedded.Server, *owner.Keys) {
	t.Helper()
	store := filepath.Join(t.TempDir(), "store")
	keys, err := owner.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	s, err := embedded.Start(t.Context(), embedded.Config{Store: store, Listen: "127.0.0.1:0", Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s, keys
}

// strangerDialer makes sockets of a user that is not ours: those that the thread of one
// goroutine makes while it is somebody else for file systems (setfsuid(2)), which is whom
// the kernel takes a socket to belong to.
type strangerDialer int

func (s strangerDialer) Dial(network, address string) (net.Conn, error) {
	type made struct {
		conn net.Conn
		err  error
	}
	done := make(chan made)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if _, err := unix.SetfsuidRetUid(int(s)); err != nil {
			done <- made{err: err}
			return
		}
		conn, err := net.Dial(network, address)
		done <- made{conn, err}
	}()
	m := <-done
	return m.conn, m.err
}

// seedOf gives an option that asks as who has the key in a file.
func seedOf(t *testing.T, path string) nats.Option {
	t.Helper()
	key, err := nats.NkeyOptionFromSeed(path)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// canPublish says whether a connection may publish to a subject.
func canPublish(t *testing.T, nc *nats.Conn, subject string) bool {
	t.Helper()
	before := nc.LastError()
	if err := errors.Join(nc.Publish(subject, nil), nc.Flush()); err != nil {
		t.Fatal(err)
	}
	return nc.LastError() == before //nolint:errorlint // is it the same one?
}

// canSubscribe says whether a connection may subscribe to a subject.
func canSubscribe(t *testing.T, nc *nats.Conn, subject string) bool {
	t.Helper()
	before := nc.LastError()
	_, err := nc.SubscribeSync(subject)
	if err := errors.Join(err, nc.Flush()); err != nil {
		t.Fatal(err)
	}
	return nc.LastError() == before //nolint:errorlint // is it the same one?
}

// TestALocalhostIsFoundByItsAddress: its name may lead to somebody else.
func TestALocalhostIsFoundByItsAddress(t *testing.T) {
	t.Parallel()
	store, state := filepath.Join(t.TempDir(), "store"), t.TempDir()
	getenv := func(name string) string { return map[string]string{"XDG_STATE_HOME": state}[name] }
	keys, err := owner.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	var announced *owner.Announced
	s, err := embedded.Start(t.Context(), embedded.Config{
		Store: store, Listen: "localhost:0", Keys: keys, Listening: func(url string) {
			announced, err = owner.Announce(getenv, owner.Service{URL: url, NKey: keys.Owner.File, AgentNKey: keys.Agent.File, Store: store})
			if err != nil {
				t.Error(err)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	defer announced.Withdraw(getenv)
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	for _, asked := range []string{s.URL(), "nats://localhost:" + u.Port()} {
		c, err := bus.Connect(t.Context(), bus.Config{URL: asked, Complete: owner.ConfigCompleter(getenv, nil)})
		if err != nil {
			t.Errorf("%s: %v", asked, err)
			continue
		}
		if at := c.NATS().ConnectedUrl(); net.ParseIP(u.Hostname()) == nil || at != s.URL() {
			t.Errorf("%s: connected to %s", asked, at)
		}
		c.Close()
	}
}

// TestWhoIsLetIn to a server of one owner: he, agents with their key, and agents without
// one that are processes of his.
func TestWhoIsLetIn(t *testing.T) {
	t.Parallel()
	s, keys := startOwned(t)
	agent := nats.Name("flightlog agent")
	forged, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := forged.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	const nobody, agents, all = "", "an agent", "the owner"
	for name, c := range map[string]struct {
		opts []nats.Option
		is   string
	}{
		"the owner":                           {[]nats.Option{seedOf(t, keys.Owner.File)}, all},
		"an agent":                            {[]nats.Option{seedOf(t, keys.Agent.File), nats.CustomInboxPrefix("_INBOX_agent")}, agents},
		"an agent without a key":              {[]nats.Option{agent}, agents},
		"a program without a key":             {nil, nobody},
		"one that is called otherwise":        {[]nats.Option{nats.Name("flightlog")}, nobody},
		"a key that nobody knows":             {[]nats.Option{nats.Nkey(foreign, forged.Sign)}, nobody},
		"the owner's key, signed by another":  {[]nats.Option{nats.Nkey(keys.Owner.Public, forged.Sign)}, nobody},
		"the agents' key, signed by another":  {[]nats.Option{agent, nats.Nkey(keys.Agent.Public, forged.Sign)}, nobody},
		"the owner's key, signed not at all":  {[]nats.Option{nats.Nkey(keys.Owner.Public, func([]byte) ([]byte, error) { return nil, nil })}, nobody},
		"a password":                          {[]nats.Option{agent, nats.UserInfo("owner", "")}, nobody},
		"a token":                             {[]nats.Option{agent, nats.Token(keys.Owner.Public)}, nobody},
		"the token of the page":               {[]nats.Option{nats.Token(keys.PageToken)}, nobody},
		"an agent of another user":            {[]nats.Option{agent, nats.SetCustomDialer(strangerDialer(1))}, nobody},
		"the owner, by way of another user's": {[]nats.Option{seedOf(t, keys.Owner.File), nats.SetCustomDialer(strangerDialer(1))}, all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(name, "another user") && os.Geteuid() != 0 {
				t.Skip("only root makes sockets of other users")
			}
			nc, err := nats.Connect(s.URL(), c.opts...)
			if c.is == nobody {
				if !errors.Is(err, nats.ErrAuthorization) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			owns := c.is == all
			for subject, want := range map[string]bool{
				"pilots.agent.local.localhost.m.p.beat": true, "pilots.api.pilot.submit": owns, "pilots.cmd.local.localhost.m.p.submit": owns,
				"pilots.evt.local.localhost.m.p": owns, "$JS.API.INFO": owns, "$JS.API.STREAM.DELETE.PILOTS": owns, "other": owns,
			} {
				if got := canPublish(t, nc, subject); got != want {
					t.Errorf("publish to %s: %v", subject, got)
				}
			}
			for subject, want := range map[string]bool{
				nc.NewInbox(): true, "pilots.>": owns, ">": owns, "pilots.agent.>": owns, "_INBOX_owner.>": owns,
			} {
				if got := canSubscribe(t, nc, subject); got != want {
					t.Errorf("subscribe to %s: %v", subject, got)
				}
			}
		})
	}
}

// TestWhoIsNotLetInIsToldWhatHelps, once and at once; no secret is told.
func TestWhoIsNotLetInIsToldWhatHelps(t *testing.T) {
	t.Parallel()
	s, _ := startOwned(t)
	_, others := startOwned(t)
	bare := strings.TrimPrefix(s.URL(), "nats://")
	file := filepath.Join(t.TempDir(), "nobody.json")
	if err := os.WriteFile(file, []byte(`{"url":"`+s.URL()+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  bus.Config
		want []string
	}{
		"no credentials": {bus.Config{URL: s.URL()}, []string{s.URL(), "without credentials", "--nkey", "--creds", "NATS_NKEY", "--open"}},
		"an nkey":        {bus.Config{URL: s.URL(), NKey: others.Owner.File}, []string{s.URL(), others.Owner.File, "among the users"}},
		"a user":         {bus.Config{URL: s.URL(), User: "ada", Password: "hush"}, []string{"user ada", "among the users"}},
		"a token":        {bus.Config{URL: s.URL(), Token: "hush"}, []string{"token", "among the users"}},
		"a context":      {bus.Config{Context: file}, []string{"its server refuses whom context " + file + " says", "names no credentials", "--nkey"}},
		"a URL":          {bus.Config{URL: "nats://ada:hush@" + bare}, []string{s.URL() + " refuses", "URL", "among the users"}},
	} {
		conn, err := bus.Connect(t.Context(), c.cfg)
		if pilot.CodeOf(err) != pilot.Denied {
			t.Errorf("%s: %v, %v", name, conn, err)
			continue
		}
		for _, word := range c.want {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: no %q in %v", name, word, err)
			}
		}
		if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWhoComesEarlyWaits until those who look for the server can find its keys.
func TestWhoComesEarlyWaits(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store")
	keys, err := owner.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan error, 1)
	var found atomic.Bool
	s, err := embedded.Start(t.Context(), embedded.Config{
		Store: store, Listen: "127.0.0.1:0", Keys: keys,
		Listening: func(url string) {
			begun := make(chan struct{})
			go func() {
				nc, err := nats.Connect(url, seedOf(t, keys.Owner.File), nats.SetCustomDialer(signalingDialer{begun}))
				if err == nil {
					if !found.Load() {
						err = errors.New("let in before it could be found")
					}
					nc.Close()
				}
				came <- err
			}()
			<-begun
			found.Store(true)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	if err := <-came; err != nil {
		t.Error(err)
	}
}

// signalingDialer says when it is connected.
type signalingDialer struct{ begun chan struct{} }

func (d signalingDialer) Dial(network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(context.Background(), network, address)
	close(d.begun)
	return c, err
}

// TestTheProcessItselfIsLetIn, to a server whose keys are not its own.
func TestTheProcessItselfIsLetIn(t *testing.T) {
	t.Parallel()
	s, _ := startOwned(t)
	conn, err := bus.Connect(t.Context(), bus.Config{InProcess: s})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Error(err)
	}
}
