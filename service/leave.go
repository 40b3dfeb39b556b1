package service

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// leaveTime is how long a program may take to end in order once it is told to. Who stops
// it mostly waits for ten seconds or more before he kills (systemd 90 s, Kubernetes 30 s,
// containers 10 s).
const leaveTime = 9 * time.Second

// Leave runs what a program does. What ends in order when ctx ends has nine seconds for it;
// what has not ended then is left as it is, as if the program had been killed, a line of
// the log says what that is, and Leave gives nil: the caller must end the process. All
// that counts is on disk by then, or is done again after the next start.
func Leave(ctx context.Context, log *zap.Logger, do func(*Leaving) error) error {
	l := &Leaving{}
	ended := make(chan error, 1) // 1: nobody may be there to hear it
	go func() { ended <- do(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	limit := time.NewTimer(leaveTime)
	defer limit.Stop()
	select {
	case err := <-ended:
		return err
	case <-limit.C:
		log.Warn("stopped without waiting any longer for what has not ended; it is taken up at the next start",
			zap.Duration("waited", leaveTime), zap.Strings("left", l.left()))
		return nil
	}
}

// Leaving knows what of a program is there, to say what is left of it. A nil one takes
// note of nothing. All methods may be called at the same time.
type Leaving struct {
	mu   sync.Mutex
	held []*held
}

// held is a part of a program that must end before it does.
type held struct {
	what string
	more func() string // what there is to say beyond that; nil: nothing
}

// Holds notes that something must end before the program does, until gone is called. more,
// which must be quick, says more of it; nil: there is no more to say.
func (l *Leaving) Holds(what string, more func() string) (gone func()) {
	if l == nil {
		return func() {}
	}
	h := &held{what, more}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = append(l.held, h)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = slices.DeleteFunc(l.held, func(other *held) bool { return other == h })
	}
}

// left says what is held, the innermost first.
func (l *Leaving) left() []string {
	l.mu.Lock()
	all := slices.Clone(l.held)
	l.mu.Unlock()
	slices.Reverse(all)
	said := make([]string, len(all))
	for i, h := range all {
		said[i] = h.what
		if h.more != nil {
			said[i] += ": " + h.more()
		}
	}
	return said
}
