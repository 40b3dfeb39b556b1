package launcher_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// TestMain makes the test binary a batch system's command, or an agent that
// reaches no launcher.
func TestMain(m *testing.M) {
	fakebatch.Main()
	adaptortest.Main(m, "nowhere")
}

// site is a fleet over a fake batch system's commands. Launchers live by the
// bubble's clock, which stands still while a command runs; jobs, whose agents
// reach no launcher, by the machine's.
type site struct {
	*fleet
	fake       *fakebatch.Fake
	system     string
	root       string
	limits     launcher.Limits
	editConfig func(*batch.Config)
}

// atSite runs a test in a bubble with a site.
func atSite(t *testing.T, system string, test func(*site)) {
	t.Helper()
	if racing {
		t.Skip("each command of the fake is the test binary, whose start the race detector makes 20 times as slow")
	}
	today := time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(today)) // bubbles begin in 2000, and systems show times of day
		test(&site{
			fleet: newFleet(t, adaptortest.Config{}), fake: fakebatch.New(t, system), system: system, root: scratchDir(t),
		})
	})
}

// scratchDir is a directory for the length of a test. What was let go last may still
// write there when the test is over, which t.TempDir takes for a fault.
func scratchDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "flightlog-site-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 100_000 {
			if err = os.RemoveAll(dir); err == nil {
				return
			}
		}
		t.Error(err)
	})
	return dir
}

// fakePathRunner is this machine with the fake's commands in its PATH.
type fakePathRunner struct {
	*runner.Local
	env []string
}

// Run adds the fake's environment.
func (h fakePathRunner) Run(ctx context.Context, c runner.Command) (runner.Result, error) {
	c.Env = append(c.Env, h.env...)
	return h.Local.Run(ctx, c)
}

func (s *site) url() string { return s.system + "://localhost/" }

// openSystem gives a System as a launcher opens it when it starts.
func (s *site) openSystem() *batch.System {
	s.t.Helper()
	dialect, ok := (*batch.Systems)(nil).LookupDialect(s.system)
	if !ok {
		s.t.Fatalf("no dialect %s", s.system)
	}
	client, err := batch.NewClient(batch.ClientConfig{Dialect: dialect, Runner: fakePathRunner{runner.NewLocal(), s.fake.Env()}})
	if err != nil {
		s.t.Fatal(err)
	}
	c := batch.Config{
		Client: client, URL: s.url(),
		Agent: func(context.Context, string) ([]string, map[string]string, error) {
			self, err := os.Executable()
			return []string{self, "agent"}, map[string]string{}, err
		},
	}
	if s.editConfig != nil {
		s.editConfig(&c)
	}
	system, err := batch.New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return system
}

// openLauncher starts a launcher that drives the fake.
func (s *site) openLauncher(id string, edit ...func(*launcher.Config)) *member {
	s.t.Helper()
	return s.launch(id, append([]func(*launcher.Config){func(c *launcher.Config) {
		c.Systems, c.Limits = systemsByName{s.system: s.openSystem()}, s.limits
	}}, edit...)...)
}

// resourceConfig is that of pilots whose agents reach no launcher.
func (s *site) resourceConfig() resource.Config {
	return resource.Config{
		Label: "local.localhost", JobManagerEndpoint: s.url(), DefaultRemoteWorkdir: s.root, CoresPerNode: 4, Agent: "none",
	}
}

// submitPayload submits a pilot that signs and then runs a line of shell in its sandbox.
func (s *site) submitPayload(name, line string) pilot.Key {
	s.t.Helper()
	cfg := s.resourceConfig()
	d := pilot.Description{
		Runtime: pilot.Runtime(10 * time.Hour), Executable: "/bin/sh", Arguments: []string{"-c", "echo x >> $RUNS; " + line},
		Environment: map[string]string{"RUNS": filepath.Join(s.root, name+".runs")},
	}
	return s.submitOn(name, d, &cfg)
}

// waitForGo is a payload that ends well once its sandbox holds a file "go".
const waitForGo = "until [ -e go ]; do sleep 0.02; done"

// releasePayload ends such payloads.
func (s *site) releasePayload(k pilot.Key) {
	s.t.Helper()
	dir := filepath.Join(s.root, k.Manager, k.Pilot)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// payloadRuns is how many payloads of a pilot began.
func (s *site) payloadRuns(k pilot.Key) int {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.root, k.Pilot+".runs"))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	return strings.Count(string(b), "x")
}

// waitRounds is how often a wait looks at the machine, whose time does not pass for the
// bubble: half a millisecond each, or more.
const waitRounds = 40_000

// waitUntil waits for what processes of the machine do.
func (s *site) waitUntil(what string, done func() bool) {
	s.t.Helper()
	for range waitRounds {
		if done() {
			return
		}
		s.fake.CallCounts() // the time it takes passes for the machine only
	}
	s.t.Fatalf("waited in vain for %s: jobs %+v", what, s.fake.Jobs())
}

// allJobsEnded says that every job has ended.
func (s *site) allJobsEnded() bool {
	for _, j := range s.fake.Jobs() {
		if j.State != fakebatch.Ended && j.User == "" {
			return false
		}
	}
	return true
}

// checkRanOnce checks that exactly one job was made, in all, and one payload run.
func (s *site) checkRanOnce(k pilot.Key) {
	s.t.Helper()
	s.waitUntil("the end of all jobs", s.allJobsEnded)
	if jobs, runs := s.fake.SubmitCount(), s.payloadRuns(k); jobs != 1 || runs != 1 {
		s.t.Errorf("%d jobs, %d payload runs; history %v", jobs, runs, s.historyKinds(k))
	}
}

// awaitActive waits for a job's payload to be seen.
func (s *site) awaitActive(k pilot.Key) {
	s.t.Helper()
	s.awaitState(k, pilot.Active)
}
