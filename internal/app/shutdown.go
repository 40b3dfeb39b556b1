package app

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// shutdownGrace is how long a program may take to end in order once it is told to. Who stops
// it mostly waits for ten seconds or more before he kills (systemd 90 s, Kubernetes 30 s,
// containers 10 s).
const shutdownGrace = 9 * time.Second

// RunUntilDone runs what a program does. What ends in order when ctx ends has nine seconds for it;
// what has not ended then is left as it is, as if the program had been killed, a line of
// the log says what that is, and RunUntilDone returns nil: the caller must end the process. All
// that counts is on disk by then, or is done again after the next start.
func RunUntilDone(ctx context.Context, log *zap.Logger, do func(*Shutdown) error) error {
	shutdown := &Shutdown{}
	ended := make(chan error, 1) // 1: nobody may be there to hear it
	go func() { ended <- do(shutdown) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	limit := time.NewTimer(shutdownGrace)
	defer limit.Stop()
	select {
	case err := <-ended:
		return err
	case <-limit.C:
		log.Warn("stopped without waiting any longer for what has not ended; it is taken up at the next start",
			zap.Duration("waited", shutdownGrace), zap.Strings("left", shutdown.describePending()))
		return nil
	}
}

// Shutdown knows what of a program is there, to say what is left of it. A nil one takes
// note of nothing. All methods may be called at the same time.
type Shutdown struct {
	mu      sync.Mutex
	pending []*pendingPart
}

// pendingPart is a part of a program that must end before it does.
type pendingPart struct {
	what string
	more func() string // what there is to say beyond that; nil: nothing
}

// AddPending notes that something must end before the program does, until gone is called. more,
// which must be quick, says more of it; nil: there is no more to say.
func (l *Shutdown) AddPending(what string, more func() string) (gone func()) {
	if l == nil {
		return func() {}
	}
	h := &pendingPart{what, more}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = append(l.pending, h)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.pending = slices.DeleteFunc(l.pending, func(other *pendingPart) bool { return other == h })
	}
}

// describePending says what is held, the innermost first.
func (l *Shutdown) describePending() []string {
	l.mu.Lock()
	all := slices.Clone(l.pending)
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
