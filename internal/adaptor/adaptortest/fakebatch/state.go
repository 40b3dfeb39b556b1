package fakebatch

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// State is where a job is.
type State string

// The states, in no system's words.
const (
	Queued    State = "queued"
	Held      State = "held"
	Running   State = "running"
	Suspended State = "suspended"
	Moved     State = "moved" // to another server, which cannot be asked
	Ended     State = "ended"
)

// EndReason is what ended a job, beside its own exit.
type EndReason string

// The reasons.
const (
	ByItself  EndReason = ""
	Canceled  EndReason = "canceled"
	Overtime  EndReason = "walltime"
	Memory    EndReason = "memory"
	NodeFail  EndReason = "node"
	Preempted EndReason = "preempted"
	NoStart   EndReason = "no start" // its output could not be opened, or the like
)

// Job is one.
type Job struct {
	ID        string
	User      string // empty: of whoever runs the test
	Name      string
	Token     string // as a listing shows it
	Context   string // the token that it was submitted with
	State     State
	Reason    string // why it waits
	Why       EndReason
	Exit      int
	Signal    int
	Runs      int // times that it was begun
	Submitted time.Time
	Started   time.Time
	Ended     time.Time

	Script string
	File   string // with the script; empty: it was on stdin
	Dir    string
	Out    string
	Err    string
	Limit  time.Duration
	PID    int            // of the script, which leads its session
	Warn   syscall.Signal // what a cancel and a walltime send first
	Doomed time.Time      // when SIGKILL follows
	Late   int            // listings to go until a cancel is done
	Gone   bool           // neither shown nor accounted for
	Hidden bool           // not shown any more; accounted for
}

// state is what the commands share.
type state struct {
	System  string
	Next    int // number of the next job
	Stopped bool
	Keep    bool // jobs that have ended are shown for a while
	Jobs    []*Job
	Faults  []Failure
	Calls   map[string]int
	Submits int
}

// withState changes the state in dir while nobody else does.
func withState(dir string, change func(*state) error) error {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // which unlocks
	for {
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			if err != nil {
				return err
			}
			break
		}
	}
	s := state{Next: 1, Keep: true, Calls: map[string]int{}}
	file := filepath.Join(dir, "state.json")
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.reapJobs(dir)
	failed := change(&s)
	if b, err = json.MarshalIndent(&s, "", "\t"); err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", b, 0o600); err != nil {
		return err
	}
	return errors.Join(failed, os.Rename(file+".new", file))
}

// findJob gives a job; the last one that had the id.
func (s *state) findJob(id string) *Job {
	for _, j := range slices.Backward(s.Jobs) {
		if j.ID == id && !j.Gone {
			return j
		}
	}
	return nil
}

// listedJobs are the jobs of a listing, or, with the ended ones, of accounting.
func (s *state) listedJobs(ended bool) []*Job {
	var out []*Job
	for _, j := range s.Jobs {
		over := j.State == Ended || j.State == Moved
		if !j.Gone && (!over || ended || s.Keep && !j.Hidden) {
			out = append(out, j)
		}
	}
	return out
}
