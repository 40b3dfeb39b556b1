package launcher_test

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
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

// onlyJob gives the only job of this user that there ever was.
func (s *site) onlyJob() fakebatch.Job {
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

// awaitPayload waits until the payload has.
func (s *site) awaitPayload(k pilot.Key) {
	s.t.Helper()
	s.waitUntil("the payload", func() bool { return s.payloadRuns(k) == 1 })
}

// startRunning is a pilot whose payload has begun, and goes on until let go.
func (s *site) startRunning() pilot.Key {
	s.t.Helper()
	s.openLauncher("a")
	k := s.submitPayload("p", waitForGo)
	s.awaitActive(k)
	s.awaitPayload(k)
	return k
}

// doneHistory is the history of a pilot that did what it was asked.
var doneHistory = []events.Kind{"submit", "launching", "pending_active", "active", "done"}

// TestPitfallNamesOfOthers: another user's job of the same name, and even with the
// same token, is neither taken for ours nor touched.
func TestPitfallNamesOfOthers(t *testing.T) {
	atSites(t, func(s *site) {
		s.openLauncher("a")
		k := s.submitPayload("p", waitForGo)
		s.awaitActive(k)
		twin := s.fake.AddTwin(s.onlyJob().ID)
		s.awaitPayload(k)
		s.cancel(k, true)
		s.awaitState(k, pilot.Canceled)
		s.checkRanOnce(k)
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
		k := s.startRunning()
		s.fake.RecycleID(s.onlyJob().ID)
		time.Sleep(time.Minute)
		if p := s.get(k); p.State != pilot.Active {
			s.t.Errorf("its pilot is %s: %+v", p.State, p.Cause)
		}
		s.releasePayload(k)
		s.awaitState(k, pilot.Done)
		if jobs, runs := s.fake.SubmitCount(), s.payloadRuns(k); jobs != 1 || runs != 1 {
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
				m := s.openLauncher("a")
				k := s.submitPayload("p", "exit 0")
				s.awaitState(k, pilot.PendingActive)
				s.kill(m)
				s.fake.Start()
				s.waitUntil("its end", s.allJobsEnded)
				if purged {
					s.fake.Purge(s.onlyJob().ID, true)
				}
				s.openLauncher("a")
				p := s.awaitState(k, pilot.Done)
				if got := s.historyKinds(k); !slices.Equal(got, doneHistory) || p.ActiveAt.IsZero() || p.EndedAt.Before(p.ActiveAt) {
					s.t.Errorf("history %v, active %s, ended %s", got, p.ActiveAt, p.EndedAt)
				}
				s.checkRanOnce(k)
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
				s.editConfig = func(c *batch.Config) {
					c.Runner = &slowFiles{Runner: c.Runner, show: func(content []byte, age time.Duration) []byte {
						if age < late {
							return early
						}
						return content
					}}
				}
				s.openLauncher("a")
				k := s.submitPayload("p", waitForGo+"; exit 7")
				s.awaitActive(k)
				s.releasePayload(k)
				p := s.awaitState(k, pilot.Failed)
				if c := p.Cause; c.Code != pilot.PayloadFailed || c.ExitCode == nil || *c.ExitCode != 7 {
					s.t.Errorf("cause %+v", c)
				}
				s.checkRanOnce(k)
				calls := 0
				for _, n := range s.fake.CallCounts() {
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
		s.editConfig = func(c *batch.Config) {
			c.Runner = &slowFiles{Runner: c.Runner, show: func(content []byte, age time.Duration) []byte {
				if age < 4*time.Minute {
					return nil
				}
				return content
			}}
		}
		s.openLauncher("a")
		k := s.submitPayload("p", waitForGo+"; exit 7")
		s.awaitActive(k)
		s.releasePayload(k)
		s.waitUntil("its end", s.allJobsEnded)
		s.fake.Purge(s.onlyJob().ID, true)
		p := s.awaitState(k, pilot.Failed)
		if c := p.Cause; c.Code != pilot.PayloadFailed || c.ExitCode == nil || *c.ExitCode != 7 {
			s.t.Errorf("cause %+v", c)
		}
		if jobs, runs := s.fake.SubmitCount(), s.payloadRuns(k); jobs != 1 || runs != 1 {
			s.t.Errorf("%d jobs, %d runs", jobs, runs)
		}
	})
}

// TestPitfallExitFileStaysEmpty: of one that died as it wrote nobody waits for ever.
func TestPitfallExitFileStaysEmpty(t *testing.T) {
	atSites(t, func(s *site) {
		s.editConfig = func(c *batch.Config) {
			c.Runner = &slowFiles{Runner: c.Runner, show: func([]byte, time.Duration) []byte { return []byte{} }}
		}
		s.openLauncher("a")
		k := s.submitPayload("p", waitForGo)
		s.awaitActive(k)
		s.releasePayload(k)
		p := s.await(k, "final", func(p *projection.Pilot) bool { return p.State.Final() })
		if p.Cause == nil || p.Cause.Code == "" {
			s.t.Errorf("cause %+v", p.Cause)
		}
		s.checkRanOnce(k)
	})
}

// TestPitfallMaxSubmit: a limit of the user's is waited for, without a job too many
// and without giving up.
func TestPitfallMaxSubmit(t *testing.T) {
	atSites(t, func(s *site) {
		const limits = 7 // more than attempts may fail
		s.fake.Inject(fakebatch.Failure{Kind: fakebatch.Throttle, Times: limits})
		s.openLauncher("a")
		k := s.submitPayload("p", waitForGo)
		p := s.await(k, "ACTIVE", func(p *projection.Pilot) bool { return p.State == pilot.Active })
		if p.Attempt != limits+1 || p.Failures != 0 {
			s.t.Errorf("attempt %d, %d failures", p.Attempt, p.Failures)
		}
		s.releasePayload(k)
		s.awaitState(k, pilot.Done)
		s.checkRanOnce(k)
	})
}

// TestPitfallDownForAnHour: the scheduler answers nothing for an hour. What runs
// stays as it is, and people are told; what was submitted meanwhile is launched
// once, as soon as it can be.
func TestPitfallDownForAnHour(t *testing.T) {
	atSites(t, func(s *site) {
		k := s.startRunning()
		s.fake.Inject(fakebatch.Failure{Kind: fakebatch.Unreachable, Times: -1})
		time.Sleep(30 * time.Minute)
		next := s.submitPayload("next", waitForGo)
		time.Sleep(30 * time.Minute)
		if p := s.get(k); p.State != pilot.Active || p.Note.Health == "" {
			s.t.Errorf("after an hour it is %s, health %q", p.State, p.Note.Health)
		}
		if p := s.get(next); p.State.Final() || s.fake.SubmitCount() != 1 {
			s.t.Errorf("submitted meanwhile: %s, %d jobs", p.State, s.fake.SubmitCount())
		}
		s.fake.ClearFailures()
		s.await(k, "well", func(p *projection.Pilot) bool { return p.Note.Health == "" })
		s.awaitActive(next)
		for _, each := range []pilot.Key{k, next} {
			s.releasePayload(each)
			s.awaitState(each, pilot.Done)
		}
		s.waitUntil("the end of all jobs", s.allJobsEnded)
		if jobs, runs, others := s.fake.SubmitCount(), s.payloadRuns(k), s.payloadRuns(next); jobs != 2 || runs != 1 || others != 1 {
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
		s.fake.Inject(fakebatch.Failure{Kind: fakebatch.QueueThenTimeout, Times: 3})
		s.fake.Inject(fakebatch.Failure{Kind: fakebatch.ListForgets, Times: -1})
		s.fake.Inject(fakebatch.Failure{Kind: fakebatch.HistoryFails, Times: -1})
		s.openLauncher("a")
		keys := []pilot.Key{s.submitPayload("p0", "true"), s.submitPayload("p1", "true"), s.submitPayload("p2", "true")}
		time.Sleep(10 * time.Minute)
		for _, k := range keys {
			if p := s.get(k); p.State != pilot.Launching || p.Note.Health == "" {
				t.Errorf("%s is %s, health %q", k.Pilot, p.State, p.Note.Health)
			}
		}
		if n := s.fake.CallCounts()["sacct"]; n > 25*len(keys) {
			t.Errorf("sacct was called %d times in 10 minutes for %d pilots", n, len(keys))
		}
		s.fake.ClearFailures()
		s.fake.Start()
		for _, k := range keys {
			s.awaitState(k, pilot.Done)
			if n := s.payloadRuns(k); n != 1 {
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
		s.openLauncher("a")
		k := s.submitPayload("p", "true")
		s.awaitState(k, pilot.PendingActive)
		s.fake.Inject(fakebatch.Failure{Kind: fakebatch.CancelRefused, Times: -1})
		before := s.fake.CallCounts()
		s.cancel(k, true)
		time.Sleep(time.Hour)
		calls := s.fake.CallCounts()
		if n := calls["scancel"] - before["scancel"]; n > 100 {
			t.Errorf("scancel was called %d times in an hour", n)
		}
		if n := calls["squeue"] - before["squeue"]; n > 400 {
			t.Errorf("squeue was called %d times in an hour", n)
		}
		if p := s.get(k); p.State.Final() {
			t.Errorf("its job is there, and it is %s", p.State)
		}
		s.fake.ClearFailures()
		s.awaitState(k, pilot.Canceled)
	})
}
