package ops

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/pilot"
)

// Handler answers requests to an endpoint of the bus.
type Handler func(ctx context.Context, r bus.Request) (answer any, seq uint64, err error)

// InstrumentHandler counts the requests that h answers, and times them unless they are
// idle: then how long they take is for those who ask to say.
func (p *Server) InstrumentHandler(op string, idle bool, h Handler) Handler {
	if p == nil {
		return h
	}
	return func(ctx context.Context, r bus.Request) (any, uint64, error) {
		begun := time.Now()
		ctx, end := p.tracing.startRequest(ctx, op, r.Trace)
		answer, seq, err := h(ctx, r)
		end(err)
		p.commands.WithLabelValues(op, resultLabel(err)).Inc()
		if !idle {
			p.commandTime.WithLabelValues(op).Observe(time.Since(begun).Seconds())
		}
		return answer, seq, err
	}
}

// CountRejected counts a request that never reached a handler.
func (p *Server) CountRejected(op string, code pilot.Code) {
	if p != nil {
		p.commands.WithLabelValues(op, string(code)).Inc()
	}
}
