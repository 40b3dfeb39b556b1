package fork

import (
	"context"
	"os"
	"runtime"
	"slices"
	"time"

	"go.uber.org/zap"
)

// calmTime is how long nobody came or went when warm agents are started: while jobs
// come in, the machine has other things to do.
const calmTime = 20 * time.Millisecond

// Idle agents beyond the warm ones wait so long for another job, and are at
// most so many. One holds 6 MiB.
const (
	maxIdleTime = 10 * time.Second
	maxIdle     = 64
)

// startCost is what an agent's start takes of a processor, measured. While
// others come free more often than that, one more would only be in their way.
const startCost = 10 * time.Millisecond

// Starting more agents at once than there are processors makes none of them
// ready sooner. A few per processor are wanted in any case: they wait for the
// log most of the time.
var (
	maxStarts = runtime.NumCPU()
	minAgents = 4 * runtime.NumCPU()
)

// pool is the agents that wait for jobs, and the jobs that wait for agents.
// All is under System.mu.
type pool struct {
	idle          []*child      // the last one came last
	waiting       []chan *child // each with room for one; nil: an agent died as it started
	ownCount      int           // agents of ours that live
	startingCount int           // of these, or about to be, that were not ready yet
	freedAt       time.Time     // when an agent came back from a job
}

// takeAgent gives an idle agent, or waits for one; it starts one if need be.
func (s *System) takeAgent(ctx context.Context) (*child, error) {
	defer s.requestTending()
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
				return nil, errAgentDied
			}
			return c, nil
		case <-again.C:
		case <-ctx.Done():
			s.stopWaiting(w)
			return nil, context.Cause(ctx)
		case <-s.stopped.Done():
			return nil, os.ErrClosed
		}
	}
}

// startFor starts an agent if one more would help those who wait.
func (s *System) startFor(w chan *child) error {
	s.mu.Lock()
	helps := s.startingCount < min(maxStarts, len(s.waiting)) &&
		(s.ownCount < minAgents || time.Since(s.freedAt) > startCost)
	if helps {
		s.startingCount++
	}
	s.mu.Unlock()
	if !helps {
		return nil
	}
	err := s.startAgent()
	if err != nil {
		s.stopWaiting(w)
	}
	return err
}

// startAgent starts an agent that counts as starting already.
func (s *System) startAgent() error {
	err := s.spawnAgent()
	if err != nil {
		s.mu.Lock()
		s.startingCount--
		s.mu.Unlock()
	}
	return err
}

// stopWaiting waits no more.
func (s *System) stopWaiting(w chan *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, w); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		return
	}
	if c := <-w; c != nil && !c.ended {
		s.addIdle(c)
	}
}

// giveBack returns an agent that got no assignment.
func (s *System) giveBack(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.ended {
		s.addIdle(c)
	}
}

// addIdle takes an agent that is idle. Under System.mu.
func (s *System) addIdle(c *child) {
	c.idleSince = time.Now()
	if c.ready {
		s.freedAt = c.idleSince
	} else {
		c.ready = true
		s.startingCount--
	}
	if len(s.waiting) > 0 {
		s.waiting[0] <- c
		s.waiting = s.waiting[1:]
		return
	}
	s.idle = append(s.idle, c)
	if len(s.idle) > maxIdle {
		s.dismissIdle(1)
	}
	s.requestTending()
}

// forgetAgent takes note that an agent has ended. Under System.mu.
func (s *System) forgetAgent(c *child) {
	s.ownCount--
	if i := slices.Index(s.idle, c); i >= 0 {
		s.idle = slices.Delete(s.idle, i, i+1)
	}
	if c.ready {
		return
	}
	s.startingCount--
	if len(s.waiting) > 0 {
		s.waiting[0] <- nil
		s.waiting = s.waiting[1:]
	}
}

// dismissIdle lets those go that have been idle longest. Under System.mu.
func (s *System) dismissIdle(n int) {
	for _, c := range s.idle[:n] {
		_ = c.stdin.Close() // to an idle agent that is the word to leave
	}
	s.idle = slices.Delete(s.idle, 0, n)
}

// requestTending asks for a look at the number of warm agents; it does not wait.
func (s *System) requestTending() {
	select {
	case s.tendRequests <- struct{}{}:
	default: // asked already
	}
}

// tendPool brings the warm agents' number up, and lets surplus ones go, whenever
// it is calm, until Close.
func (s *System) tendPool() {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-s.stopped.Done():
			return
		case <-s.tendRequests:
			next.Reset(calmTime)
		case <-next.C:
			s.startSpares()
			if surplus := s.dismissSurplus(); surplus {
				next.Reset(maxIdleTime / 4)
			}
		}
	}
}

func (s *System) startSpares() {
	for s.stopped.Err() == nil && len(s.tendRequests) == 0 {
		s.mu.Lock()
		enough := len(s.idle)+s.startingCount >= s.config.Spare
		if !enough {
			s.startingCount++
		}
		s.mu.Unlock()
		if enough {
			return
		}
		if err := s.startAgent(); err != nil {
			s.config.Logger.Warn("no warm agent", zap.Error(err))
			return
		}
	}
}

// dismissSurplus lets go whom nobody needed for long, and says whether there are more.
func (s *System) dismissSurplus() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, surplus := 0, max(len(s.idle)-max(s.config.Spare, 0), 0)
	for n < surplus && time.Since(s.idle[n].idleSince) > maxIdleTime {
		n++
	}
	s.dismissIdle(n)
	return n < surplus
}
