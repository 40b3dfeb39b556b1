package fork

import (
	"errors"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/agent/proc"
	"github.com/flightlog/flightlog/pilot"
)

// child is an agent process we watch: one of ours, or an adopted one.
type child struct {
	*proc.Process
	stdin *os.File // of a warm agent

	// Under System.mu.
	key  pilot.Key // of its job; none while it is warm
	over bool
}

// wantSpares asks for warm agents; it does not wait.
func (s *System) wantSpares() {
	select {
	case s.refills <- struct{}{}:
	default: // asked already
	}
}

// calm is how long nothing was submitted when warm agents are started. While
// jobs come in, starting their own agents is what the machine has to do: a
// warm one saves a job the wait, and nobody the work.
const calm = 20 * time.Millisecond

// refill brings the warm agents' number up whenever it is calm, until Close.
func (s *System) refill() {
	quiet := time.NewTimer(0)
	defer quiet.Stop()
	for {
		select {
		case <-s.stopped.Done():
			return
		case <-s.refills:
			quiet.Reset(calm)
		case <-quiet.C:
			s.fill()
		}
	}
}

func (s *System) fill() {
	for len(s.spares) < cap(s.spares) && s.stopped.Err() == nil && len(s.refills) == 0 {
		c, err := s.spawn()
		if err != nil {
			s.config.Logger.Warn("no warm agent", zap.Error(err))
			return
		}
		s.spares <- c // room: nobody else sends
	}
}

// take gives a warm agent, or starts one.
func (s *System) take() (*child, error) {
	defer s.wantSpares()
	for {
		select {
		case c, ok := <-s.spares:
			if !ok {
				return nil, os.ErrClosed
			}
			if c.Alive() {
				return c, nil
			}
			_ = c.stdin.Close() // it died waiting
		default:
			return s.spawn()
		}
	}
}

// spawn starts an agent that waits for its assignment.
func (s *System) spawn() (*child, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	defer func() { _ = null.Close() }()
	pidfd := -1
	pid, err := syscall.ForkExec(s.config.Agent[0], s.config.Agent, &syscall.ProcAttr{
		Dir: s.config.Root, Env: s.config.Env, Files: []uintptr{in.Fd(), null.Fd(), s.errors.Fd()},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	})
	if err != nil {
		_ = out.Close()
		return nil, &os.PathError{Op: "exec", Path: s.config.Agent[0], Err: err}
	}
	c, err := s.hold(pid, pidfd)
	if err != nil {
		_ = out.Close() // it reads the end of its stdin, and leaves
		return nil, err
	}
	c.stdin = out
	return c, nil
}

// hold begins to watch a process just started. Nobody has waited for it, so
// its pid is its own.
func (s *System) hold(pid, pidfd int) (*child, error) {
	if pidfd < 0 {
		return nil, errors.New("this kernel has no pidfds")
	}
	id, err := proc.Of(pid)
	if err != nil {
		return nil, err
	}
	p, err := proc.Hold(pidfd, id)
	if err != nil {
		return nil, err
	}
	c := &child{Process: p}
	s.watch(c)
	return c, nil
}

// watch waits for a process and tells of its end if it had a job by then.
func (s *System) watch(c *child) {
	s.owned.Go(func() {
		err := c.Wait(s.stopped)
		s.mu.Lock()
		c.over = true
		key := c.key
		delete(s.watched, c.Identity)
		s.mu.Unlock()
		c.Close()
		if err == nil && key.Pilot != "" {
			s.tell(key)
		}
	})
}

func (s *System) tell(key pilot.Key) {
	select {
	case s.ended <- key:
	case <-s.stopped.Done():
	}
}

// employ notes that a child has a job now.
func (s *System) employ(c *child, key pilot.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.key = key
	if c.over { // its watch was too early to know
		s.owned.Go(func() { s.tell(key) })
		return
	}
	s.watched[c.Identity] = c
}

// alive says whether the process of a job lives, and sees to it that its end
// will be told.
func (s *System) alive(id proc.Identity, key pilot.Key) (bool, error) {
	s.mu.Lock()
	_, known := s.watched[id]
	s.mu.Unlock()
	if known {
		return true, nil
	}
	p, err := proc.Open(id)
	if errors.Is(err, proc.ErrGone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	c := &child{Process: p, key: key}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, raced := s.watched[id]; raced || s.stopped.Err() != nil {
		p.Close()
		return true, nil
	}
	s.watched[id] = c
	s.watch(c)
	return true, nil
}
