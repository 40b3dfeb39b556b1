package client

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// WithTracerProvider has calls make their spans with p; without this option,
// with OpenTelemetry's global provider, which makes none unless the program has
// set one. The service goes on with the trace of a submit to the pilot's end.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(s *settings) { s.tracers = p }
}

// tracer is looked up at each call: programs may set the global one late.
func (c *Client) tracer() trace.Tracer {
	p := c.tracers
	if p == nil {
		p = otel.GetTracerProvider()
	}
	return p.Tracer("github.com/flightlog/flightlog/client")
}

// startSpan begins the span of a call, and has the call carry it, or else the one
// that ctx has already.
func (c *Client) startSpan(ctx context.Context, endpoint string) (context.Context, func(error)) {
	ctx, span := c.tracer().Start(ctx, endpoint, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("messaging.system", "nats"), attribute.String("messaging.destination.name", subject.API(endpoint)),
	))
	if !span.SpanContext().IsValid() {
		return ctx, func(error) {}
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return bus.WithTrace(ctx, carrier["traceparent"]), func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, string(pilot.CodeOf(err)))
		}
		span.End()
	}
}
