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

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// agentSocketVariable is the socket of an agent's desk.
const agentSocketVariable = "FLIGHTLOG_BATCH_TEST_AGENT"

func TestMain(m *testing.M) {
	fakebatch.Main()
	if len(os.Args) < 2 || os.Args[1] != "agent" { // an agent is where its job is
		declareOAR()
	}
	adaptortest.Main(m, os.Getenv(agentSocketVariable))
}

// testSystems are those of this build and declaredOAR, the manual's example of a file.
var (
	testSystems *batch.Systems
	declaredOAR *batch.Declared
)

func declareOAR() {
	b, err := os.ReadFile("../../../docs/systems.d/oar.yaml")
	if err == nil {
		declaredOAR, err = batch.ParseDeclared("oar.yaml", b)
	}
	if err == nil {
		testSystems, err = testSystems.With(declaredOAR)
	}
	if err != nil {
		panic(err)
	}
}

// fixture is a fake batch system, a desk that answers its agents, and a file where
// payloads sign.
type fixture struct {
	testing.TB
	*adaptortest.StubLauncher
	fake     *fakebatch.Fake
	system   string
	root     string
	manager  string // of this test alone: processes are known by it
	runsFile string
	mute     bool
	markLag  time.Duration
	floor    time.Duration // 0: 10 ms
	// listings are shared with others; nil: a System asks for itself.
	listings     batch.Lister
	retainAgents func(context.Context, [][]byte) error // may be nil
	dialect      *batch.Dialect                        // nil: the system's own
}

func newFixture(t *testing.T, system string) *fixture {
	t.Helper()
	b := &fixture{TB: t, StubLauncher: adaptortest.NewStubLauncher(t), system: system, root: t.TempDir(), manager: "mgr-" + rand.Text()}
	if system != "ssh" {
		b.fake = fakebatch.New(t, system)
	}
	b.runsFile = filepath.Join(b.root, "runs")
	return b
}

// localWithFake is this machine with the fake's commands in its PATH.
type localWithFake struct {
	*runner.Local
	env []string
}

// Run adds the fake's environment.
func (h localWithFake) Run(ctx context.Context, c runner.Command) (runner.Result, error) {
	c.Env = append(c.Env, h.env...)
	return h.Local.Run(ctx, c)
}

func (b *fixture) openSystem() *batch.System {
	b.Helper()
	dialect, ok := testSystems.LookupDialect(b.system)
	if b.dialect != nil {
		dialect, ok = b.dialect, true
	}
	if !ok {
		b.Fatalf("no dialect %s", b.system)
	}
	at := localWithFake{Local: runner.NewLocal()}
	if b.fake != nil {
		at.env = b.fake.Env()
	}
	client, err := batch.NewClient(batch.ClientConfig{Dialect: dialect, Runner: at, Deadline: time.Minute, Floor: cmp.Or(b.floor, 10*time.Millisecond)})
	if err != nil {
		b.Fatal(err)
	}
	s, err := batch.New(batch.Config{
		Client: client, Scripts: testSystems.Scripts(), URL: b.endpoint(),
		SharedLister: b.listings, RetainAgents: b.retainAgents, MarkLag: max(b.markLag, time.Nanosecond), WordLag: max(b.markLag, time.Nanosecond),
		Agent: func(context.Context, string) ([]string, map[string]string, error) {
			self, err := os.Executable()
			return []string{self, "agent"}, map[string]string{agentSocketVariable: b.Socket}, err
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func (b *fixture) endpoint() string {
	if b.system == "ssh" {
		return "ssh://localhost/"
	}
	return b.system + "://localhost/"
}

// spec is a pilot whose payload signs and then runs the shell script.
func (b *fixture) spec(uid string, attempt int, script string) *adaptor.Spec {
	s := &adaptor.Spec{
		Key: pilot.Key{Resource: "site.host", Manager: b.manager, Pilot: uid}, Attempt: attempt, Secret: "sesame",
		SubmittedAt: time.Now(),
		Description: pilot.Description{
			Runtime: pilot.Runtime(time.Hour), Cores: 1, Executable: "/bin/sh",
			Arguments:   []string{"-c", "echo $PILOT_UID >> $RUNS; " + script},
			Environment: map[string]string{"RUNS": b.runsFile},
		},
		Config: resource.Config{Label: "site.host", JobManagerEndpoint: b.endpoint(), DefaultRemoteWorkdir: b.root, CoresPerNode: 4},
	}
	if b.mute {
		s.Config.Agent = "none"
	}
	return s
}

// countRuns counts signatures.
func (b *fixture) countRuns(uid pilot.UID) int {
	b.Helper()
	text, err := os.ReadFile(b.runsFile)
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

func (b *fixture) submit(s *batch.System, spec *adaptor.Spec) adaptor.Handle {
	b.Helper()
	p, err := s.Submit(context.Background(), spec)
	if err != nil {
		b.Fatalf("submit %s: %v", spec.Key.Pilot, err)
	}
	return b.handle(spec, p)
}

func (b *fixture) handle(spec *adaptor.Spec, p adaptor.SubmittedJob) adaptor.Handle {
	return adaptor.Handle{
		Key: spec.Key, Attempt: spec.Attempt, Job: p.Job, Sandbox: p.Sandbox, SubmittedAt: spec.SubmittedAt, AgentOffline: b.mute,
	}
}

func (b *fixture) poll(s *batch.System, h adaptor.Handle) adaptor.Status {
	b.Helper()
	all, err := s.Poll(context.Background(), []adaptor.Handle{h}, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return all[0]
}

// waitUntil polls a job until a status satisfies, for half a minute.
func (b *fixture) waitUntil(s *batch.System, h adaptor.Handle, what string, done func(adaptor.Status) bool) adaptor.Status {
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

func (b *fixture) waitEnded(s *batch.System, h adaptor.Handle) adaptor.Status {
	b.Helper()
	return b.waitUntil(s, h, "the end", func(st adaptor.Status) bool { return st.Phase == adaptor.Ended })
}

func createFile(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
