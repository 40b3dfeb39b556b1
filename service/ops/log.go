package ops

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/launcher"
	"github.com/flightlog/flightlog/manager"
)

// Log is what both parts need of the bus.
type Log interface {
	manager.Log
	launcher.Log
}

// Log gives a log whose appends are timed.
func (p *Panel) Log(part string, log *bus.Log) Log {
	if p == nil {
		return log
	}
	return &timedLog{log, part, p}
}

type timedLog struct {
	*bus.Log
	part  string
	panel *Panel
}

// Append is bus.Log's.
func (l *timedLog) Append(ctx context.Context, e *events.Event) (uint64, error) {
	return l.AppendBatch(ctx, []*events.Event{e})
}

// AppendBatch is bus.Log's.
func (l *timedLog) AppendBatch(ctx context.Context, es []*events.Event) (uint64, error) {
	begun := time.Now()
	ctx, end := l.panel.tracing.append(ctx, es)
	seq, err := l.Log.AppendBatch(ctx, es)
	end(err)
	l.panel.appendTime.WithLabelValues(l.part, result(err)).Observe(time.Since(begun).Seconds())
	return seq, err
}
