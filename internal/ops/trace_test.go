package ops_test

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/pilot"
)

// spanReceiver is a collector of traces.
type spanReceiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
	from  map[string]string // service by span
}

func newReceiver(t *testing.T) *spanReceiver {
	t.Helper()
	r := &spanReceiver{from: map[string]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(q.Body)
		var sent collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(b, &sent)
		}
		if err != nil || q.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", q.URL.Path, err)
		}
		r.recordSpans(&sent)
		w.Header().Set("Content-Type", "application/x-protobuf")
		answer, _ := proto.Marshal(&collector.ExportTraceServiceResponse{})
		_, _ = w.Write(answer)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *spanReceiver) recordSpans(sent *collector.ExportTraceServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rs := range sent.ResourceSpans {
		service := ""
		for _, a := range rs.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, ss := range rs.ScopeSpans {
			r.spans = append(r.spans, ss.Spans...)
			for _, s := range ss.Spans {
				r.from[string(s.SpanId)] = service
			}
		}
	}
}

// findSpan gives the one span of that name and kind.
func (r *spanReceiver) findSpan(t *testing.T, name string, kind tracepb.Span_SpanKind, trace []byte) *tracepb.Span {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*tracepb.Span
	for _, s := range r.spans {
		if s.Name == name && s.Kind == kind && (trace == nil || string(s.TraceId) == string(trace)) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("there are %d spans %s %s of trace %x", len(found), name, kind, trace)
	}
	return found[0]
}

// TestOneTraceFromTheSubmitToTheEnd follows a pilot over client, manager, log and
// two launchers, the second of which never saw the submit.
func TestOneTraceFromTheSubmitToTheEnd(t *testing.T) { //nolint:paralleltest // it sets the environment
	r := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	exporter, err := otlptracehttp.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mine := sdk.NewTracerProvider(sdk.WithSyncer(exporter))
	s := newFixture(t, ops.Config{})
	s.startAll()
	user, err := client.Connect(t.Context(), s.server.Server().URL(), client.WithTracerProvider(mine), client.WithTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(user.Close)
	m, err := user.CreateManager(t.Context(), client.ManagerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, root := mine.Tracer("test").Start(t.Context(), "work")
	flag := filepath.Join(t.TempDir(), "flag")
	ps, err := m.Submit(ctx, payload("sh", "-c", "echo $TRACEPARENT; until [ -e "+flag+" ]; do sleep 0.05; done; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	root.End()
	if _, err := ps[0].Wait(t.Context(), client.WaitOptions{States: []pilot.State{pilot.Active}, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	s.stopLast()
	s.startLauncher() // the same name, and nothing but the log to go by
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ps[0].Wait(t.Context(), client.WaitOptions{States: []pilot.State{pilot.Failed}, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	s.stopLast()        // it makes the last span once it has told the log
	s.opsServer.Close() // sends the last spans

	trace := root.SpanContext().TraceID()
	sent := r.findSpan(t, "pilot.submit", tracepb.Span_SPAN_KIND_CLIENT, trace[:])
	served := r.findSpan(t, "pilot.submit", tracepb.Span_SPAN_KIND_SERVER, trace[:])
	appended := r.findSpan(t, "append", tracepb.Span_SPAN_KIND_PRODUCER, trace[:])
	parent := root.SpanContext().SpanID()
	for _, step := range []struct {
		span   *tracepb.Span
		parent []byte
	}{{sent, parent[:]}, {served, sent.SpanId}, {appended, served.SpanId}} {
		if string(step.span.ParentSpanId) != string(step.parent) {
			t.Errorf("%s %s has parent %x, want %x", step.span.Name, step.span.Kind, step.span.ParentSpanId, step.parent)
		}
	}
	var began uint64
	for _, name := range []string{"pilot claim", "pilot launch", "pilot queue", "pilot active"} {
		span := r.findSpan(t, name, tracepb.Span_SPAN_KIND_CONSUMER, trace[:])
		if string(span.ParentSpanId) != string(appended.SpanId) {
			t.Errorf("%s has parent %x, want %x", name, span.ParentSpanId, appended.SpanId)
		}
		// The log has milliseconds, and all that the second launcher knows is from there.
		if span.StartTimeUnixNano/1e6 < began/1e6 || span.EndTimeUnixNano < span.StartTimeUnixNano {
			t.Errorf("%s is from %d to %d, what came before began at %d", name, span.StartTimeUnixNano, span.EndTimeUnixNano, began)
		}
		began = span.StartTimeUnixNano
		attrs := map[string]string{}
		for _, a := range span.Attributes {
			attrs[a.Key] = a.Value.GetStringValue()
		}
		if attrs["flightlog.pilot"] != ps[0].UID() || attrs["flightlog.resource"] != localResource || r.from[string(span.SpanId)] != "flightlog-test" {
			t.Errorf("%s says %v, by %q", name, attrs, r.from[string(span.SpanId)])
		}
		failed := name == "pilot active"
		if (span.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR) != failed {
			t.Errorf("%s has status %v", name, span.Status)
		}
	}
	logs, err := ps[0].Logs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := "00-" + trace.String() + "-" + hex.EncodeToString(appended.SpanId) + "-01"; strings.TrimSpace(logs.Stdout) != want {
		t.Errorf("the payload has TRACEPARENT %q, want %q", logs.Stdout, want)
	}
}

// TestWithoutAnEndpointNothingIsTraced, also where a client's request says so:
// its births carry nothing.
func TestWithoutAnEndpointNothingIsTraced(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	s := newFixture(t, ops.Config{})
	s.startAll()
	m := s.createManager()
	ctx := bus.WithTrace(t.Context(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	ps, err := m.Submit(ctx, payload("true"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := bustest.Connect(t, s.server.Server()).Log(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	birth, ok, err := log.Last(t.Context(), events.Event{
		Class: events.ClassCommand, Kind: events.Submit, Key: pilot.Key{Resource: localResource, Manager: m.UID(), Pilot: ps[0].UID()},
	})
	if err != nil || !ok || birth.Trace != "" {
		t.Errorf("the birth has trace %q, %v", birth.Trace, err)
	}
	if _, err := ps[0].Wait(t.Context(), client.WaitOptions{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
}

func TestAProtocolThatIsNotSpokenIsRefused(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	if p, err := ops.Open(t.Context(), ops.Config{}); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("got %v, %v", p, err)
	}
	t.Setenv("OTEL_SDK_DISABLED", "true")
	p, err := ops.Open(t.Context(), ops.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
}
