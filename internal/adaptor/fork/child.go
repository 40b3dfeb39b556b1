package fork

import (
	"bufio"
	"errors"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// child is an agent process we watch: one of ours, which serves one job after
// the other, or an adopted one.
type child struct {
	*proc.Process
	stdin  *os.File // for assignments; nil: adopted
	stdout *os.File // where it says that it is idle; nil: adopted

	// Under System.mu.
	ready     bool        // it has said that it is idle
	serial    int         // of the last assignment it was given; each has the next number
	jobs      []pilot.Key // whose end is told when it is idle again, or has ended; at most one if it is ours
	ended     bool
	idleSince time.Time // idle since
}

// servesAssignment says whether a child of ours is at that assignment.
func (c *child) servesAssignment(serial int) bool { return len(c.jobs) > 0 && c.serial == serial }

// spawnAgent starts an agent, which will say that it is idle.
func (s *System) spawnAgent() error {
	in, stdin, err := os.Pipe()
	if err != nil {
		return err
	}
	stdout, out, err := os.Pipe()
	if err != nil {
		closeAll(in, stdin)
		return err
	}
	defer closeAll(in, out)
	pidfd := -1
	pid, err := syscall.ForkExec(s.config.Agent[0], s.config.Agent, &syscall.ProcAttr{
		Dir: s.config.Root, Env: s.config.Env, Files: []uintptr{in.Fd(), out.Fd(), s.agentsLog.Fd()},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	})
	if err != nil {
		closeAll(stdin, stdout)
		return &os.PathError{Op: "exec", Path: s.config.Agent[0], Err: err}
	}
	p, err := holdProcess(pid, pidfd)
	if err != nil {
		closeAll(stdin, stdout) // it reads the end of its stdin, and leaves
		return err
	}
	c := &child{Process: p, stdin: stdin, stdout: stdout}
	s.mu.Lock()
	s.children[c.Identity] = c
	s.ownCount++
	s.mu.Unlock()
	s.watchChild(c)
	s.goroutines.Go(func() { s.awaitIdle(c) })
	return nil
}

// holdProcess gets hold of a process just started. Nobody has waited for it, so its
// pid is its own.
func holdProcess(pid, pidfd int) (*proc.Process, error) {
	if pidfd < 0 {
		return nil, errors.New("this kernel has no pidfds")
	}
	id, err := proc.IdentityOf(pid)
	if err != nil {
		return nil, err
	}
	return proc.FromPidfd(pidfd, id)
}

// watchChild waits for a process and tells of the ends of its jobs with its own.
func (s *System) watchChild(c *child) {
	s.goroutines.Go(func() {
		err := c.Wait(s.stopped)
		s.mu.Lock()
		c.ended = true
		told := c.jobs
		delete(s.children, c.Identity)
		if c.stdin != nil {
			s.forgetAgent(c)
		}
		s.mu.Unlock()
		c.Close()
		closeAll(c.stdin, c.stdout)
		if err == nil {
			s.notifyEnds(told)
		}
	})
}

// awaitIdle hears an agent of ours say that it is idle. One that says anything
// else is no agent: it gets no more to do.
func (s *System) awaitIdle(c *child) {
	lines := bufio.NewReaderSize(c.stdout, 16)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil || string(line) != sandbox.Idle {
			_ = c.stdin.Close()
			return
		}
		s.mu.Lock()
		var told []pilot.Key
		if !c.ended { // else its watch tells
			told, c.jobs = c.jobs, nil
			s.addIdle(c)
		}
		s.mu.Unlock()
		s.notifyEnds(told)
	}
}

// notifyEnds gives notice of ends; it does not wait for who reads that.
func (s *System) notifyEnds(keys []pilot.Key) {
	for _, key := range keys {
		s.goroutines.Go(func() {
			select {
			case s.jobEnds <- key:
			case <-s.stopped.Done():
			}
		})
	}
}

// assignJob notes that a child has a job now; false: it has ended meanwhile.
func (s *System) assignJob(c *child, serial int, key pilot.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.ended {
		return false
	}
	c.serial, c.jobs = serial, []pilot.Key{key}
	return true
}

// processHasJob says whether the process of a job is at that job. Of one of ours that is
// known; another's is as long as it lives, if the job has no exit mark.
func (s *System) processHasJob(id proc.Identity, serial int) bool {
	s.mu.Lock()
	c, known := s.children[id]
	serves := known && (c.stdin == nil || c.servesAssignment(serial))
	s.mu.Unlock()
	if known {
		return serves
	}
	return processLives(id)
}

// watchIfAlive is at, and sees to it that the end of the job will be told.
func (s *System) watchIfAlive(id proc.Identity, serial int, key pilot.Key) (bool, error) {
	s.mu.Lock()
	alive, known := s.addToWatched(id, serial, key)
	s.mu.Unlock()
	if known {
		return alive, nil
	}
	p, err := proc.Open(id)
	if errors.Is(err, proc.ErrGone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, raced := s.addToWatched(id, serial, key); raced || s.stopped.Err() != nil {
		p.Close()
		return true, nil
	}
	c := &child{Process: p, jobs: []pilot.Key{key}}
	s.children[id] = c
	s.watchChild(c)
	return true, nil
}

// addToWatched adds a job to those that end with a process watched already.
func (s *System) addToWatched(id proc.Identity, serial int, key pilot.Key) (alive, known bool) {
	c, known := s.children[id]
	switch {
	case !known:
		return false, false
	case c.stdin != nil:
		return c.servesAssignment(serial), true
	case !slices.Contains(c.jobs, key):
		c.jobs = append(c.jobs, key)
	}
	return true, true
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close() // of nil: an error, nothing else
	}
}
