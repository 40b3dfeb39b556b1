package fork_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/adaptor/fork"
	"github.com/flightlog/flightlog/agent"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Variables that make the test binary another program.
const (
	asAgent    = "FLIGHTLOG_TEST_AGENT"    // an agent; the value is its desk's socket
	asLauncher = "FLIGHTLOG_TEST_LAUNCHER" // submits and dies; the value is a lastWill
)

func TestMain(m *testing.M) {
	if socket := os.Getenv(asAgent); socket != "" && os.Getenv(asLauncher) == "" {
		err := agent.Main(context.Background(), os.Stdin, os.Stdout, agent.Config{Gateway: dial(socket), Alone: true})
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

// lastWill is what a launcher that will be killed is to do.
type lastWill struct {
	Root  string
	Specs []*adaptor.Spec // by one agent, if it can be: each but the last must end before the next
}

func launchAndDie(text string) {
	var will lastWill
	err := json.Unmarshal([]byte(text), &will)
	var s *fork.System
	if err == nil {
		s, err = fork.New(fork.Config{Agent: []string{"/proc/self/exe"}, Env: without(os.Environ(), asLauncher), Root: will.Root, Spare: -1})
	}
	for i, spec := range will.Specs {
		if err == nil && i > 0 {
			<-s.Ended()
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

func without(environ []string, name string) []string {
	var out []string
	for _, entry := range environ {
		if !strings.HasPrefix(entry, name+"=") {
			out = append(out, entry)
		}
	}
	return out
}

// gateway asks a desk in the test's process.
type gateway struct {
	client http.Client
}

func dial(socket string) *gateway {
	return &gateway{http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

type question struct {
	Key  pilot.Key
	Verb api.Verb
	Req  api.AgentRequest
}

func (g *gateway) Ask(ctx context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (reply api.AgentReply, err error) {
	body, err := json.Marshal(question{key, verb, req})
	if err != nil {
		return reply, err
	}
	ask, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://desk/", bytes.NewReader(body))
	if err != nil {
		return reply, err
	}
	answer, err := g.client.Do(ask)
	if err != nil {
		return reply, &pilot.Error{Code: pilot.Unavailable, Err: err}
	}
	defer answer.Body.Close()
	return reply, json.NewDecoder(answer.Body).Decode(&reply)
}

// desk answers agents: it grants everything and tells some to stop.
type desk struct {
	socket string

	mu        sync.Mutex
	stop      map[pilot.UID]bool
	grace     time.Duration
	finished  map[pilot.UID]api.Outcome
	secrets   map[pilot.UID]string
	instances map[pilot.UID]string
}

func newDesk(tb testing.TB) *desk {
	tb.Helper()
	dir, err := os.MkdirTemp("", "desk") //nolint:usetesting // TempDir's name may be too long for a socket
	if err != nil {
		tb.Fatal(err)
	}
	d := &desk{
		socket: filepath.Join(dir, "s"), grace: 5 * time.Second,
		stop: map[pilot.UID]bool{}, finished: map[pilot.UID]api.Outcome{}, secrets: map[pilot.UID]string{},
		instances: map[pilot.UID]string{},
	}
	l, err := net.Listen("unix", d.socket)
	if err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{Handler: d}
	go func() { _ = server.Serve(l) }()
	tb.Cleanup(func() {
		_ = server.Close()
		_ = os.RemoveAll(dir)
	})
	return d
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q question
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secrets[q.Key.Pilot], d.instances[q.Key.Pilot] = q.Req.Secret, q.Req.Instance
	if q.Verb == api.Finish {
		d.finished[q.Key.Pilot] = *q.Req.Outcome
	}
	_ = json.NewEncoder(w).Encode(api.AgentReply{
		Stop: q.Verb == api.Beat && d.stop[q.Key.Pilot], Grace: api.Duration(d.grace),
	})
}

func (d *desk) tellToStop(uid pilot.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stop[uid] = true
}

func (d *desk) outcome(uid pilot.UID) (api.Outcome, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out, ok := d.finished[uid]
	return out, ok
}

// bench is a place to fork in: a root, a desk, and a file where payloads sign.
type bench struct {
	testing.TB
	*desk
	root string
	runs string
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	b := &bench{TB: tb, desk: newDesk(tb), root: tb.TempDir()}
	b.runs = filepath.Join(b.root, "runs")
	return b
}

func (b *bench) config() fork.Config {
	return fork.Config{
		Agent: []string{"/proc/self/exe"}, Env: append(os.Environ(), asAgent+"="+b.socket), Root: b.root,
		Beat: time.Second,
	}
}

func (b *bench) open() *fork.System {
	b.Helper()
	s, err := fork.New(b.config())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}

// spec is a pilot whose payload signs and then runs the shell script.
func (b *bench) spec(uid string, attempt int, script string) *adaptor.Spec {
	return &adaptor.Spec{
		Key: pilot.Key{Resource: "local.localhost", Manager: "mgr-1", Pilot: uid}, Attempt: attempt, Secret: "sesame",
		Description: pilot.Description{
			Runtime: pilot.Runtime(time.Hour), Cores: 1, Executable: "/bin/sh",
			Arguments:   []string{"-c", "echo $PILOT_UID >> $RUNS; " + script},
			Environment: map[string]string{"RUNS": b.runs},
		},
	}
}

// ran counts signatures.
func (b *bench) ran(uid pilot.UID) int {
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

func (b *bench) submit(s *fork.System, spec *adaptor.Spec) adaptor.Handle {
	b.Helper()
	p, err := s.Submit(context.Background(), spec)
	if err != nil {
		b.Fatalf("submit %s: %v", spec.Key.Pilot, err)
	}
	return adaptor.Handle{Key: spec.Key, Attempt: spec.Attempt, Job: p.Job, Sandbox: p.Sandbox}
}

func (b *bench) poll(s *fork.System, h adaptor.Handle) adaptor.Status {
	b.Helper()
	all, err := s.Poll(context.Background(), []adaptor.Handle{h}, time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	return all[0]
}

// until waits for something, for half a minute.
func (b *bench) until(what string, done func() bool) {
	b.Helper()
	for range 30000 / 5 {
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.Fatalf("waited in vain for: %s", what)
}

func (b *bench) ended(s *fork.System, h adaptor.Handle) api.Outcome {
	b.Helper()
	var last adaptor.Status
	b.until("the end of "+h.Key.Pilot, func() bool {
		last = b.poll(s, h)
		return last.Phase == adaptor.Ended
	})
	if last.Outcome == nil {
		b.Fatalf("%s ended without outcome: %+v", h.Key.Pilot, last)
	}
	return *last.Outcome
}
