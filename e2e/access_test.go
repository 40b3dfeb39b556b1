package e2e_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// authFixture is a house whose bus knows its users, made by the command line.
type authFixture struct {
	*fixture
	auth string // directory of the credentials
	mode string
	nats *server.Server // nil: it is in another process
}

// reloadUsers has the server read the users again.
func (g *authFixture) reloadUsers() {
	g.t.Helper()
	if err := g.nats.Reload(); err != nil {
		g.t.Fatal(err)
	}
}

func newAuthFixture(t *testing.T, mode string) *authFixture {
	t.Helper()
	g := &authFixture{fixture: newFixture(t), mode: mode}
	g.auth = filepath.Join(g.dir, "auth")
	if _, code := g.runCLI("auth", "init", "--dir", g.auth, "--mode", mode); code != 0 {
		t.Fatal("auth init failed")
	}
	conf := "listen: " + g.listen + "\nmax_payload: 2MB\njetstream { store_dir: " + g.store() + " }\n" +
		"log_file: " + filepath.Join(g.dir, "nats.log") + "\ninclude auth/auth.conf\n"
	path := filepath.Join(g.dir, "nats.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(path)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs = true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.ConfigureLogger()
	g.nats = s
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	return g
}

func (g *authFixture) store() string { return filepath.Join(g.dir, "js") }

// credentials is the file of a user.
func (g *authFixture) credentials(user string) string {
	if g.mode == "operator" {
		return filepath.Join(g.auth, "creds", user+".creds")
	}
	return filepath.Join(g.auth, "creds", user+".nk")
}

// startAs starts a part as a user.
func (g *authFixture) startAs(user, name string, env []string, args ...string) {
	g.t.Helper()
	said, err := os.ReadFile(filepath.Join(g.auth, "creds", user+".env"))
	if err != nil {
		g.t.Fatal(err)
	}
	p := &process{fixture: g.fixture, name: programIn(binDir, name), args: args, env: append(strings.Fields(string(said)), env...)}
	p.start()
}

// startComponents starts a manager and a launcher, each as its own user; they reach the
// bus at an address.
func (g *authFixture) startComponents(at string) {
	url := []string{"NATS_URL=nats://" + at}
	g.startAs("manager", "manager", url, "--log-level", "debug")
	agent := "--agent-nkey"
	if g.mode == "operator" {
		agent = "--agent-creds"
	}
	g.startAs("launcher-local-localhost", "launcher", url, "--log-level", "debug", "--state", filepath.Join(g.dir, "state"),
		agent, g.credentials("agent-local-localhost"), "--agent-inbox-prefix", "_INBOX_agent-local-localhost")
}

// connectAs connects as a user.
func (g *authFixture) connectAs(user string) *client.Client {
	g.t.Helper()
	cfg := bus.Config{URL: "nats://" + g.listen, InboxPrefix: "_INBOX_" + user}
	if g.mode == "operator" {
		cfg.Creds = g.credentials(user)
	} else {
		cfg.NKey = g.credentials(user)
	}
	ctx, cancel := context.WithTimeout(g.t.Context(), 30*time.Second)
	defer cancel()
	c, err := client.Connect(ctx, "", client.WithBus(cfg), client.WithTimeout(time.Minute))
	if err != nil {
		g.t.Fatalf("%s: %v", user, err)
	}
	g.t.Cleanup(c.Close)
	return c
}

// TestE2EAccess: every part does its work with the least that it needs, and no
// secret is seen anywhere but where it belongs.
func TestE2EAccess(t *testing.T) {
	for _, mode := range []string{"nkey", "operator"} {
		t.Run(mode, func(t *testing.T) {
			g := newAuthFixture(t, mode)
			tap := newRecordingProxy(t, g.listen)
			g.startComponents(tap.address)
			m := g.createManager(g.connectAs("client"))

			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() { ended <- watchEnds(ctx, g.connectAs("subscriber"), m.UID(), 3) }()

			hold := filepath.Join(g.dir, "hold")
			if err := os.WriteFile(hold, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			running := submit(t, m, shellPilot("echo so far; echo oops >&2; while [ -e "+hold+" ]; do sleep 0.1; done"))
			submit(t, m, shellPilot("exit 3"), shellPilot("echo out; echo err >&2; env"))
			awaitState(t, running[0], pilot.Active)
			g.expectOutput(running[0], api.OutputAnswer{Stdout: "so far\n", Stderr: "oops\n"})
			secrets := append(tap.secrets(), g.allSeeds()...)
			searchProcesses(t, secrets)
			if err := os.Remove(hold); err != nil {
				t.Fatal(err)
			}
			awaitAll(t, m)
			if err := <-ended; err != nil {
				t.Fatalf("subscriber: %v", err)
			}
			p, err := running[0].Get(t.Context())
			if err != nil || p.State != pilot.Done {
				t.Fatalf("%v %+v", err, p)
			}
			secrets = append(tap.secrets(), g.allSeeds()...)
			if len(tap.secrets()) < 3 {
				t.Fatalf("the tap has %d secrets: it sees nothing", len(tap.secrets()))
			}
			g.searchFiles(secrets)
			for _, args := range [][]string{{"history"}, {"logs"}, {"get", "-o", "json"}, {"explain"}} {
				g.searchOutput(secrets, append(args, "-m", m.UID(), running[0].UID()))
			}
		})
	}
}

// expectOutput sees what a pilot that runs has printed, as a client and as the command line.
func (g *authFixture) expectOutput(p *client.Pilot, want api.OutputAnswer) {
	g.t.Helper()
	over := time.Now().Add(time.Minute)
	for out := (api.OutputAnswer{}); out != want; time.Sleep(20 * time.Millisecond) { // between two looks
		var err error
		if out, err = p.Output(g.t.Context()); err != nil || time.Now().After(over) {
			g.t.Fatalf("it prints %q, %v", out, err)
		}
	}
	out, code := g.runCLI(append([]string{"logs", "-m", p.Manager().UID(), "-o", "quiet", p.UID()}, g.userFlags("client")...)...)
	if code != 0 || out != want.Stdout {
		g.t.Errorf("logs: exit %d, %q", code, out)
	}
}

// watchEnds reads the log from its beginning until that many pilots of a manager have ended.
func watchEnds(ctx context.Context, c *client.Client, manager pilot.UID, n int) error {
	for ch, err := range c.Watch(ctx, client.WatchOptions{Manager: manager, Replay: client.ReplayAll}) {
		if err != nil {
			return err
		}
		if ch.Moved() && ch.Pilot.State.Final() {
			n--
		}
		if n == 0 {
			return nil
		}
	}
	return nil
}

// TestE2EUpWithUsers: the single process with its users known.
func TestE2EUpWithUsers(t *testing.T) {
	g := &authFixture{fixture: newFixture(t), mode: "nkey"}
	g.auth = filepath.Join(g.dir, "auth")
	if _, code := g.runCLI("auth", "init", "--dir", g.auth); code != 0 {
		t.Fatal("auth init failed")
	}
	page := g.upWithPage("--auth", filepath.Join(g.auth, "auth.conf"))
	m := g.createManager(g.connectAs("client"))
	p := submit(t, m, shellPilot("true"))[0]
	awaitState(t, p, pilot.Done)
	if _, err := bus.Connect(t.Context(), bus.Config{URL: "nats://" + g.listen}); pilot.CodeOf(err) != pilot.Denied {
		t.Errorf("a stranger: %v", err)
	}
	if code, body := httpGet(t, page+"/api/marks"); code != http.StatusOK {
		t.Errorf("its owner asks the page: %d %s", code, body)
	}
	if curl, err := exec.LookPath("curl"); err == nil && os.Geteuid() == 0 {
		if code, _, _ := g.runAs(otherUser(t), nil, curl, "-s", "-o", "/dev/null", "-w", "%{http_code}", page+"/api/marks"); code != "403" {
			t.Errorf("another user asks the page: %s", code)
		}
	}
}

// TestE2EUpReadsUsersAgain: at a hangup those who were added get in, those who
// were revoked are put out, and pilots notice nothing.
func TestE2EUpReadsUsersAgain(t *testing.T) {
	g := &authFixture{fixture: newFixture(t), mode: "nkey"}
	g.auth = filepath.Join(g.dir, "auth")
	auth := func(args ...string) {
		t.Helper()
		if _, code := g.runCLI(append(append([]string{"auth"}, args...), "--dir", g.auth)...); code != 0 {
			t.Fatal("auth failed")
		}
	}
	auth("init")
	auth("add", "client", "--name", "anna")
	up := g.startProcess("flightlog", "up", "--store", filepath.Join(g.dir, "store"), "--listen", g.listen, "--auth", filepath.Join(g.auth, "auth.conf"))
	hangup := func(said string) {
		t.Helper()
		up.signal(syscall.SIGHUP)
		if lines := g.awaitLines(expectedLine{"flightlog.log", []string{said}}, time.Now().Add(time.Minute)); len(lines) == 0 {
			t.Fatalf("it does not say %q", said)
		}
	}
	enter := func(seed string) (*nats.Conn, <-chan struct{}, error) {
		t.Helper()
		key, err := nats.NkeyOptionFromSeed(seed)
		if err != nil {
			t.Fatal(err)
		}
		closed := make(chan struct{})
		nc, err := nats.Connect("nats://"+g.listen, key, nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
		return nc, closed, err
	}
	hold := filepath.Join(g.dir, "hold")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m := g.createManager(g.connectAs("client"))
	p := submit(t, m, shellPilot("while [ -e "+hold+" ]; do sleep 0.1; done"))[0]
	awaitState(t, p, pilot.Active)
	anna := filepath.Join(g.dir, "copy.nk") // revoke removes the file
	if err := os.Link(g.credentials("anna"), anna); err != nil {
		t.Fatal(err)
	}
	_, annaIsOut, err := enter(anna)
	if err != nil {
		t.Fatal(err)
	}

	auth("add", "client", "--name", "ben")
	if _, _, err := enter(g.credentials("ben")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("before the hangup: %v", err)
	}
	auth("revoke", "anna")
	hangup("users read again")
	<-annaIsOut
	if _, _, err := enter(anna); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("anna: %v", err)
	}
	ben, benIsOut, err := enter(g.credentials("ben"))
	if err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(filepath.Join(g.auth, "auth.conf"), []byte("accounts {"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangup("users not read again")
	select {
	case <-benIsOut:
		t.Error("ben is out, though nobody revoked him")
	default:
	}
	ben.Close()
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	awaitState(t, p, pilot.Done)
}
