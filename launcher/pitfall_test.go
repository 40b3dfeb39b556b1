package launcher_test

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/adaptor/batch"
	"github.com/flightlog/flightlog/adaptor/runner"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// atSites runs a test over each fake; with -short over those that show a token, the
// one, and a part of the name only, the other.
func atSites(t *testing.T, test func(*site)) {
	t.Helper()
	for _, system := range fakebatch.Systems() {
		if testing.Short() && system != "slurm" && system != "sge" {
			continue
		}
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			atSite(t, system, test)
		})
	}
}

// job gives the only job of this user that there ever was.
func (s *site) job() fakebatch.Job {
	s.t.Helper()
	var mine []fakebatch.Job
	for _, j := range s.fake.Jobs() {
		if j.User == "" {
			mine = append(mine, j)
		}
	}
	if len(mine) != 1 {
		s.t.Fatalf("%d jobs: %+v", len(mine), mine)
	}
	return mine[0]
}

// begun waits until the payload has.
func (s *site) begun(k pilot.Key) {
	s.t.Helper()
	s.until("the payload", func() bool { return s.runs(k) == 1 })
}

// running is a pilot whose payload has begun, and goes on until let go.
func (s *site) running() pilot.Key {
	s.t.Helper()
	s.open("a")
	k := s.payload("p", untilGo)
	s.active(k)
	s.begun(k)
	return k
}

// ran is the history of a pilot that did what it was asked.
var ran = []events.Kind{"submit", "launching", "pending_active", "active", "done"}

// TestPitfallNamesOfOthers: another user's job of the same name, and even with the
// same token, is neither taken for ours nor touched.
func TestPitfallNamesOfOthers(t *testing.T) {
	atSites(t, func(s *site) {
		s.open("a")
		k := s.payload("p", untilGo)
		s.active(k)
		twin := s.fake.Twin(s.job().ID)
		s.begun(k)
		s.cancel(k, true)
		s.awaitState(k, pilot.Canceled)
		s.once(k)
		for _, j := range s.fake.Jobs() {
			if j.ID == twin && j.State != fakebatch.Running {
				s.t.Errorf("the other's job is %s", j.State)
			}
		}
	})
}

// TestPitfallIDGivenAway: a controller that forgot our job gives its id to another
// user's; ours goes on, and its own word ends its pilot.
func TestPitfallIDGivenAway(t *testing.T) {
	atSites(t, func(s *site) {
		k := s.running()
		s.fake.Recycle(s.job().ID)
		time.Sleep(time.Minute)
		if p := s.get(k); p.State != pilot.Active {
			s.t.Errorf("its pilot is %s: %+v", p.State, p.Cause)
		}
		s.letGo(k)
		s.awaitState(k, pilot.Done)
		if jobs, runs := s.fake.Submits(), s.runs(k); jobs != 1 || runs != 1 {
			s.t.Errorf("%d jobs, %d runs", jobs, runs)
		}
	})
}

// TestPitfallOverBeforeThePoll: a job that began and ended between submit and the
// first poll leaves every state in the log, also if the system has purged it.
func TestPitfallOverBeforeThePoll(t *testing.T) {
	for _, purged := range []bool{false, true} {
		t.Run(map[bool]string{false: "shown", true: "purged"}[purged], func(t *testing.T) {
			atSites(t, func(s *site) {
				s.fake.Stop()
				m := s.open("a")
				k := s.payload("p", "exit 0")
				s.awaitState(k, pilot.PendingActive)
				s.kill(m)
				s.fake.Start()
				s.until("its end", s.over)
				if purged {
					s.fake.Purge(s.job().ID, true)
				}
				s.open("a")
				p := s.awaitState(k, pilot.Done)
				if got := s.kinds(k); !slices.Equal(got, ran) || p.ActiveAt.IsZero() || p.EndedAt.Before(p.ActiveAt) {
					s.t.Errorf("history %v, active %s, ended %s", got, p.ActiveAt, p.EndedAt)
				}
				s.once(k)
			})
		})
	}
}

// slowFiles is a file system that shows the marks of ends late.
type slowFiles struct {
	runner.Runner
	show func(content []byte, age time.Duration) []byte // how a mark looks so long after it was first asked for

	mu    sync.Mutex
	first time.Time
}

