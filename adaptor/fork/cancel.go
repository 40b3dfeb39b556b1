package fork

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/agent"
	"github.com/flightlog/flightlog/agent/proc"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Cancel sends TERM to the agent, which asks its launcher, stops its payload
// and reports. With force it kills the agent and all that came of it, and
// leaves the word that it did. A job with an exit mark has ended: its agent may
// be at another job by now, and nobody is signalled.
func (s *System) Cancel(ctx context.Context, h adaptor.Handle, stop adaptor.Stop) (err error) {
	defer s.observe("cancel", &err)()
	if err := ctx.Err(); err != nil {
		return err
	}
	j, err := s.job(&h)
	if j == nil || err != nil {
		return err
	}
	if known := s.place.sees(&j.place); known == hidden || known == likely && !living(j.Identity) {
		return s.hiddenError(&j.place)
	}
	if !j.marks.Stop() {
		return nil
	}
	if stop.Force {
		return s.kill(ctx, j)
	}
	if !s.at(j.Identity, j.serial) {
		return nil
	}
	p, err := proc.Open(j.Identity)
	if isGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Signal(syscall.SIGTERM); !isGone(err) {
		return err
	}
	return nil
}

// diePatience is how long a killed agent may take to be gone.
const diePatience = 2 * time.Second

func (s *System) kill(ctx context.Context, j *job) error {
	p, err := proc.Open(j.Identity)
	if err != nil && !isGone(err) {
		return err
	}
	if err == nil && !s.at(j.Identity, j.serial) {
		p.Close()
	} else if err == nil {
		defer p.Close()
		family := proc.Living(proc.Descendants(j.PID)) // some may have no token and no session of ours
		_ = p.Signal(syscall.SIGKILL)                  // it has ended: nothing to do
		for _, member := range family {
			_ = proc.Kill(member) // it has ended: nothing to do
		}
		ctx, cancel := context.WithTimeout(ctx, diePatience)
		defer cancel()
		if err := p.Wait(ctx); err != nil {
			return pilot.Errorf(pilot.Timeout, "agent %s does not die: %w", jobID(j.Identity, j.serial), err)
		}
	}
	s.sweep(j)
	_, err = j.end(api.Outcome{
		Kind: api.OutcomeCanceled, Code: pilot.KilledAfterGrace, Message: "killed", Signal: int(syscall.SIGKILL),
	})
	return err
}

// sweep kills what a dead agent left, until there is none: new ones may be
// forked while we look, hence the rounds; each gives the killed a moment.
func (s *System) sweep(j *job) {
	leader := j.Identity
	if living(leader) { // at another job: its session is that one's
		leader = proc.Identity{}
	}
	for range 100 {
		left := proc.Left(s.scans.fresh(), leader, j.token)
		if len(left) == 0 {
			return
		}
		for _, stray := range left {
			if err := proc.Kill(stray); err != nil && !errors.Is(err, proc.ErrGone) {
				s.config.Logger.Warn("not killed", zap.Int("pid", stray.PID), zap.Error(err))
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	s.config.Logger.Error("something of a job cannot be killed", zap.String("job", jobID(j.Identity, j.serial)))
}

// scans shares passes over /proc: who asks while one runs gets the next one,
// together with everybody else who does.
type scans struct {
	running sync.Mutex // held during a pass

	mu   sync.Mutex
	next *pass
}

type pass struct {
	once sync.Once
	all  []proc.Entry
}

// fresh gives the processes as they were at some time after the call.
func (s *scans) fresh() []proc.Entry {
	s.mu.Lock()
	if s.next == nil {
		s.next = &pass{}
	}
	p := s.next
	s.mu.Unlock()
	p.once.Do(func() {
		s.running.Lock()
		defer s.running.Unlock()
		s.mu.Lock()
		s.next = nil
		s.mu.Unlock()
		p.all = proc.Scan(agent.TokenVariable)
	})
	return p.all
}
