package batch_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/adaptor/adaptortest"
	"github.com/flightlog/flightlog/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/adaptor/batch"
	"github.com/flightlog/flightlog/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource"
	"github.com/flightlog/flightlog/resource/render"
)

// asAgent is the socket of an agent's desk.
const asAgent = "FLIGHTLOG_BATCH_TEST_AGENT"

func TestMain(m *testing.M) {
	fakebatch.Main()
	if len(os.Args) < 2 || os.Args[1] != "agent" { // an agent is where its job is
		declareOAR()
	}
	adaptortest.Main(m, os.Getenv(asAgent))
}

// oar is the system of a file that is the manual's example. It is not among those that
// are known without one.
var oar *batch.Declared

func declareOAR() {
	b, err := os.ReadFile("../../docs/systems.d/oar.yaml")
	if err == nil {
		oar, err = batch.ParseDeclared("oar.yaml", b)
	}
	if err == nil {
		err = render.Declare(oar.Dialect.Name, oar.Script)
	}
	if err != nil {
		panic(err)
	}
}

// bench is a fake batch system, a desk that answers its agents, and a file where
// payloads sign.
type bench struct {
	testing.TB
	*adaptortest.Desk
	fake    *fakebatch.Fake
	system  string
	root    string
	manager string // of this test alone: processes are known by it
	runs    string
	mute    bool
	lag     time.Duration
	floor   time.Duration // 0: 10 ms
	// listings are shared with others; nil: a System asks for itself.
	listings batch.Lister
	tend     func(context.Context, [][]byte) error // may be nil
	dialect  *batch.Dialect                        // nil: the system's own
}

func newBench(t *testing.T, system string) *bench {
	t.Helper()
	b := &bench{TB: t, Desk: adaptortest.NewDesk(t), system: system, root: t.TempDir(), manager: "mgr-" + rand.Text()}
	if system != "ssh" {
		b.fake = fakebatch.New(t, system)
	}
	b.runs = filepath.Join(b.root, "runs")
	if system == oar.Dialect.Name {
		b.dialect = &oar.Dialect
	}
	return b
}

// here is this machine with the fake's commands in its PATH.
type here struct {
	*runner.Local
	env []string
}

// Run adds the fake's environment.
func (h here) Run(ctx context.Context, c runner.Command) (runner.Result, error) {
	c.Env = append(c.Env, h.env...)
	return h.Local.Run(ctx, c)
}

func (b *bench) open() *batch.System {
	b.Helper()
	dialect, ok := batch.Named(b.system)
	if b.dialect != nil {
		dialect, ok = b.dialect, true
	}
	if !ok {
		b.Fatalf("no dialect %s", b.system)
	}
	at := here{Local: runner.NewLocal()}
	if b.fake != nil {
		at.env = b.fake.Env()
	}
	s, err := batch.New(batch.Config{
		Dialect: dialect, Runner: at, URL: b.endpoint(), Deadline: time.Minute,
		Floor: cmp.Or(b.floor, 10*time.Millisecond), Listings: b.listings, Tend: b.tend, MarkLag: max(b.lag, time.Nanosecond), WordLag: max(b.lag, time.Nanosecond),
		Agent: func(context.Context, string) ([]string, map[string]string, error) {
			self, err := os.Executable()
			return []string{self, "agent"}, map[string]string{asAgent: b.Socket}, err
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func (b *bench) endpoint() string {
	if b.system == "ssh" {
		return "ssh://localhost/"
	}
	return b.system + "://localhost/"
}

// spec is a pilot whose payload signs and then runs the shell script.
func (b *bench) spec(uid string, attempt int, script string) *adaptor.Spec {
	s := &adaptor.Spec{
		Key: pilot.Key{Resource: "site.host", Manager: b.manager, Pilot: uid}, Attempt: attempt, Secret: "sesame",
		Born: time.Now(),
		Description: pilot.Description{
			Runtime: pilot.Runtime(time.Hour), Cores: 1, Executable: "/bin/sh",
			Arguments:   []string{"-c", "echo $PILOT_UID >> $RUNS; " + script},
			Environment: map[string]string{"RUNS": b.runs},
		},
		Config: resource.Config{Label: "site.host", JobManagerEndpoint: b.endpoint(), DefaultRemoteWorkdir: b.root, CoresPerNode: 4},
	}
	if b.mute {
		s.Config.Agent = "none"
	}
	return s
}

// ran counts signatures.
func (b *bench) ran(uid pilot.UID) int {
	b.Helper()
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

func (b *bench) submit(s *batch.System, spec *adaptor.Spec) adaptor.Handle {
	b.Helper()
	p, err := s.Submit(context.Background(), spec)
	if err != nil {
		b.Fatalf("submit %s: %v", spec.Key.Pilot, err)
	}
	return b.handle(spec, p)
}

func (b *bench) handle(spec *adaptor.Spec, p adaptor.Placed) adaptor.Handle {
	return adaptor.Handle{
		Key: spec.Key, Attempt: spec.Attempt, Job: p.Job, Sandbox: p.Sandbox, Born: spec.Born, Mute: b.mute,
	}
}

func (b *bench) poll(s *batch.System, h adaptor.Handle) adaptor.Status {
	b.Helper()
	all, err := s.Poll(context.Background(), []adaptor.Handle{h}, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return all[0]
}

// until polls a job until a status satisfies, for half a minute.
func (b *bench) until(s *batch.System, h adaptor.Handle, what string, done func(adaptor.Status) bool) adaptor.Status {
	b.Helper()
	limit := time.Now().Add(30 * time.Second)
	for {
		st := b.poll(s, h)
		if done(st) {
			return st
		}
		if time.Now().After(limit) {
			b.Fatalf("waited in vain for %s: %+v", what, st)
		}
	}
}

func (b *bench) ended(s *batch.System, h adaptor.Handle) adaptor.Status {
	b.Helper()
	return b.until(s, h, "the end", func(st adaptor.Status) bool { return st.Phase == adaptor.Ended })
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
