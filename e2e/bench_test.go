package e2e_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/pilot"
)

// benchService is a service in this process, over TCP, as 'flightlog up' is one;
// without a launcher pilots stay where they are.
type benchService struct {
	url string
	c   *client.Client
	m   *client.Manager
}

func newBenchService(b *testing.B, launches bool) *benchService {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	server, err := embedded.Start(ctx, embedded.Config{Store: b.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	conn, err := bus.Connect(ctx, bus.Config{URL: server.URL()})
	if err == nil {
		err = conn.EnsureStream(ctx, bus.StreamConfig{})
	}
	if err != nil {
		b.Fatal(err)
	}
	var parts, ready sync.WaitGroup
	ready.Add(1)
	parts.Go(func() { _ = app.RunManager(ctx, conn, app.ManagerOptions{Ready: ready.Done}) })
	if launches {
		ready.Add(1)
		parts.Go(func() {
			_ = app.RunLauncher(ctx, conn, app.LauncherOptions{
				Resource: "local.localhost", State: b.TempDir(), Agent: []string{filepath.Join(binDir, "flightlog-agent")},
				Bus: bus.Config{URL: server.URL()}, Ready: ready.Done,
			})
		})
	}
	ready.Wait()
	b.Cleanup(func() {
		cancel()
		parts.Wait()
		conn.Close()
		server.Shutdown()
	})
	c, err := client.Connect(ctx, server.URL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	m, err := c.CreateManager(ctx, client.ManagerOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return &benchService{server.URL(), c, m}
}

// bareNATS is what the same machine does without us: a raw compare-and-set publish
// into a stream with our settings, a raw micro echo, and fork+exec.
type bareNATS struct {
	js   jetstream.JetStream
	nc   *nats.Conn
	n    int
	body []byte
}

func newBareNATS(b *testing.B, url string) *bareNATS {
	b.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	_, err = js.CreateStream(b.Context(), jetstream.StreamConfig{
		Name: "BARE", Subjects: []string{"bare.>"}, AllowDirect: true, AllowAtomicPublish: true,
		Compression: jetstream.S2Compression, Discard: jetstream.DiscardNew, MaxMsgsPerSubject: 512, DiscardNewPerSubject: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	other, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(other.Close)
	_, err = micro.AddService(other, micro.Config{
		Name: "echo", Version: "1.0.0",
		Endpoint: &micro.EndpointConfig{Subject: "echo", Handler: micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(r.Data()) })},
	})
	if err != nil {
		b.Fatal(err)
	}
	return &bareNATS{js: js, nc: nc, body: make([]byte, 300)}
}

func (r *bareNATS) publishOne(b *testing.B) {
	r.n++
	_, err := r.js.Publish(b.Context(), fmt.Sprintf("bare.%d", r.n), r.body, jetstream.WithExpectLastSequencePerSubject(0))
	if err != nil {
		b.Fatal(err)
	}
}

func (r *bareNATS) requestEcho(b *testing.B) {
	if _, err := r.nc.Request("echo", r.body, 10*time.Second); err != nil {
		b.Fatal(err)
	}
}

// elapsed gives how long f took.
func elapsed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// BenchmarkSubmit compares one submit, from the client's call to its answer,
// with what it cannot do without: one publish that is on disk, and one request.
func BenchmarkSubmit(b *testing.B) {
	s := newBenchService(b, false)
	raw := newBareNATS(b, s.url)
	d := localPilot("true")
	var ours, limit time.Duration
	for b.Loop() {
		limit += elapsed(func() { raw.publishOne(b); raw.requestEcho(b) })
		ours += elapsed(func() {
			if _, err := s.m.Submit(b.Context(), d); err != nil {
				b.Fatal(err)
			}
		})
	}
	reportRatio(b, ours, limit)
}

func reportRatio(b *testing.B, ours, limit time.Duration) {
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "µs/ours")
	b.ReportMetric(float64(limit.Microseconds())/float64(b.N), "µs/bare")
	b.ReportMetric(float64(ours)/float64(limit), "×bare")
}

// BenchmarkActive compares the way of one pilot from submit to ACTIVE, as a
// subscriber sees it, with fork+exec and the four appends it cannot do without.
func BenchmarkActive(b *testing.B) {
	s := newBenchService(b, true)
	raw := newBareNATS(b, s.url)
	active := make(chan struct{}, 1)
	sub, err := s.c.Bus().NATS().Subscribe("pilots.evt.>", func(m *nats.Msg) {
		if m.Header.Get("Pilots-State") == "ACTIVE" {
			active <- struct{}{}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	defer sub.Unsubscribe()
	var ours, limit time.Duration
	for b.Loop() {
		limit += elapsed(func() {
			for range 4 {
				raw.publishOne(b)
			}
			if err := exec.Command("/bin/true").Run(); err != nil {
				b.Fatal(err)
			}
		})
		var p []*client.Pilot
		ours += elapsed(func() {
			if p, err = s.m.Submit(b.Context(), localPilot("true")); err != nil {
				b.Fatal(err)
			}
			<-active
		})
		if _, err := p[0].Wait(b.Context(), client.WaitOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	reportRatio(b, ours, limit)
}

// BenchmarkThroughput runs many pilots of /bin/true from submit to end.
func BenchmarkThroughput(b *testing.B) {
	s := newBenchService(b, true)
	const size = 200
	var took time.Duration
	for b.Loop() {
		descs := make([]pilot.Description, size)
		for i := range descs {
			descs[i] = localPilot("true")
		}
		took += elapsed(func() {
			if _, err := s.m.Submit(b.Context(), descs...); err != nil {
				b.Fatal(err)
			}
			r, err := s.m.WaitAll(b.Context(), client.WaitOptions{Timeout: 5 * time.Minute})
			if err != nil || r.TimedOut || !r.Reached() {
				b.Fatalf("%v, %v", err, r.TimedOut)
			}
		})
	}
	b.ReportMetric(float64(size*b.N)/took.Seconds(), "pilots/s")
}

// BenchmarkTrue is fork+exec of /bin/true, what BenchmarkThroughput cannot do without.
func BenchmarkTrue(b *testing.B) {
	for b.Loop() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBulkSubmit submits a thousand pilots at once.
func BenchmarkBulkSubmit(b *testing.B) {
	s := newBenchService(b, false)
	descs := make([]pilot.Description, api.MaxItems)
	for i := range descs {
		descs[i] = localPilot("true")
	}
	var took time.Duration
	for b.Loop() {
		took += elapsed(func() {
			if _, err := s.m.Submit(b.Context(), descs...); err != nil {
				b.Fatal(err)
			}
		})
	}
	b.ReportMetric(float64(api.MaxItems*b.N)/took.Seconds(), "pilots/s")
}