func (f *slowFiles) Read(ctx context.Context, limit int64, paths ...string) ([][]byte, error) {
	files, err := f.Runner.Read(ctx, limit, paths...)
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range files {
		if strings.HasSuffix(path.Base(paths[i]), ".exit") && files[i] != nil {
			if f.first.IsZero() {
				f.first = time.Now()
			}
			files[i] = f.show(files[i], time.Since(f.first))
		}
	}
	return files, err
}

// TestPitfallLateExitFile: the word that a job left shows minutes after the job is
// gone (NFS keeps what it knows of a directory), or is empty at first. Cobalt does not
// say that a job ended well, so there it is seconds.
func TestPitfallLateExitFile(t *testing.T) {
	for name, early := range map[string][]byte{"absent": nil, "empty": {}, "half": []byte(`{"kind":"do`)} {
		t.Run(name, func(t *testing.T) {
			atSites(t, func(s *site) {
				late := 10 * time.Second
				if early == nil && s.system != "cobalt" {
					late = 4 * time.Minute
				}
				s.edit = func(c *batch.Config) {
					c.Runner = &slowFiles{Runner: c.Runner, show: func(content []byte, age time.Duration) []byte {
						if age < late {
							return early
						}
						return content
					}}
				}
				s.open("a")
				k := s.payload("p", untilGo+"; exit 7")
				s.active(k)
				s.letGo(k)
				p := s.awaitState(k, pilot.Failed)
				if c := p.Cause; c.Code != pilot.PayloadFailed || c.ExitCode == nil || *c.ExitCode != 7 {
					s.t.Errorf("cause %+v", c)
				}
				s.once(k)
				calls := 0
				for _, n := range s.fake.Calls() {
					calls += n
				}
				if calls > 100 { // one in two seconds would be 120 listings, and as many of accounting
					s.t.Errorf("%d calls", calls)
				}
			})
		})
	}
}

// TestPitfallLateExitFileOfAPurgedJob: the same where the system does not know the job any
// more, so that nothing but its word is left.
func TestPitfallLateExitFileOfAPurgedJob(t *testing.T) {
	atSites(t, func(s *site) {
		s.edit = func(c *batch.Config) {
			c.Runner = &slowFiles{Runner: c.Runner, show: func(content []byte, age time.Duration) []byte {
				if age < 4*time.Minute {
					return nil
				}
				return content
			}}
		}
		s.open("a")
		k := s.payload("p", untilGo+"; exit 7")
		s.active(k)
		s.letGo(k)
		s.until("its end", s.over)
		s.fake.Purge(s.job().ID, true)
		p := s.awaitState(k, pilot.Failed)
		if c := p.Cause; c.Code != pilot.PayloadFailed || c.ExitCode == nil || *c.ExitCode != 7 {
			s.t.Errorf("cause %+v", c)
		}
		if jobs, runs := s.fake.Submits(), s.runs(k); jobs != 1 || runs != 1 {
			s.t.Errorf("%d jobs, %d runs", jobs, runs)
		}
	})
}

// TestPitfallExitFileStaysEmpty: of one that died as it wrote nobody waits for ever.
func TestPitfallExitFileStaysEmpty(t *testing.T) {
	atSites(t, func(s *site) {
		s.edit = func(c *batch.Config) {
			c.Runner = &slowFiles{Runner: c.Runner, show: func([]byte, time.Duration) []byte { return []byte{} }}
		}
		s.open("a")
		k := s.payload("p", untilGo)
		s.active(k)
		s.letGo(k)
		p := s.await(k, "final", func(p *projection.Pilot) bool { return p.State.Final() })
		if p.Cause == nil || p.Cause.Code == "" {
			s.t.Errorf("cause %+v", p.Cause)
		}
		s.once(k)
	})
}

// TestPitfallMaxSubmit: a limit of the user's is waited for, without a job too many
// and without giving up.
func TestPitfallMaxSubmit(t *testing.T) {
	atSites(t, func(s *site) {
		const limits = 7 // more than attempts may fail
		s.fake.Fault(fakebatch.Fault{Kind: fakebatch.Throttle, Times: limits})
		s.open("a")
		k := s.payload("p", untilGo)
		p := s.await(k, "ACTIVE", func(p *projection.Pilot) bool { return p.State == pilot.Active })
		if p.Attempt != limits+1 || p.Failures != 0 {
			s.t.Errorf("attempt %d, %d failures", p.Attempt, p.Failures)
		}
		s.letGo(k)
		s.awaitState(k, pilot.Done)
		s.once(k)
	})
}

