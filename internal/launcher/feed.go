package launcher

import (
	"context"
	"fmt"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/subject"
)

// startFeeders starts what fills the channels: goroutines each of which sends once on
// broken when it ends.
func (l *Launcher) startFeeders(ctx context.Context) {
	l.startFeeder = func(f func(context.Context) error) {
		l.feederCount++
		go func() { l.feederEnds <- f(ctx) }()
	}
	for _, f := range []func(context.Context) error{l.feedEntries, l.feedCommands, l.holdLease} {
		l.startFeeder(f)
	}
}

// listenForEnds listens to a system that tells of ends.
func (l *Launcher) listenForEnds(a adaptor.Adaptor) {
	n, ok := a.(adaptor.EndNotifier)
	if !ok || l.listening[a] {
		return
	}
	l.listening[a] = true
	l.startFeeder(func(ctx context.Context) error { return l.feedJobEnds(ctx, n) })
}

func (l *Launcher) feedEntries(ctx context.Context) error {
	for e, err := range l.log.Tail(ctx, events.Span{Resource: l.resource}) {
		if err != nil {
			return fmt.Errorf("launcher: tail: %w", err)
		}
		select {
		case l.entries <- e:
		case <-ctx.Done():
			return nil
		}
	}
	return ctx.Err()
}

func (l *Launcher) feedCommands(ctx context.Context) error {
	for d, err := range l.queue.Receive(ctx) {
		if err != nil {
			return fmt.Errorf("launcher: inbox: %w", err)
		}
		select {
		case l.deliveries <- d:
		case <-ctx.Done():
			return d.Again(0)
		}
	}
	return ctx.Err()
}

func (l *Launcher) holdLease(ctx context.Context) error {
	if err := l.leases.Hold(ctx, subject.LauncherLease(l.resource, l.id), l.resource); err != nil && ctx.Err() == nil {
		return fmt.Errorf("launcher: lease: %w", err)
	}
	return ctx.Err()
}

func (l *Launcher) feedJobEnds(ctx context.Context, n adaptor.EndNotifier) error {
	for {
		select {
		case key := <-n.JobEnds():
			select {
			case l.jobEnds <- key:
			case <-ctx.Done():
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}
