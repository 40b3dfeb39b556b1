package app_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/pilot"
)

// BenchmarkSubmit is one submit after the other from a client's side, in turns
// with the least that could do the same: a bare request to a micro service that
// echoes, and a bare publish of as many bytes under compare-and-set.
func BenchmarkSubmit(b *testing.B) {
	_, user, far, leave := startManaged(b)
	bare := measureLeast(b, user.NATS(), far.NATS())
	var of api.ManagerAnswer
	if _, err := user.Call(b.Context(), "manager.create", 0, api.CreateRequest{}, &of); err != nil {
		b.Fatal(err)
	}
	d := pilot.Description{Resource: "localhost", Cores: 1, Runtime: pilot.Runtime(time.Minute), Executable: "/bin/true"}
	var least, whole time.Duration
	n, seq := 0, uint64(0)
	for b.Loop() {
		t0 := time.Now()
		bare(n)
		t1 := time.Now()
		var a api.PilotsAnswer
		var err error
		seq, err = user.Call(b.Context(), "pilot.submit", seq, api.SubmitRequest{Manager: of.Manager.UID, Pilots: []pilot.Description{d}}, &a)
		if err != nil {
			b.Fatal(err)
		}
		least, whole = least+t1.Sub(t0), whole+time.Since(t1)
		n++
	}
	b.ReportMetric(float64(whole.Microseconds())/float64(n), "µs/submit")
	b.ReportMetric(float64(least.Microseconds())/float64(n), "µs/least")
	b.ReportMetric(float64(whole)/float64(least), "times")
	leave()
}

// measureLeast gives what one submit is compared with.
func measureLeast(b *testing.B, user, far *nats.Conn) func(n int) {
	b.Helper()
	svc, err := micro.AddService(far, micro.Config{Name: "echo", Version: "0.0.0"})
	if err != nil {
		b.Fatal(err)
	}
	echo := micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(r.Data()) })
	if err := svc.AddEndpoint("echo", echo, micro.WithEndpointSubject("echo")); err != nil {
		b.Fatal(err)
	}
	js, err := jetstream.New(far)
	if err != nil {
		b.Fatal(err)
	}
	cfg := jetstream.StreamConfig{Name: "BARE", Subjects: []string{"bare.>"}, Storage: jetstream.FileStorage}
	if _, err := js.CreateStream(b.Context(), cfg); err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 500) // about a birth
	return func(n int) {
		if _, err := user.RequestWithContext(b.Context(), "echo", body); err != nil {
			b.Fatal(err)
		}
		subject := fmt.Sprintf("bare.%d", n)
		if _, err := js.Publish(b.Context(), subject, body, jetstream.WithExpectLastSequencePerSubject(0)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCrowd is many clients at once, each of which asks for a pilot again and
// again, with a connection of its own: nobody is refused.
func BenchmarkCrowd(b *testing.B) {
	const clients = 512
	server, user, _, leave := startManaged(b)
	of, seq := submitPilot(b, user)
	conns := make([]*bus.Conn, clients)
	for i := range conns {
		conns[i] = bustest.Connect(b, server)
	}
	var asked, refused atomic.Int64
	var slowest atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for _, c := range conns {
		wg.Go(func() {
			for asked.Add(1) <= int64(b.N) {
				began := time.Now()
				ask, stop := context.WithTimeout(b.Context(), 5*time.Second)
				var a api.PilotsAnswer
				if _, err := c.Call(ask, "pilot.get", seq, api.GetRequest{Manager: of}, &a); err != nil || len(a.Pilots) != 1 {
					refused.Add(1)
				}
				stop()
				slowest.Store(max(slowest.Load(), int64(time.Since(began))))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
	b.ReportMetric(float64(refused.Load()), "refused")
	b.ReportMetric(time.Duration(slowest.Load()).Seconds()*1e3, "ms/slowest")
	leave()
}

// submitPilot makes a manager with a pilot.
func submitPilot(b *testing.B, user *bus.Conn) (manager pilot.UID, seq uint64) {
	b.Helper()
	var of api.ManagerAnswer
	if _, err := user.Call(b.Context(), "manager.create", 0, api.CreateRequest{}, &of); err != nil {
		b.Fatal(err)
	}
	d := pilot.Description{Resource: "localhost", Cores: 1, Runtime: pilot.Runtime(time.Minute), Executable: "/bin/true"}
	seq, err := user.Call(b.Context(), "pilot.submit", 0, api.SubmitRequest{Manager: of.Manager.UID, Pilots: []pilot.Description{d}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return of.Manager.UID, seq
}

// startManaged starts a server with a log and a manager on it, until stop is called.
func startManaged(b *testing.B) (server *embedded.Server, user, far *bus.Conn, stop func()) {
	b.Helper()
	server = bustest.StartServer(b)
	user, far = bustest.Connect(b, server), bustest.Connect(b, server)
	if err := user.EnsureStream(b.Context(), bus.StreamConfig{}); err != nil {
		b.Fatal(err)
	}
	ctx, leave := context.WithCancel(b.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- app.RunManager(ctx, far, app.ManagerOptions{Ready: func() { close(ready) }})
	}()
	<-ready
	return server, user, far, func() {
		leave()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
}