// TestPitfallDownForAnHour: the scheduler answers nothing for an hour. What runs
// stays as it is, and people are told; what was submitted meanwhile is launched
// once, as soon as it can be.
func TestPitfallDownForAnHour(t *testing.T) {
	atSites(t, func(s *site) {
		k := s.running()
		s.fake.Fault(fakebatch.Fault{Kind: fakebatch.Unreachable, Times: -1})
		time.Sleep(30 * time.Minute)
		next := s.payload("next", untilGo)
		time.Sleep(30 * time.Minute)
		if p := s.get(k); p.State != pilot.Active || p.Note.Health == "" {
			s.t.Errorf("after an hour it is %s, health %q", p.State, p.Note.Health)
		}
		if p := s.get(next); p.State.Final() || s.fake.Submits() != 1 {
			s.t.Errorf("submitted meanwhile: %s, %d jobs", p.State, s.fake.Submits())
		}
		s.fake.Heal()
		s.await(k, "well", func(p *projection.Pilot) bool { return p.Note.Health == "" })
		s.active(next)
		for _, each := range []pilot.Key{k, next} {
			s.letGo(each)
			s.awaitState(each, pilot.Done)
		}
		s.until("the end of all jobs", s.over)
		if jobs, runs, others := s.fake.Submits(), s.runs(k), s.runs(next); jobs != 2 || runs != 1 || others != 1 {
			s.t.Errorf("%d jobs, %d and %d runs", jobs, runs, others)
		}
	})
}

// TestPitfallAccountingDown: while nobody can say whether a lost submit made a job,
// each pilot asks ever more seldom, and says that its system is silent; when it is
// heard again, there is one job of each.
func TestPitfallAccountingDown(t *testing.T) {
	atSite(t, "slurm", func(s *site) {
		s.fake.Stop()
		s.fake.Fault(fakebatch.Fault{Kind: fakebatch.QueueThenTimeout, Times: 3})
		s.fake.Fault(fakebatch.Fault{Kind: fakebatch.ListForgets, Times: -1})
		s.fake.Fault(fakebatch.Fault{Kind: fakebatch.HistoryFails, Times: -1})
		s.open("a")
		keys := []pilot.Key{s.payload("p0", "true"), s.payload("p1", "true"), s.payload("p2", "true")}
		time.Sleep(10 * time.Minute)
		for _, k := range keys {
			if p := s.get(k); p.State != pilot.Launching || p.Note.Health == "" {
				t.Errorf("%s is %s, health %q", k.Pilot, p.State, p.Note.Health)
			}
		}
		if n := s.fake.Calls()["sacct"]; n > 25*len(keys) {
			t.Errorf("sacct was called %d times in 10 minutes for %d pilots", n, len(keys))
		}
		s.fake.Heal()
		s.fake.Start()
		for _, k := range keys {
			s.awaitState(k, pilot.Done)
			if n := s.runs(k); n != 1 {
				t.Errorf("the payload of %s ran %d times", k.Pilot, n)
			}
		}
	})
}

// TestPitfallCancelNeverDone: a job that does not go away, as on a node that is dead,
// is canceled and looked for ever more seldom, and its pilot ends once it is gone.
func TestPitfallCancelNeverDone(t *testing.T) {
	atSite(t, "slurm", func(s *site) {
		s.fake.Stop()
		s.open("a")
		k := s.payload("p", "true")
		s.awaitState(k, pilot.PendingActive)
		s.fake.Fault(fakebatch.Fault{Kind: fakebatch.CancelRefused, Times: -1})
		before := s.fake.Calls()
		s.cancel(k, true)
		time.Sleep(time.Hour)
		calls := s.fake.Calls()
		if n := calls["scancel"] - before["scancel"]; n > 100 {
			t.Errorf("scancel was called %d times in an hour", n)
		}
		if n := calls["squeue"] - before["squeue"]; n > 400 {
			t.Errorf("squeue was called %d times in an hour", n)
		}
		if p := s.get(k); p.State.Final() {
			t.Errorf("its job is there, and it is %s", p.State)
		}
		s.fake.Heal()
		s.awaitState(k, pilot.Canceled)
	})
}
