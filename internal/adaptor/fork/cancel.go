package fork

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// Cancel sends TERM to the agent, which asks its launcher, stops its payload
// and reports. With force it kills the agent and all that came of it, and
// leaves the word that it did. A job with an exit mark has ended: its agent may
// be at another job by now, and nobody is signalled.
func (s *System) Cancel(ctx context.Context, h adaptor.Handle, stop adaptor.Stop) (err error) {
	defer s.observeCall("cancel", &err)()
	if err := ctx.Err(); err != nil {
		return err
	}
	j, err := s.readJob(&h)
	if j == nil || err != nil {
		return err
	}
	if known := s.place.visibilityOf(&j.place); known == seesNothing || known == seesLikely && !processLives(j.Identity) {
		return s.hiddenError(&j.place)
	}
	if !j.marks.AnnounceStop() {
		return nil
	}
	if stop.Force {
		return s.killJob(ctx, j)
	}
	if !s.processHasJob(j.Identity, j.serial) {
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

// killTimeout is how long a killed agent may take to be gone.
const killTimeout = 2 * time.Second

func (s *System) killJob(ctx context.Context, j *job) error {
	p, err := proc.Open(j.Identity)
	if err != nil && !isGone(err) {
		return err
	}
	if err == nil && !s.processHasJob(j.Identity, j.serial) {
		p.Close()
	} else if err == nil {
		defer p.Close()
		family := proc.LiveIdentities(proc.DescendantsOf(j.PID)) // some may have no token and no session of ours
		_ = p.Signal(syscall.SIGKILL)                            // it has ended: nothing to do
		for _, member := range family {
			_ = proc.Kill(member) // it has ended: nothing to do
		}
		ctx, cancel := context.WithTimeout(ctx, killTimeout)
		defer cancel()
		if err := p.Wait(ctx); err != nil {
			return pilot.Errorf(pilot.Timeout, "agent %s does not die: %w", jobID(j.Identity, j.serial), err)
		}
	}
	s.killLeftovers(j)
	_, err = j.recordEnd(api.Outcome{
		Kind: api.OutcomeCanceled, Code: pilot.KilledAfterGrace, Message: "killed", Signal: int(syscall.SIGKILL),
	})
	return err
}

// killLeftovers kills what a dead agent left, until there is none: new ones may be
// forked while we look, hence the rounds; each gives the killed a moment.
func (s *System) killLeftovers(j *job) {
	leader := j.Identity
	if processLives(leader) { // at another job: its session is that one's
		leader = proc.Identity{}
	}
	for range 100 {
		left := proc.FindLeftBehind(s.scans.scanAfresh(), leader, j.token)
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

// scanSharer shares passes over /proc: who asks while one runs gets the next one,
// together with everybody else who does.
type scanSharer struct {
	running sync.Mutex // held during a pass

	mu   sync.Mutex
	next *scanPass
}

type scanPass struct {
	once sync.Once
	all  []proc.Entry
}

// scanAfresh gives the processes as they were at some time after the call.
func (s *scanSharer) scanAfresh() []proc.Entry {
	s.mu.Lock()
	if s.next == nil {
		s.next = &scanPass{}
	}
	p := s.next
	s.mu.Unlock()
	p.once.Do(func() {
		s.running.Lock()
		defer s.running.Unlock()
		s.mu.Lock()
		s.next = nil
		s.mu.Unlock()
		p.all = proc.ScanProcesses(sandbox.TokenVariable)
	})
	return p.all
}
