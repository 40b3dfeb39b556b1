package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/fork"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// runAsAgent makes the test binary the command.
const runAsAgent = "FLIGHTLOG_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(runAsAgent) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// fakeLauncher answers agents over a real bus.
type fakeLauncher struct {
	mu       sync.Mutex
	active   map[pilot.UID]time.Time
	finished chan api.Outcome
}

func (d *fakeLauncher) answer(_ context.Context, key pilot.Key, verb api.Verb, r api.AgentRequest) (api.AgentReply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch verb {
	case api.Activate:
		d.active[key.Pilot] = time.Now()
	case api.Finish:
		d.finished <- *r.Outcome
	}
	return api.AgentReply{}, nil
}

// openSystem gives a system whose agents are this command, and the desk they ask.
func openSystem(tb testing.TB, spare int) (*fork.System, *fakeLauncher) {
	tb.Helper()
	server := bustest.StartServer(tb)
	d := &fakeLauncher{active: map[pilot.UID]time.Time{}, finished: make(chan api.Outcome, 10000)} // 10000: more than any test has
	conn := bustest.Connect(tb, server)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = conn.ServeAgents(ctx, "local.localhost", d.answer, func(pilot.Key, api.Verb, api.AgentRequest) {})
	}()
	s, err := fork.New(fork.Config{
		Agent: agentCommand(), Spare: spare, Root: tb.TempDir(),
		Env: append(os.Environ(), runAsAgent+"=1", "NATS_URL="+server.URL()),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Close()
		cancel()
		<-served
	})
	return s, d
}

// agentCommand is the agent to measure: a built one, if AGENT names it.
func agentCommand() []string {
	if path := os.Getenv("AGENT"); path != "" {
		return []string{path}
	}
	return []string{"/proc/self/exe"}
}

func spec(uid, executable string, arguments ...string) *adaptor.Spec {
	return &adaptor.Spec{
		Key: pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: uid}, Attempt: 1, Secret: "sesame",
		Description: pilot.Description{
			Runtime: pilot.Runtime(time.Hour), Cores: 1, Executable: executable, Arguments: arguments,
		},
	}
}

func TestAPilotOverTheBus(t *testing.T) {
	t.Parallel()
	s, d := openSystem(t, 0)
	p, err := s.Submit(t.Context(), spec("p", "sh", "-c", "echo hello; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	out := <-d.finished
	if out.Code != pilot.PayloadFailed || *out.ExitCode != 3 || out.Stdout != "hello\n" {
		t.Fatalf("%+v", out)
	}
	if key := <-s.JobEnds(); key.Pilot != "p" {
		t.Fatalf("told of %+v", key)
	}
	all, err := s.Poll(t.Context(), []adaptor.Handle{{Key: spec("p", "").Key, Attempt: 1, Job: p.Job, Sandbox: p.Sandbox}}, time.Time{})
	if err != nil || all[0].Phase != adaptor.Ended {
		t.Fatalf("%+v %v", all, err)
	}
}

func TestWithoutAssignmentItLeavesThoughTheBusIsAway(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), runAsAgent+"=1", "NATS_URL=nats://127.0.0.1:1")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != sandbox.Idle {
		t.Fatalf("%v %s", err, out)
	}
}

// BenchmarkSubmitToActive is submit to the agent's question whether it may
// run, over the bus; BenchmarkPilots is submit to end of many.
func BenchmarkSubmitToActive(b *testing.B) {
	for name, spare := range map[string]int{"warm": 2, "cold": -1} {
		b.Run(name, func(b *testing.B) {
			s, d := openSystem(b, spare)
			var total time.Duration
			n := 0
			for ; b.Loop(); n++ {
				time.Sleep(100 * time.Millisecond) // for warm agents to be warm
				uid := "p" + strconv.Itoa(n)
				begun := time.Now()
				if _, err := s.Submit(b.Context(), spec(uid, "true")); err != nil {
					b.Fatal(err)
				}
				<-d.finished
				d.mu.Lock()
				total += d.active[uid].Sub(begun)
				d.mu.Unlock()
				<-s.JobEnds()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(total.Microseconds())/float64(n), "µs/active")
		})
	}
}

func BenchmarkPilots(b *testing.B) {
	s, d := openSystem(b, 0)
	n := 0
	for ; b.Loop(); n++ {
		if _, err := s.Submit(b.Context(), spec(fmt.Sprint("p", n), "true")); err != nil {
			b.Fatal(err)
		}
	}
	for range n {
		<-d.finished
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "pilots/s")
}
