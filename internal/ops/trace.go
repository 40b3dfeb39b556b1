package ops

import (
	"context"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/buildinfo"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// tracing sends spans to a collector; nil: nobody wants them.
type tracing struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// flushTimeout is how long the last spans may take at the end.
const flushTimeout = 3 * time.Second

// newTracing reads the variables of OpenTelemetry; without an endpoint it gives
// nil. Code invalid: they ask for what this binary cannot do.
func newTracing(ctx context.Context, program string, log *zap.Logger) (*tracing, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" ||
		strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return nil, nil //nolint:nilnil // nobody wants them
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if v := os.Getenv(name); v != "" && v != "http/protobuf" {
			return nil, pilot.Errorf(pilot.Invalid, "%s is %.40q; traces go out as http/protobuf only", name, v)
		}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, &pilot.Error{Code: pilot.Invalid, Op: "traces", Err: err}
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(
		attribute.String("service.name", "flightlog-"+program), attribute.String("service.version", buildinfo.ReadInfo().Version),
	), resource.WithFromEnv())
	if err != nil {
		log.Warn("traces lack something about their origin", zap.Error(err))
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces not sent", zap.Error(err)) }))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	return &tracing{provider, provider.Tracer("github.com/flightlog/flightlog")}, nil
}

// StartTracing has the spans of clients in this process sent, until stop is called,
// which waits for them. It does nothing unless OTEL_EXPORTER_OTLP_ENDPOINT says
// where to.
func StartTracing(ctx context.Context, program string, log *zap.Logger) (stop func(), err error) {
	t, err := newTracing(ctx, program, log)
	if t == nil || err != nil {
		return func() {}, err
	}
	otel.SetTracerProvider(t.provider)
	return t.stop, nil
}

func (t *tracing) stop() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}

// traceparentOf is what W3C Trace Context says of the span of ctx, if it is
// sampled.
func traceparentOf(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// withParent gives ctx the parent that a traceparent names.
func withParent(ctx context.Context, traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// messagingAttributes are the attributes of what goes over NATS (OpenTelemetry's
// conventions for messaging).
func messagingAttributes(destination string) trace.SpanStartEventOption {
	return trace.WithAttributes(attribute.String("messaging.system", "nats"), attribute.String("messaging.destination.name", destination))
}

// startRequest begins the span of a request.
func (t *tracing) startRequest(ctx context.Context, op, traceparent string) (context.Context, func(error)) {
	if t == nil {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(withParent(ctx, traceparent), op, trace.WithSpanKind(trace.SpanKindServer), messagingAttributes(subject.API(op)))
	return ctx, func(err error) { endSpan(span, err) }
}

// startAppend begins the span of an append on behalf of a request, and has the
// births in it carry it, so that launchers go on from there.
func (t *tracing) startAppend(ctx context.Context, es []*events.Event) (context.Context, func(error)) {
	if t == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, "append", trace.WithSpanKind(trace.SpanKindProducer), messagingAttributes(subject.Stream),
		trace.WithAttributes(attribute.Int("messaging.batch.message_count", len(es))))
	if traceparent := traceparentOf(ctx); traceparent != "" {
		for _, e := range es {
			if e.Class == events.ClassCommand && e.Kind == events.Submit {
				e.Trace = traceparent
			}
		}
	}
	return ctx, func(err error) { endSpan(span, err) }
}

func endSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, string(pilot.CodeOf(err)))
	}
	span.End()
}

// The spans of a pilot's life. They are made when they are over, of what the log
// says: whichever launcher records the end of one can tell its beginning.
const (
	spanClaim  = "pilot claim"  // from the submit to a launcher's claim
	spanLaunch = "pilot launch" // from the claim to the batch job's place in the log
	spanQueue  = "pilot queue"  // from there to ACTIVE
	spanActive = "pilot active" // from there to the end
	spanCancel = "pilot cancel" // of one that never was ACTIVE, to the end
)

// spanOf is what a pilot in that state is at; none where nothing is timed.
var spanOf = map[pilot.State]string{
	pilot.PendingLaunch: spanClaim, pilot.Launching: spanLaunch, pilot.PendingActive: spanQueue,
	pilot.Active: spanActive, pilot.Stopping: spanActive, pilot.Canceling: spanCancel,
}

// recordMove makes the span that a change has brought to an end.
func (t *tracing) recordMove(before *projection.Pilot, e *events.Event) {
	if t == nil || before.Trace == "" || e.Status == nil || e.Status.State == before.State {
		return
	}
	ctx := withParent(context.Background(), before.Trace)
	name, begun := spanOf[before.State], before.ChangedAt
	switch name {
	case "":
		return
	case spanActive:
		begun = before.ActiveAt
	}
	t.recordSpan(ctx, name, begun, e)
	if kind, _ := e.Move(); kind == pilot.KindActive && before.State == pilot.Launching {
		t.recordSpan(ctx, spanQueue, e.At, e) // the agent was faster than the launcher's record of its job
	}
}

// recordSpan makes a span that ends with e.
func (t *tracing) recordSpan(ctx context.Context, name string, begun time.Time, e *events.Event) {
	ended := e.At
	if st := e.Status; st.State.Final() && !st.EndedAt.IsZero() {
		ended = st.EndedAt
	}
	if begun.After(ended) { // two clocks
		begun = ended
	}
	_, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(begun), messagingAttributes(subject.Stream),
		trace.WithAttributes(
			attribute.String("flightlog.resource", e.Resource), attribute.String("flightlog.manager", e.Manager),
			attribute.String("flightlog.pilot", e.Pilot), attribute.Int("flightlog.attempt", e.Status.Attempt),
			attribute.String("flightlog.state", e.Status.State.String()), attribute.String("flightlog.job", e.Status.Job.ID),
		))
	kind, _ := e.Move()
	if c := e.Status.Cause; c != nil && (e.Status.State == pilot.Failed || kind == pilot.KindRetrying) {
		span.SetStatus(codes.Error, string(c.Code)+": "+c.Message)
	}
	span.End(trace.WithTimestamp(ended))
}
