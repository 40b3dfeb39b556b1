package fakebatch

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Fake is a batch system. Its methods may be called at the same time, and while its
// commands run.
type Fake struct {
	t   testing.TB
	dir string
	bin string
}

// Systems are those there are fakes of and that package batch knows by itself.
func Systems() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(commands)), func(s string) bool { return s == "oar" })
}

// New makes a system without jobs. Its jobs are killed when the test ends.
func New(t testing.TB, system string) *Fake {
	t.Helper()
	names, ok := commands[system]
	if !ok {
		t.Fatalf("fakebatch: no system %q", system)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.MkdirTemp("", "fakebatch") //nolint:usetesting // jobs that are killed still write there
	if err != nil {
		t.Fatal(err)
	}
	f := &Fake{t: t, dir: filepath.Join(root, "state"), bin: filepath.Join(root, "bin")}
	for _, dir := range []string{filepath.Join(f.dir, "jobs"), filepath.Join(f.dir, "home"), f.bin} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name := range names {
		text := fmt.Sprintf("#!/bin/sh\n%s='%s' exec '%s' %s \"$@\"\n", dirVariable, f.dir, self, name)
		if err := os.WriteFile(filepath.Join(f.bin, name), []byte(text), 0o700); err != nil { //nolint:gosec // a command
			t.Fatal(err)
		}
	}
	f.updateState(func(s *state) { s.System = system })
	t.Cleanup(func() {
		f.updateState(func(s *state) {
			s.Stopped = true
			for _, j := range s.Jobs {
				if j.State == Running || j.State == Suspended {
					j.sendSignal(syscall.SIGKILL)
				}
			}
		})
		f.removeRoot(root)
	})
	return f
}

// removeRoot tries for as long as what was killed still writes.
func (f *Fake) removeRoot(root string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if os.RemoveAll(root) == nil {
			return
		}
		<-tick.C
	}
	f.t.Logf("fakebatch: %s is left", root)
}

// BinDir is the directory with the commands, for the beginning of PATH.
func (f *Fake) BinDir() string { return f.bin }

// Dir is where the state is.
func (f *Fake) Dir() string { return f.dir }

// Env is what a runner gives commands so that they are the fake's.
func (f *Fake) Env() []string { return []string{"PATH=" + f.bin + ":" + os.Getenv("PATH")} }

func (f *Fake) updateState(how func(*state)) {
	f.t.Helper()
	if err := withState(f.dir, func(s *state) error { how(s); return nil }); err != nil {
		f.t.Errorf("fakebatch: %v", err)
	}
}

// Inject has commands go wrong, from now on.
func (f *Fake) Inject(faults ...Failure) {
	f.t.Helper()
	f.updateState(func(s *state) {
		for _, fault := range faults {
			if fault.Times == 0 {
				fault.Times = 1
			}
			s.Faults = append(s.Faults, fault)
		}
	})
}

// ClearFailures takes all faults away.
func (f *Fake) ClearFailures() {
	f.t.Helper()
	f.updateState(func(s *state) { s.Faults = nil })
}

// SubmitCount is how many jobs were ever taken into the queue.
func (f *Fake) SubmitCount() (n int) {
	f.t.Helper()
	f.updateState(func(s *state) { n = s.Submits })
	return n
}

// CallCounts are how often each command was called.
func (f *Fake) CallCounts() (calls map[string]int) {
	f.t.Helper()
	f.updateState(func(s *state) { calls = maps.Clone(s.Calls) })
	return calls
}

// Jobs are all jobs there ever were, in the order they came in.
func (f *Fake) Jobs() (jobs []Job) {
	f.t.Helper()
	f.updateState(func(s *state) {
		for _, j := range s.Jobs {
			jobs = append(jobs, *j)
		}
	})
	return jobs
}

// Stop has jobs that are submitted wait; Start begins those that wait.
func (f *Fake) Stop() {
	f.t.Helper()
	f.updateState(func(s *state) { s.Stopped = true })
}

// Start begins all jobs that wait and are not held, and from now on every one.
func (f *Fake) Start() {
	f.t.Helper()
	f.updateState(func(s *state) {
		s.Stopped = false
		f.startAll(s)
	})
}

func (f *Fake) startAll(s *state) {
	for _, j := range s.Jobs {
		if j.State == Queued && !j.Gone && j.User == "" {
			if err := s.startJob(f.dir, j); err != nil {
				f.t.Errorf("fakebatch: %v", err)
			}
		}
	}
}

// ForgetEnded has jobs that end leave the listing at once, as Grid Engine and PBS Pro
// do by default, and SLURM after MinJobAge.
func (f *Fake) ForgetEnded() {
	f.t.Helper()
	f.updateState(func(s *state) { s.Keep = false })
}

