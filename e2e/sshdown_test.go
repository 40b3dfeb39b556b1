package e2e_test

import (
	"crypto/ed25519"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	sshagent "golang.org/x/crypto/ssh/agent"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/adaptor/runner/sshtest"
	"github.com/flightlog/flightlog/pilot"
)

// sshServer is an sshd of the test's own, which takes one key, for this user.
type sshServer struct {
	*sshtest.Client
	user string
	addr *net.TCPAddr
	host ssh.PublicKey
	key  ed25519.PrivateKey
}

// startSSHServer starts it; the test is skipped where there is none.
func startSSHServer(t *testing.T) *sshServer {
	t.Helper()
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		sshd = "/usr/sbin/sshd"
	}
	if _, err := os.Stat(sshd); err != nil {
		t.Skip("there is no sshd here")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sshServer{Client: sshtest.NewClient(t), user: me.Username, key: sshtest.NewKey(t)}
	s.addr, _ = l.Addr().(*net.TCPAddr)
	l.Close()
	host := sshtest.NewKey(t)
	s.host = publicKey(t, host)
	s.WriteFile("authorized", string(ssh.MarshalAuthorizedKey(publicKey(t, s.key))))
	config := s.WriteFile("sshd_config", fmt.Sprintf("ListenAddress 127.0.0.1:%d\nHostKey %s\nPidFile none\nAuthorizedKeysFile %s/authorized\n"+
		"StrictModes no\nAuthenticationMethods publickey\nPermitRootLogin prohibit-password\nUsePAM no\nUseDNS no\nMaxStartups 100\n",
		s.addr.Port, s.WriteKey("host", host, ""), s.Dir))
	cmd := exec.Command(sshd, "-D", "-f", config, "-E", filepath.Join(s.Dir, "sshd.log"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return s
}

func publicKey(t *testing.T, key ed25519.PrivateKey) ssh.PublicKey {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer.PublicKey()
}

// startAgent is an ssh-agent at a socket of that name; it has the key if it holds it.
func (s *sshServer) startAgent(t *testing.T, name string, holds bool) sshagent.Agent {
	t.Helper()
	ring := sshagent.NewKeyring()
	if holds {
		if err := ring.Add(sshagent.AddedKey{PrivateKey: s.key}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", filepath.Join(s.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = sshagent.ServeAgent(ring, conn) }()
		}
	}()
	return ring
}

// launchObstacle is what keeps pilots from being launched for a while: lines of ssh_config for a
// host of its own, and what mends it.
type launchObstacle struct {
	says   string
	health string   // empty: there is no way
	lines  []string // before what is right
	after  []string // the same, once it is over; nil: as before
	mend   func()   // nil: the lines did
	schema string   // in place of one that leads to the host by ssh
}

// obstacles are those of logins and of what a launch needs beside them. Each has a host.
func (s *sshServer) obstacles(t *testing.T, dir string) map[string]launchObstacle {
	t.Helper()
	late := sshtest.NewKey(t)
	known, other := sshtest.KnownHostsLine(s.addr, s.host), sshtest.KnownHostsLine(s.addr, publicKey(t, sshtest.NewKey(t)))
	for name, text := range map[string]string{"known_hosts": known, "known_none": "", "known_other": other, "file": "", "here": ""} {
		s.WriteFile(name, text)
	}
	s.WriteKey("id", s.key, "")
	s.WriteKey("late", late, "")
	empty := s.startAgent(t, "empty.socket", false)
	identity := func(name string) []string { return []string{"IdentityFile " + filepath.Join(s.Dir, name)} }
	socket := func(name string) []string {
		return []string{"IdentityFile none", "IdentityAgent " + filepath.Join(s.Dir, name)}
	}
	hosts := func(name string) []string { return []string{"UserKnownHostsFile " + filepath.Join(s.Dir, name)} }
	remove := func(name string) func() { return func() { _ = os.Remove(filepath.Join(s.Dir, name)) } }
	schema := func(endpoint, workdir string) string {
		return fmt.Sprintf(`{"job_manager_endpoint": %q, "default_remote_workdir": %q}`, endpoint, filepath.Join(s.Dir, workdir))
	}
	agent := filepath.Join(dir, "agent")
	return map[string]launchObstacle{
		"refused": {says: "unable to authenticate", lines: identity("late"), mend: func() {
			s.WriteFile("authorized", string(ssh.MarshalAuthorizedKey(publicKey(t, s.key)))+string(ssh.MarshalAuthorizedKey(publicKey(t, late))))
		}},
		"missing":  {says: "it is not there", lines: identity("missing"), mend: func() { s.WriteKey("missing", s.key, "") }},
		"agent":    {says: "away.socket", lines: socket("away.socket"), mend: func() { s.startAgent(t, "away.socket", true) }},
		"empty":    {says: "no keys", lines: socket("empty.socket"), mend: func() { _ = empty.Add(sshagent.AddedKey{PrivateKey: s.key}) }},
		"unknown":  {says: "is not known", lines: hosts("known_none"), mend: func() { s.WriteFile("known_none", known) }},
		"changed":  {says: "is not the one in", lines: hosts("known_other"), mend: func() { s.WriteFile("known_other", known) }},
		"stranger": {says: "unable to authenticate", lines: []string{"User no-such-user"}, after: []string{}},
		"nowhere":  {says: "no such host", lines: []string{"HostName no..such..host"}, after: []string{}},
		"closed":   {says: "connection refused", lines: []string{"Port 1"}, after: []string{}},
		"variable": {says: "FLIGHTLOG_E2E_NONE is not set", lines: identity("${FLIGHTLOG_E2E_NONE}"), after: []string{}},
		"agentless": {says: agent, health: api.HealthNotLaunched, mend: func() {
			if err := os.Rename(agent+".away", agent); err != nil {
				t.Error(err)
			}
		}},
		"baseless": {health: api.HealthNotLaunched, mend: remove("file"), schema: schema("fork+ssh://baseless/", "file/base")},
		"here":     {health: api.HealthNotLaunched, mend: remove("here"), schema: schema("fork://localhost/", "here/base")},
	}
}

// writeSSHConfig writes ssh_config as it is before the hitches are over, or after.
func (s *sshServer) writeSSHConfig(all map[string]launchObstacle, over bool) string {
	var text strings.Builder
	for name, x := range all {
		lines := x.lines
		if over && x.after != nil {
			lines = x.after
		}
		fmt.Fprintf(&text, "Host %s\n%s\n", name, strings.Join(lines, "\n"))
		if !strings.Contains(strings.Join(lines, "\n"), "IdentityFile") {
			fmt.Fprintf(&text, "IdentityFile %s/id\n", s.Dir)
		}
		fmt.Fprintf(&text, "HostName 127.0.0.1\nPort %d\nUser %s\nUserKnownHostsFile %s/known_hosts\nGlobalKnownHostsFile none\n", s.addr.Port, s.user, s.Dir)
	}
	return s.WriteFile("ssh_config", text.String())
}

// TestE2ELaunchHitches: whatever keeps a launcher from logging in, or from what it needs
// beside, pilots are kept and say why, through a death of the launcher too; those that
// are canceled meanwhile end; and when it is over each is launched, once.
func TestE2ELaunchHitches(t *testing.T) {
	s := startSSHServer(t)
	h := newFixture(t)
	all := s.obstacles(t, h.dir)
	h.env = append(h.env, "FLIGHTLOG_SSH_CONFIG="+s.writeSSHConfig(all, false), "SSH_AUTH_SOCK=")
	binary, err := os.ReadFile(filepath.Join(binDir, "flightlog-agent"))
	if err != nil {
		t.Fatal(err)
	}
	agent := filepath.Join(h.dir, "agent")
	if err := os.WriteFile(agent+".away", binary, 0o755); err != nil {
		t.Fatal(err)
	}
	h.startServer()
	h.startProcess("manager")
	c := h.connectClient()
	schemas := make([]string, 0, len(all))
	for name, x := range all {
		if x.schema == "" {
			x.schema = fmt.Sprintf(`{"job_manager_endpoint": "fork+ssh://%s/"}`, name)
		}
		schemas = append(schemas, fmt.Sprintf("%q: %s", name, x.schema))
	}
	text := fmt.Sprintf(`{"default_schema": "here", "default_remote_workdir": %q, "schemas": {%s}}`, s.Dir+"/work", strings.Join(schemas, ", "))
	if _, err := c.PutResource(t.Context(), "lab.hitches", "", []byte(text), client.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	l := &process{fixture: h, name: filepath.Join(binDir, "flightlog-launcher"), args: []string{"--resource", "lab.hitches", "--agent", agent, "--spare", "-1"}}
	depart := func() { // it looks for its agent once, at its start
		if err := os.Rename(agent+".away", agent); err != nil {
			t.Fatal(err)
		}
		l.start()
		if err := os.Rename(agent, agent+".away"); err != nil {
			t.Fatal(err)
		}
	}
	depart()
	m := h.createManager(c)
	mark := filepath.Join(s.Dir, "ran")
	of := func(name, uid string) *client.Pilot {
		d := shellPilot(`mktemp "` + mark + `.$PILOT_UID.XXXXXX"`)
		d.Resource, d.AccessSchema, d.UID = "lab.hitches", name, uid
		return submit(t, m, d)[0]
	}
	kept, canceled := map[string]*client.Pilot{}, map[string]*client.Pilot{}
	for name := range all {
		kept[name], canceled[name] = of(name, name), of(name, name+"-not")
	}
	told := func() {
		for name, p := range kept {
			h.expectExplained(p, all[name])
		}
	}
	told()
	l.kill()
	depart()
	told()
	for name, p := range canceled {
		cancelPilot(t, p)
		if w, err := p.Wait(t.Context(), client.WaitOptions{}); err != nil || w.State != pilot.Canceled {
			t.Errorf("%s: canceled, it is %+v, %v", name, w, err)
		}
	}
	s.writeSSHConfig(all, true)
	for _, x := range all {
		if x.mend != nil {
			x.mend()
		}
	}
	awaitAll(t, m)
	for name, p := range kept {
		got, err := p.Get(t.Context())
		ran, _ := filepath.Glob(mark + "." + name + ".*")
		if err != nil || got.State != pilot.Done || len(ran) != 1 {
			out, _ := h.runCLI("history", "--manager", m.UID(), name)
			t.Errorf("%s is %s, ran %d times: %v %+v\n%s", name, got.State, len(ran), err, got.Cause, out)
		}
	}
	if ran, _ := filepath.Glob(mark + ".*-not.*"); len(ran) != 0 {
		t.Errorf("what was canceled ran: %v", ran)
	}
}

// expectExplained waits until a pilot is said to be kept, and why.
func (h *fixture) expectExplained(p *client.Pilot, x launchObstacle) {
	h.t.Helper()
	health := x.health
	if health == "" {
		health = api.HealthNoWay
	}
	var got api.ExplainAnswer
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // between looks
		var err error
		if got, err = p.Explain(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
		if got.Pilot.Health == health && strings.Contains(got.Why, x.says) && len(got.Hints) > 1 && got.Pilot.State == pilot.PendingLaunch {
			return
		}
	}
	h.t.Errorf("%s is %s, health %q, hints %q: %s; want health %q, and %q", p.UID(), got.Pilot.State, got.Pilot.Health, got.Hints, got.Why, health, x.says)
}
