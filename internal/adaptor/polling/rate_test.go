package polling_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/adaptor/polling"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// fakeSlurm is a machine with SLURM on it, in memory. Its jobs wait for ever.
type fakeSlurm struct {
	mu    sync.Mutex
	files map[string][]byte
	jobs  []string // as squeue prints them
	calls map[string]int
}

var scriptName = regexp.MustCompile(`(?m)^#SBATCH --(job-name|comment)=(\S+)`)

func (s *fakeSlurm) Run(_ context.Context, c runner.Command) (runner.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[c.Argv[0]]++
	var out string
	switch c.Argv[0] {
	case "sbatch":
		of := map[string]string{}
		for _, m := range scriptName.FindAllSubmatch(c.Stdin, -1) {
			of[string(m[1])] = string(m[2])
		}
		out = fmt.Sprint(len(s.jobs) + 1)
		s.jobs = append(s.jobs, strings.Join([]string{
			out, "PENDING", of["comment"], fmt.Sprint(time.Now().Unix()), "N/A", "", "Priority", "10:00", of["job-name"], "\n",
		}, "\x1f"))
	case "squeue":
		out = "\x1eJOBID\x1fSTATE\x1fCOMMENT\x1fSUBMIT\x1fSTART\x1fNODES\x1fREASON\x1fLIMIT\x1fNAME\x1f\n"
		for _, j := range s.jobs {
			out += "\x1e" + j
		}
	default:
		return runner.Result{Code: 127}, nil
	}
	return runner.Result{Stdout: []byte(out)}, nil
}

func (s *fakeSlurm) Write(_ context.Context, dir string, files ...runner.File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range files {
		s.files[path.Join(dir, f.Name)] = bytes.Clone(f.Content)
	}
	return nil
}

func (s *fakeSlurm) Read(_ context.Context, _ int64, paths ...string) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([][]byte, len(paths))
	for i, p := range paths {
		out[i] = s.files[p]
	}
	return out, nil
}

func (s *fakeSlurm) Expand(_ context.Context, p string) (string, error) {
	return path.Join("/home/me", path.Base(p)), nil
}
func (s *fakeSlurm) Remove(context.Context, ...string) error                 { return nil }
func (s *fakeSlurm) Stage(_ context.Context, file, _ string) (string, error) { return file, nil }
func (s *fakeSlurm) Identity() string                                        { return "me@memory" }
func (s *fakeSlurm) Close() error                                            { return nil }

func (s *fakeSlurm) callCounts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// singleSystem is the one batch system of a launcher.
type singleSystem struct{ system adaptor.Adaptor }

func (o singleSystem) For(*resource.Config) (adaptor.Adaptor, error) { return o.system, nil }

// countCalls has launchers look after pilots that wait in a queue, and gives what was
// called of the batch system for some time once all are there.
func countCalls(t *testing.T, launchers, pilots int, length time.Duration) map[string]int {
	t.Helper()
	most := map[string]int{}
	synctest.Test(t, func(t *testing.T) {
		site, log, w := &fakeSlurm{files: map[string][]byte{}, calls: map[string]int{}}, bustest.NewMemory(), newFakeBus(t)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for i := range launchers {
			l, end := newLauncher(t, fmt.Sprintf("launcher-%d", i), site, log, w)
			running.Go(func() {
				defer end()
				if err := l.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			<-l.Ready()
		}
		submitPilots(t, log, pilots)
		time.Sleep(time.Minute)
		if n := site.callCounts()["sbatch"]; n != pilots {
			t.Errorf("%d jobs of %d pilots", n, pilots)
		}
		before := site.callCounts()
		time.Sleep(length)
		for name, n := range site.callCounts() {
			most[name] = n - before[name]
		}
		stop()
		running.Wait()
	})
	return most
}

func newLauncher(t *testing.T, id string, site *fakeSlurm, log *bustest.Memory, w *fakeBus) (l *launcher.Launcher, end func()) {
	t.Helper()
	client, err := batch.NewClient(batch.ClientConfig{Dialect: &batch.Slurm, Runner: site})
	if err != nil {
		t.Fatal(err)
	}
	leases := log.Leases(ttl)
	p, err := polling.New(polling.Config{
		Endpoint: "e", LauncherID: id, Bus: &busEndpoint{wire: w}, Leases: leases, Query: client.QueryJobs, Floor: client.MinPollInterval(),
	})
	if err != nil {
		t.Fatal(err)
	}
	system, err := batch.New(batch.Config{
		Client: client, SharedLister: p, URL: "slurm://memory/",
		Agent: func(context.Context, string) ([]string, map[string]string, error) {
			return []string{"/agent"}, nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err = launcher.New(launcher.Config{
		Resource: "local.cluster", ID: id, Log: log, Queue: log.CommandQueue("local.cluster", bus.CommandQueueConfig{}), Leases: leases,
		Systems: singleSystem{system},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, p.Close
}

func submitPilots(t *testing.T, log *bustest.Memory, n int) {
	t.Helper()
	site, err := resource.Parse("resource_local.json", []byte(`{"cluster":{"schemas":{"local":
		{"job_manager_endpoint":"slurm://memory/","filesystem_endpoint":"file://memory/"}},"default_remote_workdir":"/home/me"}}`))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := resource.NewCatalogue(resource.Layer{Name: "test", Sites: []*resource.Site{site}}).Resolve("local.cluster", "")
	if err != nil {
		t.Fatal(err)
	}
	canonical, digest := cfg.Canonical()
	for i := range n {
		key := pilot.Key{Resource: "local.cluster", Manager: "m", Pilot: fmt.Sprintf("p%d", i)}
		e := events.Event{
			ID: "m." + key.Pilot, Class: events.ClassCommand, Key: key, Kind: events.Submit, At: time.Now(),
			Submission: &events.Submission{Config: canonical, Digest: digest, Description: pilot.Description{
				UID: key.Pilot, Resource: key.Resource, Runtime: pilot.Runtime(time.Hour), Cores: 1,
			}},
		}
		if _, err := log.Append(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
	}
}

// TestQueriesDependOnNeitherPilotsNorLaunchers prints the table of
// docs/polling.md.
func TestQueriesDependOnNeitherPilotsNorLaunchers(t *testing.T) {
	t.Parallel()
	all, length := []int{1, 100, 1000}, 20*time.Minute
	if testing.Short() {
		all, length = all[:2], 10*time.Minute
	}
	for _, launchers := range []int{1, 3, 10} {
		for _, pilots := range all {
			n := countCalls(t, launchers, pilots, length)
			t.Logf("%4d pilots, %2d launchers: %.2f squeue a minute, %d others", pilots, launchers,
				float64(n["squeue"])/length.Minutes(), n["sacct"]+n["sbatch"]+n["scontrol"])
			if most, least := int(length/(27*time.Second))+1, int(length/(33*time.Second))-1; n["squeue"] < least || n["squeue"] > most {
				t.Errorf("%d queries, want %d to %d", n["squeue"], least, most)
			}
		}
	}
}