// updateJob changes one.
func (f *Fake) updateJob(id string, how func(*state, *Job)) {
	f.t.Helper()
	f.updateState(func(s *state) {
		j := s.findJob(id)
		if j == nil {
			f.t.Errorf("fakebatch: no job %s", id)
			return
		}
		how(s, j)
	})
}

// Hold keeps a waiting job from beginning, for a reason; Release lets it.
func (f *Fake) Hold(id, reason string) {
	f.t.Helper()
	f.updateJob(id, func(_ *state, j *Job) { j.State, j.Reason = Held, reason })
}

// Release lets a job begin that was held.
func (f *Fake) Release(id string) {
	f.t.Helper()
	f.updateJob(id, func(s *state, j *Job) {
		j.State, j.Reason = Queued, ""
		if !s.Stopped {
			f.startAll(s)
		}
	})
}

// Suspend stops a running job; Resume lets it go on.
func (f *Fake) Suspend(id string) {
	f.t.Helper()
	f.updateJob(id, func(_ *state, j *Job) {
		j.sendSignal(syscall.SIGSTOP)
		j.State = Suspended
	})
}

// Resume lets a job go on that was suspended.
func (f *Fake) Resume(id string) {
	f.t.Helper()
	f.updateJob(id, func(_ *state, j *Job) {
		j.sendSignal(syscall.SIGCONT)
		j.State = Running
	})
}

// Requeue kills what runs of a job and puts it into the queue again, under its id, also
// one that has ended.
// It begins again with Start, or at once if the system is not stopped.
func (f *Fake) Requeue(id string) {
	f.t.Helper()
	f.updateJob(id, func(s *state, j *Job) {
		if j.State != Ended {
			j.sendSignal(syscall.SIGKILL)
		}
		j.State, j.Started, j.PID, j.Doomed = Queued, time.Time{}, 0, time.Time{}
		if !s.Stopped {
			f.startAll(s)
		}
	})
}

// SetLimit changes a job's time limit: `scontrol update timelimit=`, `qalter -l h_rt=`,
// `qalter -l walltime=`, `bmod -W`.
func (f *Fake) SetLimit(id string, limit time.Duration) {
	f.t.Helper()
	f.updateJob(id, func(_ *state, j *Job) { j.Limit = limit })
}

// Relabel has a job show other words where its token stood, as a plugin of the site
// or `scontrol update` does.
func (f *Fake) Relabel(id, words string) {
	f.t.Helper()
	f.updateJob(id, func(_ *state, j *Job) { j.Token = words })
}

// Rename gives a job another name as `qalter -N` does, and, where a listing shows the
// token in a field that is as easily changed, another comment (`scontrol update`) or
// description (`bmod -Jd`).
func (f *Fake) Rename(id, name string) {
	f.t.Helper()
	f.updateJob(id, func(s *state, j *Job) { s.renameJob(j, name) })
}

func (s *state) renameJob(j *Job, name string) {
	if j.Name = name; s.System == "slurm" || s.System == "lsf" {
		j.Token = "of " + name
	}
}

// Move gives a waiting job to another server (PBS).
func (f *Fake) Move(id string) {
	f.t.Helper()
	f.updateJob(id, func(_ *state, j *Job) { j.State = Moved })
}

// Kill ends a running job for a reason: its walltime, its memory, its node,
// preemption, or somebody else's cancel. Nothing warns it.
func (f *Fake) Kill(id string, why EndReason) {
	f.t.Helper()
	f.updateJob(id, func(_ *state, j *Job) {
		if j.State == Running || j.State == Suspended {
			j.sendSignal(syscall.SIGKILL)
		}
		signal := 9
		if j.Started.IsZero() || why == NodeFail {
			signal = 0
		}
		j.markEnded(why, 0, signal)
	})
}

// Purge has the system forget a job that has ended: in listings, and in accounting
// too where all says so.
func (f *Fake) Purge(id string, all bool) {
	f.t.Helper()
	f.updateJob(id, func(_ *state, j *Job) { j.Hidden, j.Gone = true, all })
}

// WaitState waits until a job is in a state.
func (f *Fake) WaitState(id string, want State) Job {
	f.t.Helper()
	limit, tick := time.NewTimer(time.Minute), time.NewTicker(10*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for {
		var at Job
		f.updateJob(id, func(_ *state, j *Job) { at = *j })
		if at.State == want {
			return at
		}
		select {
		case <-tick.C:
		case <-limit.C:
			f.t.Fatalf("fakebatch: job %s is %s, not %s", id, at.State, want)
		}
	}
}

// Output is what a job printed.
func (f *Fake) Output(id string) string {
	f.t.Helper()
	var out strings.Builder
	f.updateJob(id, func(_ *state, j *Job) {
		for _, file := range []string{j.Out, j.Err} {
			if b, err := os.ReadFile(file); err == nil {
				out.Write(b)
			}
		}
	})
	return out.String()
}
