package ops_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/app/agents"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// TestMain lets launchers start this test binary as an agent.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		if err := agents.Run(context.Background(), os.Stdin, os.Stdout, bus.ConfigFromEnv(os.Getenv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// localResource is the resource of this machine.
const localResource = "local.localhost"

// fixture is a manager and a launcher in this process, and what they show.
type fixture struct {
	t             *testing.T
	server        *bustest.Restartable
	opsServer     *ops.Server
	beginShutdown context.CancelFunc // tells the process to leave
	client        *client.Client
	components    []runningComponent
	state         string // directory of launchers
}

// runningComponent is one that runs.
type runningComponent struct {
	stop  context.CancelFunc
	ended chan error
}

// newFixture makes everything but the parts.
func newFixture(t *testing.T, cfg ops.Config) *fixture {
	t.Helper()
	s := &fixture{t: t, server: bustest.NewRestartable(t)}
	if err := bustest.Connect(t, s.server.Server()).EnsureStream(t.Context(), bus.StreamConfig{MaxBytes: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(context.Background())
	s.beginShutdown = leave
	t.Cleanup(leave)
	cfg.Program, cfg.Components, cfg.Listen = "test", []ops.ComponentName{{Kind: ops.ComponentManager}, {Kind: ops.ComponentLauncher, Resource: localResource}}, "127.0.0.1:0"
	panel, err := ops.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.opsServer = panel
	t.Cleanup(panel.Close)
	return s
}

// startAll starts the parts and waits until they serve.
func (s *fixture) startAll() {
	s.t.Helper()
	s.startComponent(func(ctx context.Context, conn *bus.Conn, ready func()) error {
		return app.RunManager(ctx, conn, app.ManagerOptions{Ready: ready, Ops: s.opsServer})
	})
	s.state = s.t.TempDir()
	s.startLauncher()
	c, err := client.Connect(s.t.Context(), s.server.Server().URL(), client.WithTimeout(time.Minute))
	if err != nil {
		s.t.Fatal(err)
	}
	s.client = c
	s.t.Cleanup(c.Close)
}

// startLauncher starts a launcher.
func (s *fixture) startLauncher() {
	s.t.Helper()
	s.startComponent(func(ctx context.Context, conn *bus.Conn, ready func()) error {
		return app.RunLauncher(ctx, conn, app.LauncherOptions{
			Resource: localResource, State: s.state, Agent: []string{os.Args[0], "agent"},
			Bus: bus.Config{URL: s.server.Server().URL()}, Ready: ready, Ops: s.opsServer,
		})
	})
}

func (s *fixture) startComponent(do func(ctx context.Context, conn *bus.Conn, ready func()) error) {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := runningComponent{stop: stop, ended: make(chan error, 1)}
	conn := bustest.Connect(s.t, s.server.Server())
	ready := make(chan struct{})
	go func() { p.ended <- do(ctx, conn, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-p.ended:
		s.t.Fatalf("a part ended: %v", err)
	}
	s.components = append(s.components, p)
	s.t.Cleanup(func() {
		stop()
		<-p.ended
	})
}

// stopLast ends the part that was started last, as a signal does, and waits for it.
func (s *fixture) stopLast() {
	s.t.Helper()
	last := s.components[len(s.components)-1]
	last.stop()
	if err := <-last.ended; err != nil {
		s.t.Fatal(err)
	}
	last.ended <- nil // for the end of the test
}

// createManager makes one, whose pilots end with the test.
func (s *fixture) createManager() *client.Manager {
	s.t.Helper()
	m, err := s.client.CreateManager(s.t.Context(), client.ManagerOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// payload describes a pilot of this machine.
func payload(command ...string) pilot.Description {
	return pilot.Description{
		Resource: localResource, Cores: 1, Runtime: pilot.Runtime(10 * time.Minute), Executable: command[0], Arguments: command[1:],
	}
}

// get asks over HTTP.
func (s *fixture) get(path string, header ...string) (code int, body string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.opsServer.Addr()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// report is what /healthz and /readyz answer.
type report struct {
	Status, Program string
	Parts           []struct {
		Name, Reason string
		OK           bool
	}
	Faults  []resource.Diagnostic
	LeftOut int `json:"faults_left_out"`
}

// getReport gives a report and its code.
func (s *fixture) getReport(path string) (int, report) {
	s.t.Helper()
	code, body := s.get(path)
	var r report
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		s.t.Fatalf("%s: %v in %q", path, err, body)
	}
	return code, r
}

// awaitStatus asks for readiness until it has that code.
func (s *fixture) awaitStatus(code int) report {
	s.t.Helper()
	for {
		got, r := s.getReport("/readyz")
		if got == code {
			return r
		}
		select {
		case <-time.After(50 * time.Millisecond): // between two questions; the test's deadline ends it
		case <-s.t.Context().Done():
			s.t.Fatalf("readiness is %d: %+v", got, r)
		}
	}
}
