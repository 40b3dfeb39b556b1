package bus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// The benchmarks compare with what NATS does bare, in the same run, turn by
// turn, so that a busy machine hits both: "x" is ours through theirs.

func reportRatio(b *testing.B, ours, theirs time.Duration) {
	b.ReportMetric(float64(ours)/float64(theirs), "x")
	b.ReportMetric(float64(theirs)/float64(b.N), "bare-ns/op")
	b.ReportMetric(float64(ours)/float64(b.N), "ours-ns/op")
}

func addElapsed(sum *time.Duration, do func()) {
	began := time.Now()
	do()
	*sum += time.Since(began)
}

func openLog(b *testing.B) (*bus.Conn, *bus.Log) {
	b.Helper()
	c := bustest.ConnectReady(b)
	l, err := c.Log(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return c, l
}

func BenchmarkAppend(b *testing.B) {
	c, l := openLog(b)
	js, err := jetstream.New(c.NATS())
	if err != nil {
		b.Fatal(err)
	}
	ours := pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: "ours"}
	payload, err := events.Encode(changeEvent(ours, 0, "e"))
	if err != nil {
		b.Fatal(err)
	}
	var mine, bare time.Duration
	var last, raw uint64
	for i := 0; b.Loop(); i++ {
		if i%5000 == 0 { // below the fuse of a subject
			ours.Pilot, last, raw = fmt.Sprintf("p%d", i), 0, 0
		}
		addElapsed(&mine, func() {
			if last, err = l.Append(b.Context(), changeEvent(ours, last, fmt.Sprint(i))); err != nil {
				b.Fatal(err)
			}
		})
		addElapsed(&bare, func() {
			ack, err := js.Publish(b.Context(), "pilots.evt.local.localhost.bare."+ours.Pilot, payload,
				jetstream.WithExpectLastSequencePerSubject(raw))
			if err != nil {
				b.Fatal(err)
			}
			raw = ack.Sequence
		})
	}
	reportRatio(b, mine, bare)
}

func BenchmarkCall(b *testing.B) {
	s := bustest.StartServer(b)
	server, c := bustest.Connect(b, s), bustest.Connect(b, s)
	stop, err := server.Serve(b.Context(), bus.Service{
		Name: "pilots", Version: "1.0.0", Endpoints: []bus.Endpoint{{
			Name: "thing.do", Handle: func(_ context.Context, r bus.Request) (any, uint64, error) {
				var in map[string]string
				err := r.Decode(&in)
				return in, 1, err
			},
		}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(stop)
	echo, err := micro.AddService(server.NATS(), micro.Config{Name: "echo", Version: "1.0.0", Endpoint: &micro.EndpointConfig{
		Subject: "echo", Handler: micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(r.Data()) }),
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = echo.Stop() })
	in := map[string]string{"manager": "mgr-01j00000000000000000000000", "uid": "pilot-01j00000000000000000000000"}
	var mine, bare time.Duration
	for b.Loop() {
		addElapsed(&mine, func() {
			var out map[string]string
			if _, err := c.Call(b.Context(), "thing.do", 0, in, &out); err != nil {
				b.Fatal(err)
			}
		})
		addElapsed(&bare, func() {
			if _, err := c.NATS().Request("echo", []byte(`{"manager":"m","uid":"p"}`), time.Minute); err != nil {
				b.Fatal(err)
			}
		})
	}
	reportRatio(b, mine, bare)
}

const replayedEvents = 100_000

// BenchmarkTail replays the whole log, through Tail and through a bare
// consumer with the same decoding.
func BenchmarkTail(b *testing.B) {
	c, l := openLog(b)
	fillLog(b, l)
	js, err := jetstream.New(c.NATS())
	if err != nil {
		b.Fatal(err)
	}
	var mine, bare time.Duration
	for b.Loop() {
		addElapsed(&mine, func() {
			for e, err := range l.Tail(b.Context(), events.Span{Past: true}) {
				if err != nil {
					b.Fatal(err)
				}
				if e.Mark {
					break
				}
			}
		})
		addElapsed(&bare, func() { consumeAll(b, js) })
	}
	reportRatio(b, mine, bare)
	b.ReportMetric(replayedEvents*float64(b.N)/mine.Seconds(), "events/s")
}

func fillLog(b *testing.B, l *bus.Log) {
	b.Helper()
	for from := 0; from < replayedEvents; from += bus.MaxBatch {
		var es []*events.Event
		for i := range bus.MaxBatch {
			k := pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: fmt.Sprintf("p%d", from+i)}
			es = append(es, changeEvent(k, 0, fmt.Sprintf("e%d", from+i)))
		}
		if _, err := l.AppendBatch(b.Context(), es); err != nil {
			b.Fatal(err)
		}
	}
}

func consumeAll(b *testing.B, js jetstream.JetStream) {
	b.Helper()
	cons, err := js.OrderedConsumer(b.Context(), "PILOTS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	done, n := make(chan struct{}), 0
	cc, err := cons.Consume(func(m jetstream.Msg) {
		if _, err := events.Decode(events.ClassChange, m.Data()); err != nil {
			b.Error(err)
		}
		if n++; n == replayedEvents {
			close(done)
		}
	}, jetstream.PullMaxMessages(2000))
	if err != nil {
		b.Fatal(err)
	}
	<-done
	cc.Stop()
}
