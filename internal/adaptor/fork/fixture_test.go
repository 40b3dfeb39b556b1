package fork_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/internal/adaptor/fork"
	"github.com/flightlog/flightlog/internal/agent"
	"github.com/flightlog/flightlog/pilot"
)

// Variables that make the test binary another program.
const (
	asAgent    = "FLIGHTLOG_TEST_AGENT"    // an agent; the value is its desk's socket
	asLauncher = "FLIGHTLOG_TEST_LAUNCHER" // submits and dies; the value is a lastWill
)

func TestMain(m *testing.M) {
	if socket := os.Getenv(asAgent); socket != "" && os.Getenv(asLauncher) == "" {
		err := agent.RunProcess(context.Background(), os.Stdin, os.Stdout, agent.Config{Gateway: adaptortest.DialGateway(socket), OwnProcess: true})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(0)
	}
	if will := os.Getenv(asLauncher); will != "" {
		launchAndDie(will)
	}
	os.Exit(m.Run())
}

// launcherScript is what a launcher that will be killed is to do.
type launcherScript struct {
	Root  string
	Specs []*adaptor.Spec // by one agent, if it can be: each but the last must end before the next
}

func launchAndDie(text string) {
	var will launcherScript
	err := json.Unmarshal([]byte(text), &will)
	var s *fork.System
	if err == nil {
		s, err = fork.New(fork.Config{Agent: []string{"/proc/self/exe"}, Env: withoutVariable(os.Environ(), asLauncher), Root: will.Root, Spare: -1})
	}
	for i, spec := range will.Specs {
		if err == nil && i > 0 {
			<-s.JobEnds()
		}
		if err == nil {
			_, err = s.Submit(context.Background(), spec)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func withoutVariable(environ []string, name string) []string {
	var out []string
	for _, entry := range environ {
		if !strings.HasPrefix(entry, name+"=") {
			out = append(out, entry)
		}
	}
	return out
}

// fixture is a place to fork in: a root, a desk, and a file where payloads sign.
type fixture struct {
	testing.TB
	*adaptortest.StubLauncher
	root    string
	runs    string
	manager string // of this test alone: processes are known by it
}

func newFixture(tb testing.TB) *fixture {
	tb.Helper()
	b := &fixture{TB: tb, StubLauncher: adaptortest.NewStubLauncher(tb), root: tb.TempDir(), manager: "mgr-" + rand.Text()}
	b.runs = filepath.Join(b.root, "runs")
	return b
}

func (b *fixture) config() fork.Config {
	return fork.Config{
		Agent: []string{"/proc/self/exe"}, Env: append(os.Environ(), asAgent+"="+b.Socket), Root: b.root,
		Beat: time.Second,
	}
}

func (b *fixture) open() *fork.System {
	b.Helper()
	s, err := fork.New(b.config())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}

// spec is a pilot whose payload signs and then runs the shell script.
func (b *fixture) spec(uid string, attempt int, script string) *adaptor.Spec {
	return &adaptor.Spec{
		Key: pilot.Key{Resource: "local.localhost", Manager: b.manager, Pilot: uid}, Attempt: attempt, Secret: "sesame",
		Description: pilot.Description{
			Runtime: pilot.Runtime(time.Hour), Cores: 1, Executable: "/bin/sh",
			Arguments:   []string{"-c", "echo $PILOT_UID >> $RUNS; " + script},
			Environment: map[string]string{"RUNS": b.runs},
		},
	}
}

// runCount counts signatures.
func (b *fixture) runCount(uid pilot.UID) int {
	text, err := os.ReadFile(b.runs)
	if err != nil && !os.IsNotExist(err) {
		b.Fatal(err)
	}
	n := 0
	for line := range strings.FieldsSeq(string(text)) {
		if line == uid {
			n++
		}
	}
	return n
}

func (b *fixture) submit(s *fork.System, spec *adaptor.Spec) adaptor.Handle {
	b.Helper()
	p, err := s.Submit(context.Background(), spec)
	if err != nil {
		b.Fatalf("submit %s: %v", spec.Key.Pilot, err)
	}
	return adaptor.Handle{Key: spec.Key, Attempt: spec.Attempt, Job: p.Job, Sandbox: p.Sandbox}
}

func (b *fixture) poll(s *fork.System, h adaptor.Handle) adaptor.Status {
	b.Helper()
	all, err := s.Poll(context.Background(), []adaptor.Handle{h}, time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	return all[0]
}

// waitUntil waits for something, for half a minute.
func (b *fixture) waitUntil(what string, done func() bool) {
	b.Helper()
	for range 30000 / 5 {
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.Fatalf("waited in vain for: %s", what)
}

func (b *fixture) awaitEnd(s *fork.System, h adaptor.Handle) api.Outcome {
	b.Helper()
	var last adaptor.Status
	b.waitUntil("the end of "+h.Key.Pilot, func() bool {
		last = b.poll(s, h)
		return last.Phase == adaptor.Ended
	})
	if last.Outcome == nil {
		b.Fatalf("%s ended without outcome: %+v", h.Key.Pilot, last)
	}
	return *last.Outcome
}
