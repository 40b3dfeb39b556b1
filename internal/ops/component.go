package ops

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/internal/reserve"
	"github.com/flightlog/flightlog/pilot"
)

// Component is one part of the process, as the panel sees it.
type Component struct {
	name    ComponentName
	conn    *bus.Conn
	log     *bus.Log
	span    events.Span // what it folds
	serving atomic.Bool

	manager  *manager.Manager // exactly one of the two is there
	launcher *launcher.Launcher
	room     *reserve.Watch // of the manager's store; may be nil
}

// AddManager shows a replica from now on. It is ready after SetServing.
func (p *Server) AddManager(m *manager.Manager, conn *bus.Conn, log *bus.Log, store *reserve.Watch) *Component {
	return p.addComponent(&Component{name: ComponentName{Kind: ComponentManager}, manager: m, conn: conn, log: log, room: store})
}

// AddLauncher shows a launcher of a resource from now on. It is ready after SetServing.
func (p *Server) AddLauncher(l *launcher.Launcher, resource string, conn *bus.Conn, log *bus.Log) *Component {
	return p.addComponent(&Component{
		name: ComponentName{ComponentLauncher, resource}, launcher: l, conn: conn, log: log, span: events.Span{Resource: resource},
	})
}

func (p *Server) addComponent(component *Component) *Component {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, had := range p.components {
		if had.name == component.name { // started anew
			p.components[i] = component
			return component
		}
	}
	p.components = append(p.components, component)
	return component
}

// SetServing says that the part answers from now on.
func (t *Component) SetServing() {
	if t != nil {
		t.serving.Store(true)
	}
}

// listComponents gives the parts there are.
func (p *Server) listComponents() []*Component {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*Component(nil), p.components...)
}

// progress is how far a part is.
type progress struct {
	caughtUp bool
	applied  uint64
}

func (t *Component) readProgress(ctx context.Context) (progress, error) {
	if t.manager != nil {
		c, err := t.manager.Stats(ctx)
		return progress{c.CaughtUp, c.Applied}, err
	}
	c, err := t.launcher.Stats(ctx)
	return progress{c.CaughtUp, c.Applied}, err
}

const (
	// aliveTimeout is how long a part's owner may take for a sign of life. A turn
	// of it takes milliseconds.
	aliveTimeout = 5 * time.Second
	// catchUpTimeout is how long a part may take to fold what was in the log when
	// it was asked (measured: 99 % of folds are 2 ms behind at most).
	catchUpTimeout = time.Second
	// progressEvery is the pause between two looks at how far it is.
	progressEvery = 20 * time.Millisecond
)

// checkAlive is nil where the part's owner answers, or has left as it should.
func (t *Component) checkAlive(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, aliveTimeout)
	defer stop()
	if _, err := t.readProgress(ctx); pilot.CodeOf(err) == pilot.Timeout {
		return fmt.Errorf("it has given no sign of life for %s", aliveTimeout)
	}
	return nil
}

// checkReady says why the part is not ready; nil: it is.
func (t *Component) checkReady(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, catchUpTimeout)
	defer stop()
	if !t.conn.Connected() {
		return pilot.Errorf(pilot.Unavailable, "the bus is not connected")
	}
	at, err := t.readProgress(ctx)
	if err != nil {
		return err
	}
	end, err := t.log.End(ctx, t.span)
	switch {
	case err != nil:
		return fmt.Errorf("the log cannot be asked: %w", err)
	case !at.caughtUp:
		return fmt.Errorf("it catches up with the log: folded up to %d of %d", at.applied, end)
	case !t.serving.Load():
		return pilot.Errorf(pilot.Unavailable, "it does not serve yet")
	}
	if err := t.room.CheckWritable(); err != nil {
		return err
	}
	return t.waitApplied(ctx, at.applied, end)
}

// waitApplied waits until the part has folded up to end.
func (t *Component) waitApplied(ctx context.Context, applied, end uint64) error {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for applied < end {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("it is behind the log: folded up to %d of %d", applied, end)
		}
		at, err := t.readProgress(ctx)
		if err != nil {
			return fmt.Errorf("it is behind the log, folded up to %d of %d: %w", applied, end, err)
		}
		applied = at.applied
	}
	return nil
}
