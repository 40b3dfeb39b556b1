package bustest

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/pilot"
)

// lease is a name that is held, or was by somebody who died.
type lease struct {
	about  string
	holder *struct{ by *MemoryLeases } // nil: dead, and in force until then
	until  time.Time
}

// MemoryLeases is one process's handle on the leases of a log in memory.
type MemoryLeases struct {
	log  *Memory
	ttl  time.Duration
	dead bool
}

// Leases gives a handle on the leases that belong to this log.
func (m *Memory) Leases(ttl time.Duration) *MemoryLeases { return &MemoryLeases{log: m, ttl: ttl} }

// Kill does to this handle what kill -9 does to a process: its Hold ends, and
// the lease runs out.
func (l *MemoryLeases) Kill() {
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	l.dead = true
	for _, held := range l.log.leases {
		if held.holder != nil && held.holder.by == l {
			held.holder, held.until = nil, time.Now().Add(l.ttl)
		}
	}
	l.log.notifyChange()
}

// Hold is bus.Leases's.
func (l *MemoryLeases) Hold(ctx context.Context, id, about string) error {
	if err := bus.CheckLease(id); err != nil {
		return err
	}
	l.log.mu.Lock()
	mine, err := l.takeLease(id, about)
	for err == nil && ctx.Err() == nil {
		changed := l.log.changed
		l.log.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		l.log.mu.Lock()
		err = l.checkLost(id, mine)
	}
	if err == nil {
		delete(l.log.leases, id)
		l.log.notifyChange()
	}
	l.log.mu.Unlock()
	return err
}

// HoldWhile is bus.Leases's.
func (l *MemoryLeases) HoldWhile(ctx context.Context, id, about string, f func(context.Context)) error {
	if err := bus.CheckLease(id); err != nil {
		return err
	}
	l.log.mu.Lock()
	mine, err := l.takeLease(id, about)
	l.log.mu.Unlock()
	if err != nil {
		return err
	}
	held, lose := context.WithCancel(ctx)
	defer lose()
	ended := make(chan struct{})
	go func() { defer close(ended); f(held) }()
	err = l.keepLease(ctx, id, mine, ended)
	lose()
	<-ended
	return err
}

// keepLease waits until ended is closed or ctx ends and then releases the lease, or
// says how it was lost.
func (l *MemoryLeases) keepLease(ctx context.Context, id string, mine *lease, ended <-chan struct{}) error {
	for {
		l.log.mu.Lock()
		changed, err := l.log.changed, l.checkLost(id, mine)
		l.log.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-changed:
			continue
		case <-ended:
		case <-ctx.Done():
		}
		l.log.mu.Lock()
		defer l.log.mu.Unlock()
		if err := l.checkLost(id, mine); err != nil {
			return err
		}
		delete(l.log.leases, id)
		l.log.notifyChange()
		return nil
	}
}

func (l *MemoryLeases) takeLease(id, about string) (*lease, error) {
	if l.dead {
		return nil, pilot.Errorf(pilot.Unavailable, "hold %s: this process is dead", id)
	}
	if now := l.log.leases[id]; now.isAlive() && now.about != about {
		return nil, pilot.Errorf(pilot.Conflict, "%s is held by %s", id, now.about)
	}
	mine := &lease{about: about, holder: &struct{ by *MemoryLeases }{l}}
	l.log.leases[id] = mine
	l.log.notifyChange()
	return mine, nil
}

func (l *MemoryLeases) checkLost(id string, mine *lease) error {
	switch {
	case l.dead:
		return pilot.Errorf(pilot.Unavailable, "hold %s: this process is dead", id)
	case l.log.leases[id] != mine:
		return pilot.Errorf(pilot.Conflict, "%s was taken over", id)
	default:
		return nil
	}
}

// LeaseHeld is bus.Conn's.
func (l *MemoryLeases) LeaseHeld(ctx context.Context, id string) (bool, error) {
	return l.Alive(ctx, id)
}

// Alive is bus.Leases's.
func (l *MemoryLeases) Alive(_ context.Context, id string) (bool, error) {
	if err := bus.CheckLease(id); err != nil {
		return false, err
	}
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	return l.log.leases[id].isAlive(), nil
}

func (l *lease) isAlive() bool {
	return l != nil && (l.holder != nil || time.Now().Before(l.until))
}
