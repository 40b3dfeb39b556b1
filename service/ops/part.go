package ops

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/launcher"
	"github.com/flightlog/flightlog/manager"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/service/room"
)

// Part is one part of the process, as the panel sees it.
type Part struct {
	name   Name
	conn   *bus.Conn
	log    *bus.Log
	span   events.Span // what it folds
	serves atomic.Bool

	manager  *manager.Manager // exactly one of the two is there
	launcher *launcher.Launcher
	room     *room.Watch // of the manager's store; may be nil
}

// Manager shows a replica from now on. It is ready after Serves.
func (p *Panel) Manager(m *manager.Manager, conn *bus.Conn, log *bus.Log, store *room.Watch) *Part {
	return p.add(&Part{name: Name{Part: PartManager}, manager: m, conn: conn, log: log, room: store})
}

// Launcher shows a launcher of a resource from now on. It is ready after Serves.
func (p *Panel) Launcher(l *launcher.Launcher, resource string, conn *bus.Conn, log *bus.Log) *Part {
	return p.add(&Part{
		name: Name{PartLauncher, resource}, launcher: l, conn: conn, log: log, span: events.Span{Resource: resource},
	})
}

func (p *Panel) add(part *Part) *Part {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, had := range p.parts {
		if had.name == part.name { // started anew
			p.parts[i] = part
			return part
		}
	}
	p.parts = append(p.parts, part)
	return part
}

// Serves says that the part answers from now on.
func (t *Part) Serves() {
	if t != nil {
		t.serves.Store(true)
	}
}

// all gives the parts there are.
func (p *Panel) all() []*Part {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*Part(nil), p.parts...)
}

// stand is how far a part is.
type stand struct {
	caughtUp bool
	applied  uint64
}

func (t *Part) stand(ctx context.Context) (stand, error) {
	if t.manager != nil {
		c, err := t.manager.Census(ctx)
		return stand{c.CaughtUp, c.Applied}, err
	}
	c, err := t.launcher.Census(ctx)
	return stand{c.CaughtUp, c.Applied}, err
}

const (
	// signTime is how long a part's owner may take for a sign of life. A turn
	// of it takes milliseconds.
	signTime = 5 * time.Second
	// patience is how long a part may take to fold what was in the log when
	// it was asked (jetstream.md 2.8: p99 2 ms).
	patience = time.Second
	// lookEvery is the pause between two looks at how far it is.
	lookEvery = 20 * time.Millisecond
)

// alive is nil where the part's owner answers, or has left as it should.
func (t *Part) alive(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, signTime)
	defer stop()
	if _, err := t.stand(ctx); pilot.CodeOf(err) == pilot.Timeout {
		return fmt.Errorf("it has given no sign of life for %s", signTime)
	}
	return nil
}

// ready says why the part is not ready; nil: it is.
func (t *Part) ready(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	if !t.conn.Connected() {
		return pilot.Errorf(pilot.Unavailable, "the bus is not connected")
	}
	at, err := t.stand(ctx)
	if err != nil {
		return err
	}
	end, err := t.log.End(ctx, t.span)
	switch {
	case err != nil:
		return fmt.Errorf("the log cannot be asked: %w", err)
	case !at.caughtUp:
		return fmt.Errorf("it catches up with the log: folded up to %d of %d", at.applied, end)
	case !t.serves.Load():
		return pilot.Errorf(pilot.Unavailable, "it does not serve yet")
	}
	if err := t.room.Ready(); err != nil {
		return err
	}
	return t.reach(ctx, at.applied, end)
}

// reach waits until the part has folded up to end.
func (t *Part) reach(ctx context.Context, applied, end uint64) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for applied < end {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("it is behind the log: folded up to %d of %d", applied, end)
		}
		at, err := t.stand(ctx)
		if err != nil {
			return fmt.Errorf("it is behind the log, folded up to %d of %d: %w", applied, end, err)
		}
		applied = at.applied
	}
	return nil
}
