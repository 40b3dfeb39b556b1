package bus_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/pilot"
)

// lossyProxy stands between a client and a server. Armed, it drops the next that
// the server says, and both connections with it.
type lossyProxy struct {
	listener net.Listener
	server   string
	dropNext atomic.Bool
	dropped  atomic.Int32
}

func startLossyProxy(t *testing.T, s *embedded.Server) *lossyProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &lossyProxy{listener: l, server: strings.TrimPrefix(s.URL(), "nats://")}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { p.proxyConn(client) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		open.Wait()
	})
	return p
}

func (p *lossyProxy) proxyConn(client net.Conn) {
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if n > 0 && p.dropNext.CompareAndSwap(true, false) {
			p.dropped.Add(1)
			break
		}
		if _, failed := client.Write(buf[:n]); err != nil || failed != nil {
			break
		}
	}
	_ = client.Close()
	_ = server.Close()
	both.Wait()
}

func TestLostAcksAreResolved(t *testing.T) {
	t.Parallel()
	s := bustest.StartServer(t)
	if err := bustest.Connect(t, s).EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	p := startLossyProxy(t, s)
	c, err := bus.Connect(t.Context(), bus.Config{URL: "nats://" + p.listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l, err := c.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: "p"}
	var want []string
	last := uint64(0)
	for i := range 8 {
		p.dropNext.Store(true)
		change := changeEvent(k, last, fmt.Sprintf("c%d", i))
		if last, err = l.Append(t.Context(), change); err != nil {
			t.Fatalf("%s: %v", change.ID, err)
		}
		p.dropNext.Store(true)
		remark := &events.Event{ID: fmt.Sprintf("n%d", i), Class: events.ClassNote, Key: k, Kind: events.Logged, Note: &events.Note{}}
		if _, err = l.Append(t.Context(), remark); err != nil {
			t.Fatalf("%s: %v", remark.ID, err)
		}
		p.dropNext.Store(true)
		batch := []*events.Event{
			{ID: fmt.Sprintf("w%d", i), Class: events.ClassCommand, Key: k, Kind: events.Cancel},
			changeEvent(k, last, fmt.Sprintf("b%d", i)),
		}
		if last, err = l.AppendBatch(t.Context(), batch); err != nil {
			t.Fatalf("%s: %v", batch[1].ID, err)
		}
		want = append(want, change.ID, remark.ID, batch[0].ID, batch[1].ID)
	}
	p.dropNext.Store(false)
	got, err := l.History(t.Context(), k, 0)
	if err != nil || len(got) != len(want) {
		t.Fatalf("the log has %d events, want %d, %v", len(got), len(want), err)
	}
	for i, e := range got {
		if e.ID != want[i] || e.Seq != uint64(i+1) {
			t.Errorf("event %d is %s at %d, want %s", i, e.ID, e.Seq, want[i])
		}
	}
	if p.dropped.Load() < 8 {
		t.Errorf("only %d answers were lost", p.dropped.Load())
	}
}

func TestAFullLogRefusesAndForgetsNothing(t *testing.T) {
	t.Parallel()
	c := bustest.Connect(t, bustest.StartServer(t))
	if err := c.EnsureStream(t.Context(), bus.StreamConfig{MaxBytes: 100 << 10}); err != nil {
		t.Fatal(err)
	}
	l, err := c.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: "p"}
	stored := 0
	for ; stored < 1000; stored++ {
		_, err = l.Append(t.Context(), &events.Event{
			ID: fmt.Sprint(stored), Class: events.ClassNote, Key: k, Kind: events.Logged,
			Note: &events.Note{Text: strings.Repeat("x", 2<<10)},
		})
		if err != nil {
			break
		}
	}
	if pilot.CodeOf(err) != pilot.Unavailable || stored < 10 {
		t.Errorf("after %d events: %v", stored, err)
	}
	got, err := l.History(t.Context(), k, 0)
	if err != nil || len(got) != stored {
		t.Errorf("the log has %d events of %d, %v", len(got), stored, err)
	}
	_, err = l.Append(t.Context(), &events.Event{
		ID: "huge", Class: events.ClassNote, Key: k, Kind: events.Logged, Note: &events.Note{Text: strings.Repeat("x", 2<<20)},
	})
	if pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("an event that is too large: %v", err)
	}
}

// A fleet works on while its server is restarted again and again: every
// command is delivered, and what is done stays done.
func TestAnInboxOutlivesRestarts(t *testing.T) {
	t.Parallel()
	r := bustest.NewRestartable(t)
	c := bustest.Connect(t, r.Server())
	if err := c.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	l, err := c.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i, err := c.CommandQueue(t.Context(), "local.localhost", bus.CommandQueueConfig{AckWait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	const births = 60
	written := make(chan error, 1)
	go func() {
		for n := range births {
			if n%20 == 10 {
				r.Restart()
			}
			if _, err := l.Append(t.Context(), birthEvent(fmt.Sprintf("p%d", n))); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	seen := map[string]bool{}
	for d, err := range i.Receive(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		_ = d.Done() // one that is lost makes the command come again
		if seen[d.Pilot] = true; len(seen) == births {
			break
		}
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func changeEvent(k pilot.Key, prev uint64, id string) *events.Event {
	e, ok := events.Moved(k, prev, pilot.Status{State: pilot.Active, FurthestState: pilot.Active}, pilot.KindAdopted, nil)
	if !ok {
		panic("the machine has lost a move")
	}
	e.ID = id
	return &e
}

func birthEvent(uid string) *events.Event {
	return &events.Event{
		ID: "b-" + uid, Class: events.ClassCommand, Kind: events.Submit,
		Key:        pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: uid},
		Submission: &events.Submission{Description: pilot.Description{UID: uid, Cores: 1}},
	}
}

func TestATailEndsWithItsLog(t *testing.T) {
	t.Parallel()
	c := bustest.ConnectReady(t)
	l, err := c.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(c.NATS())
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range l.Tail(t.Context(), events.Span{}) {
		if err != nil {
			if pilot.CodeOf(err) != pilot.Conflict {
				t.Errorf("got %v", err)
			}
			break
		}
		if !e.Mark {
			t.Fatalf("got %+v", e)
		}
		if err := js.DeleteStream(t.Context(), "PILOTS"); err != nil {
			t.Fatal(err)
		}
		// A server removes the files of a stream behind its answer, and makes no new ones
		// meanwhile (10049).
		gone := new(jetstream.APIError)
		for err = c.EnsureStream(t.Context(), bus.StreamConfig{}); errors.As(err, &gone) && gone.ErrorCode == 10049; {
			err = c.EnsureStream(t.Context(), bus.StreamConfig{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
