package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/pilot"
)

// serverDir makes the test binary a NATS server for the directory it names:
// one more process that can be killed.
const serverDir = "FLIGHTLOG_E2E_SERVER"

// binDir is where the binaries under test are.
var binDir string

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverDir); dir != "" && os.Getenv(nodeName) != "" {
		if err := serveNode(dir, os.Getenv("FLIGHTLOG_E2E_LISTEN")); err != nil {
			fmt.Fprintln(os.Stderr, "server:", err)
			os.Exit(1)
		}
		return
	} else if dir != "" {
		serveEmbedded(dir, os.Getenv("FLIGHTLOG_E2E_LISTEN"))
		return
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "flightlog-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // launchers of batch systems run as another user
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binDir = dir
	if out, err := exec.Command("../scripts/build.sh", binDir).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// programIn is the path of a program, or of the part of that name.
func programIn(dir, name string) string {
	switch name {
	case "manager", "launcher", "agent":
		name = "flightlog-" + name
	}
	return filepath.Join(dir, name)
}

// serveEmbedded is a NATS server until it is killed.
func serveEmbedded(dir, listen string) {
	s, err := embedded.Start(context.Background(), embedded.Config{Store: dir, Listen: listen})
	if err == nil {
		var conn *bus.Conn
		if conn, err = bus.Connect(context.Background(), bus.Config{URL: s.URL()}); err == nil {
			err = conn.EnsureStream(context.Background(), bus.StreamConfig{})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
	fmt.Println("ready:")
	select {}
}

// fixture is a service of several processes over one directory.
type fixture struct {
	t      *testing.T
	dir    string
	listen string
	env    []string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	l.Close()
	h := &fixture{t: t, dir: t.TempDir(), listen: listen}
	h.env = append(os.Environ(), "NATS_URL=nats://"+listen, "XDG_STATE_HOME="+h.dir, "NO_COLOR=1")
	t.Cleanup(h.killLeftovers)
	return h
}

// killLeftovers kills what a failed test has left of its pilots.
func (h *fixture) killLeftovers() {
	for _, pid := range h.processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// processes are those, agents and payloads, whose environment names this house's directory.
func (h *fixture) processes() []int {
	var pids []int
	entries, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, path := range entries {
		environ, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(environ), "PILOT_SANDBOX="+h.dir) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(path, "/proc/%d/environ", &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// process is one that can be killed and started again.
type process struct {
	fixture *fixture
	name    string
	args    []string
	env     []string
	as      *syscall.Credential // nil: this user

	mu  sync.Mutex
	cmd *exec.Cmd
}

func (h *fixture) startServer() *process {
	return h.startServerWithStore(filepath.Join(h.dir, "store"))
}

func (h *fixture) startServerWithStore(store string) *process {
	p := &process{fixture: h, name: os.Args[0], env: []string{serverDir + "=" + store, "FLIGHTLOG_E2E_LISTEN=" + h.listen}}
	p.start()
	return p
}

func (h *fixture) startProcess(name string, args ...string) *process {
	p := &process{fixture: h, name: programIn(binDir, name), args: args}
	p.start()
	return p
}

// startUp is everything in one process.
func (h *fixture) startUp() *process {
	return h.startProcess("flightlog", "up", "--store", filepath.Join(h.dir, "store"), "--listen", h.listen)
}

// start starts the process and waits until it says that it is ready.
func (p *process) start() {
	p.fixture.t.Helper()
	cmd := exec.Command(p.name, p.args...)
	cmd.Env = append(append([]string{}, p.fixture.env...), p.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	r, w, err := os.Pipe()
	if err != nil {
		p.fixture.t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(p.fixture.dir, filepath.Base(p.name)+".log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		p.fixture.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		p.fixture.t.Fatal(err)
	}
	w.Close()
	p.mu.Lock()
	p.cmd = cmd
	p.mu.Unlock()
	p.fixture.t.Cleanup(p.kill)
	word := "ready"
	if len(p.args) > 0 && p.args[0] == "up" {
		word = "ready: " // the launcher in it says before that it is, of itself
	}
	ready := make(chan bool, 1)
	go func() {
		defer r.Close()
		defer log.Close()
		told := false
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if !told && strings.Contains(lines.Text(), word) {
				told = true
				ready <- true
			}
			fmt.Fprintln(log, lines.Text())
		}
		if !told {
			ready <- false
		}
	}()
	if !<-ready {
		p.fixture.t.Errorf("%s %v ended before it was ready; see its last words:\n%s", p.name, p.args, p.fixture.lastLines(log.Name()))
	}
}

func (h *fixture) lastLines(path string) string {
	b, _ := os.ReadFile(path)
	return string(b[max(0, len(b)-2000):])
}

// kill is kill -9; a process that has ended is left alone.
func (p *process) kill() { p.signalAndWait(syscall.SIGKILL) }

// terminate is a clean stop.
func (p *process) terminate() { p.signalAndWait(syscall.SIGTERM) }

func (p *process) signal(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

func (p *process) signalAndWait(s os.Signal) {
	p.mu.Lock()
	cmd := p.cmd
	p.cmd = nil
	p.mu.Unlock()
	if cmd != nil {
		_ = cmd.Process.Signal(s)
		_ = cmd.Wait()
	}
}

// getenv is the environment of the house's processes.
func (h *fixture) getenv(name string) string {
	if name == "XDG_STATE_HOME" {
		return h.dir
	}
	return os.Getenv(name)
}

// connectClient connects to the house.
func (h *fixture) connectClient() *client.Client {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
	defer cancel()
	cfg := bus.Config{Complete: owner.ConfigCompleter(h.getenv, nil)}
	c, err := client.Connect(ctx, "nats://"+h.listen, client.WithBus(cfg), client.WithTimeout(time.Minute))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(c.Close)
	return c
}

// connectNATS connects as a NATS client that knows nothing of us, with the key of an up's owner.
func (h *fixture) connectNATS() *nats.Conn {
	h.t.Helper()
	key, err := nats.NkeyOptionFromSeed(filepath.Join(h.dir, "store", "credentials", "owner.nk"))
	if err != nil {
		h.t.Fatal(err)
	}
	nc, err := nats.Connect("nats://"+h.listen, key)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(nc.Close)
	return nc
}

func (h *fixture) createManager(c *client.Client) *client.Manager {
	h.t.Helper()
	m, err := c.CreateManager(h.t.Context(), client.ManagerOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

// runCLI runs a command of the binary and gives what it prints.
func (h *fixture) runCLI(args ...string) (stdout string, code int) {
	h.t.Helper()
	cmd := exec.Command(filepath.Join(binDir, "flightlog"), args...)
	cmd.Env = h.env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	if code = cmd.ProcessState.ExitCode(); code != 0 {
		h.t.Logf("flightlog %s: exit %d: %s", strings.Join(args, " "), code, stderr.String())
	}
	return string(out), code
}

// localPilot describes a pilot on this machine.
func localPilot(executable string, args ...string) pilot.Description {
	return pilot.Description{
		Resource: "local.localhost", Runtime: pilot.Runtime(10 * time.Minute), Cores: 1,
		Executable: executable, Arguments: args,
	}
}

// shellPilot describes a pilot that runs a script.
func shellPilot(script string) pilot.Description { return localPilot("sh", "-c", script) }

func submit(t *testing.T, m *client.Manager, descs ...pilot.Description) []*client.Pilot {
	t.Helper()
	ps, err := m.Submit(t.Context(), descs...)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

// awaitAll waits until all pilots of the manager have ended.
func awaitAll(t *testing.T, m *client.Manager) {
	t.Helper()
	r, err := m.WaitAll(t.Context(), client.WaitOptions{Timeout: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if r.TimedOut {
		t.Fatalf("after five minutes: %+v", r.Pilots)
	}
}

// wait waits for the end of a process that something else brings about.
func (p *process) wait() {
	p.mu.Lock()
	cmd := p.cmd
	p.cmd = nil
	p.mu.Unlock()
	if cmd != nil {
		_ = cmd.Wait()
	}
}
