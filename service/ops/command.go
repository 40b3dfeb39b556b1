package ops

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/pilot"
)

// Handler answers requests to an endpoint of the bus.
type Handler func(ctx context.Context, r bus.Request) (answer any, seq uint64, err error)

// Command counts the requests that h answers, and times them unless they are
// idle: then how long they take is for those who ask to say.
func (p *Panel) Command(op string, idle bool, h Handler) Handler {
	if p == nil {
		return h
	}
	return func(ctx context.Context, r bus.Request) (any, uint64, error) {
		begun := time.Now()
		ctx, end := p.tracing.command(ctx, op, r.Trace)
		answer, seq, err := h(ctx, r)
		end(err)
		p.commands.WithLabelValues(op, result(err)).Inc()
		if !idle {
			p.commandTime.WithLabelValues(op).Observe(time.Since(begun).Seconds())
		}
		return answer, seq, err
	}
}

// Refused counts a request that never reached a handler.
func (p *Panel) Refused(op string, code pilot.Code) {
	if p != nil {
		p.commands.WithLabelValues(op, string(code)).Inc()
	}
}
