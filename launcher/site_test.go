package launcher_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/adaptor/adaptortest"
	"github.com/flightlog/flightlog/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/adaptor/batch"
	"github.com/flightlog/flightlog/adaptor/runner"
	"github.com/flightlog/flightlog/launcher"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource"
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
	fake   *fakebatch.Fake
	system string
	root   string
	limits launcher.Limits
	edit   func(*batch.Config)
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
			fleet: newFleet(t, adaptortest.Config{}), fake: fakebatch.New(t, system), system: system, root: scratch(t),
		})
	})
}

// scratch is a directory for the length of a test. What was let go last may still
// write there when the test is over, which t.TempDir takes for a fault.
func scratch(t *testing.T) string {
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

func (s *site) url() string { return s.system + "://localhost/" }

// adaptor gives a System as a launcher opens it when it starts.
func (s *site) adaptor() *batch.System {
	s.t.Helper()
	dialect, ok := batch.Named(s.system)
	if !ok {
		s.t.Fatalf("no dialect %s", s.system)
	}
	c := batch.Config{
		Dialect: dialect, Runner: here{runner.NewLocal(), s.fake.Env()}, URL: s.url(),
		Agent: func(context.Context, string) ([]string, map[string]string, error) {
			self, err := os.Executable()
			return []string{self, "agent"}, map[string]string{}, err
		},
	}
	if s.edit != nil {
		s.edit(&c)
	}
	system, err := batch.New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return system
}

// open starts a launcher that drives the fake.
func (s *site) open(id string, edit ...func(*launcher.Config)) *member {
	s.t.Helper()
	return s.launch(id, append([]func(*launcher.Config){func(c *launcher.Config) {
		c.Systems, c.Limits = byName{s.system: s.adaptor()}, s.limits
	}}, edit...)...)
}

// config is that of pilots whose agents reach no launcher.
func (s *site) config() resource.Config {
	return resource.Config{
		Label: "local.localhost", JobManagerEndpoint: s.url(), DefaultRemoteWorkdir: s.root, CoresPerNode: 4, Agent: "none",
	}
}

// payload submits a pilot that signs and then runs a line of shell in its sandbox.
func (s *site) payload(name, line string) pilot.Key {
	s.t.Helper()
	cfg := s.config()
	d := pilot.Description{
		Runtime: pilot.Runtime(10 * time.Hour), Executable: "/bin/sh", Arguments: []string{"-c", "echo x >> $RUNS; " + line},
		Environment: map[string]string{"RUNS": filepath.Join(s.root, name+".runs")},
	}
	return s.born(name, d, &cfg)
}

// untilGo is a payload that ends well once its sandbox holds a file "go".
const untilGo = "until [ -e go ]; do sleep 0.02; done"

// letGo ends such payloads.
func (s *site) letGo(k pilot.Key) {
	s.t.Helper()
	dir := filepath.Join(s.root, k.Manager, k.Pilot)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// runs is how many payloads of a pilot began.
func (s *site) runs(k pilot.Key) int {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.root, k.Pilot+".runs"))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	return strings.Count(string(b), "x")
}

// looks is how often a wait looks at the machine, whose time does not pass for the
// bubble: half a millisecond each, or more.
const looks = 40_000

// until waits for what processes of the machine do.
func (s *site) until(what string, done func() bool) {
	s.t.Helper()
	for range looks {
		if done() {
			return
		}
		s.fake.Calls() // the time it takes passes for the machine only
	}
	s.t.Fatalf("waited in vain for %s: jobs %+v", what, s.fake.Jobs())
}

// over says that every job has ended.
func (s *site) over() bool {
	for _, j := range s.fake.Jobs() {
		if j.State != fakebatch.Ended && j.User == "" {
			return false
		}
	}
	return true
}

// once checks that exactly one job was made, in all, and one payload run.
func (s *site) once(k pilot.Key) {
	s.t.Helper()
	s.until("the end of all jobs", s.over)
	if jobs, runs := s.fake.Submits(), s.runs(k); jobs != 1 || runs != 1 {
		s.t.Errorf("%d jobs, %d payload runs; history %v", jobs, runs, s.kinds(k))
	}
}

// active waits for a job's payload to be seen.
func (s *site) active(k pilot.Key) {
	s.t.Helper()
	s.awaitState(k, pilot.Active)
}
