package bus

import (
	"context"

	"github.com/nats-io/nats.go"
)

// traceKey is what a context has its traceparent under.
type traceKey struct{}

// WithTrace gives a context under which calls carry that traceparent (W3C
// Trace Context), so that who answers can go on with the trace.
func WithTrace(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, traceparent)
}

// traceFrom is what WithTrace was given.
func traceFrom(ctx context.Context) string {
	of, _ := ctx.Value(traceKey{}).(string)
	return of
}

// traceparentOf reads the header of a stored message.
func traceparentOf(h nats.Header) string {
	if v := h[HeaderTrace]; len(v) > 0 {
		return v[0]
	}
	return ""
}
