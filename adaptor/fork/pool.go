package fork

import (
	"context"
	"os"
	"runtime"
	"slices"
	"time"

	"go.uber.org/zap"
)

// calm is how long nobody came or went when warm agents are started: while jobs
// come in, the machine has other things to do.
const calm = 20 * time.Millisecond

// Idle agents beyond the warm ones wait so long for another job, and are at
// most so many. One holds 6 MiB.
const (
	idleFor = 10 * time.Second
	idleMax = 64
)

// startCost is what an agent's start takes of a processor, measured. While
// others come free more often than that, one more would only be in their way.
const startCost = 10 * time.Millisecond

// Starting more agents at once than there are processors makes none of them
// ready sooner. A few per processor are wanted in any case: they wait for the
// log most of the time.
var (
	startsMax = runtime.NumCPU()
	agentsMin = 4 * runtime.NumCPU()
)

// pool is the agents that wait for jobs, and the jobs that wait for agents.
// All is under System.mu.
type pool struct {
	idle     []*child      // the last one came last
	waiting  []chan *child // each with room for one; nil: an agent died as it started
	own      int           // agents of ours that live
	starting int           // of these, or about to be, that were not ready yet
	freedAt  time.Time     // when an agent came back from a job
}

// take gives an idle agent, or waits for one; it starts one if need be.
func (s *System) take(ctx context.Context) (*child, error) {
	defer s.look()
	s.mu.Lock()
	for len(s.idle) > 0 {
		c := s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		if c.Alive() {
			s.mu.Unlock()
			return c, nil
		}
	}
	w := make(chan *child, 1)
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	again := time.NewTicker(startCost)
	defer again.Stop()
	for {
		if err := s.startFor(w); err != nil {
			return nil, err
		}
		select {
		case c := <-w:
			if c == nil {
				return nil, errDead
			}
			return c, nil
		case <-again.C:
		case <-ctx.Done():
			s.leave(w)
			return nil, context.Cause(ctx)
		case <-s.stopped.Done():
			return nil, os.ErrClosed
		}
	}
}

// startFor starts an agent if one more would help those who wait.
func (s *System) startFor(w chan *child) error {
	s.mu.Lock()
	helps := s.starting < min(startsMax, len(s.waiting)) &&
		(s.own < agentsMin || time.Since(s.freedAt) > startCost)
	if helps {
		s.starting++
	}
	s.mu.Unlock()
	if !helps {
		return nil
	}
	err := s.start()
	if err != nil {
		s.leave(w)
	}
	return err
}

// start starts an agent that counts as starting already.
func (s *System) start() error {
	err := s.spawn()
	if err != nil {
		s.mu.Lock()
		s.starting--
		s.mu.Unlock()
	}
	return err
}

// leave waits no more.
func (s *System) leave(w chan *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, w); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		return
	}
	if c := <-w; c != nil && !c.over {
		s.freed(c)
	}
}

// giveBack returns an agent that got no assignment.
func (s *System) giveBack(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.over {
		s.freed(c)
	}
}

// freed takes an agent that is idle. Under System.mu.
func (s *System) freed(c *child) {
	c.since = time.Now()
	if c.ready {
		s.freedAt = c.since
	} else {
		c.ready = true
		s.starting--
	}
	if len(s.waiting) > 0 {
		s.waiting[0] <- c
		s.waiting = s.waiting[1:]
		return
	}
	s.idle = append(s.idle, c)
	if len(s.idle) > idleMax {
		s.letGo(1)
	}
	s.look()
}

// forget takes note that an agent has ended. Under System.mu.
func (s *System) forget(c *child) {
	s.own--
	if i := slices.Index(s.idle, c); i >= 0 {
		s.idle = slices.Delete(s.idle, i, i+1)
	}
	if c.ready {
		return
	}
	s.starting--
	if len(s.waiting) > 0 {
		s.waiting[0] <- nil
		s.waiting = s.waiting[1:]
	}
}

// letGo lets those go that have been idle longest. Under System.mu.
func (s *System) letGo(n int) {
	for _, c := range s.idle[:n] {
		_ = c.stdin.Close() // to an idle agent that is the word to leave
	}
	s.idle = slices.Delete(s.idle, 0, n)
}

// look asks for a look at the number of warm agents; it does not wait.
func (s *System) look() {
	select {
	case s.looks <- struct{}{}:
	default: // asked already
	}
}

// tend brings the warm agents' number up, and lets surplus ones go, whenever
// it is calm, until Close.
func (s *System) tend() {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-s.stopped.Done():
			return
		case <-s.looks:
			next.Reset(calm)
		case <-next.C:
			s.fill()
			if surplus := s.trim(); surplus {
				next.Reset(idleFor / 4)
			}
		}
	}
}

func (s *System) fill() {
	for s.stopped.Err() == nil && len(s.looks) == 0 {
		s.mu.Lock()
		enough := len(s.idle)+s.starting >= s.config.Spare
		if !enough {
			s.starting++
		}
		s.mu.Unlock()
		if enough {
			return
		}
		if err := s.start(); err != nil {
			s.config.Logger.Warn("no warm agent", zap.Error(err))
			return
		}
	}
}

// trim lets go whom nobody needed for long, and says whether there are more.
func (s *System) trim() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, surplus := 0, max(len(s.idle)-max(s.config.Spare, 0), 0)
	for n < surplus && time.Since(s.idle[n].since) > idleFor {
		n++
	}
	s.letGo(n)
	return n < surplus
}
