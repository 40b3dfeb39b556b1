package ops

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/internal/manager"
)

// Log is what both parts need of the bus.
type Log interface {
	manager.Log
	launcher.Log
}

// TimedLog gives a log whose appends are timed.
func (p *Server) TimedLog(part string, log *bus.Log) Log {
	if p == nil {
		return log
	}
	return &timedLog{log, part, p}
}

type timedLog struct {
	*bus.Log
	component string
	server    *Server
}

// Append is bus.Log's.
func (l *timedLog) Append(ctx context.Context, e *events.Event) (uint64, error) {
	return l.AppendBatch(ctx, []*events.Event{e})
}

// AppendBatch is bus.Log's.
func (l *timedLog) AppendBatch(ctx context.Context, es []*events.Event) (uint64, error) {
	begun := time.Now()
	ctx, end := l.server.tracing.startAppend(ctx, es)
	seq, err := l.Log.AppendBatch(ctx, es)
	end(err)
	l.server.appendTime.WithLabelValues(l.component, resultLabel(err)).Observe(time.Since(begun).Seconds())
	return seq, err
}
