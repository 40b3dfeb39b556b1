package polling_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/adaptor/batch"
	"github.com/flightlog/flightlog/bus/bustest"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/service/polling"
)

const (
	floor = 2 * time.Second
	ttl   = 10 * time.Second
)

// scheduler is a batch system that counts its queries. Each shows one job, whose
// Restarts is the number of the query.
type scheduler struct {
	mu    sync.Mutex
	begun []time.Time
	takes func(n int) time.Duration
	fails func(n int) error
	jobs  int // shown beside the first; 0: none
}

func (s *scheduler) query(ctx context.Context) ([]batch.Record, error) {
	s.mu.Lock()
	n := len(s.begun)
	s.begun = append(s.begun, time.Now())
	takes, fails := s.takes, s.fails
	s.mu.Unlock()
	if takes != nil {
		select {
		case <-time.After(takes(n)):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if fails != nil && fails(n) != nil {
		return nil, fails(n)
	}
	jobs := make([]batch.Record, 1+s.jobs)
	for i := range jobs {
		jobs[i] = batch.Record{Ref: batch.Ref{ID: fmt.Sprint(i)}, Token: "m.p.1.0", Phase: adaptor.Queued, Restarts: n}
	}
	return jobs, nil
}

func (s *scheduler) queries() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.begun...)
}

// floored checks that queries began a floor apart, but for a number of
// successions.
func (s *scheduler) floored(t *testing.T, apart time.Duration, successions int) {
	t.Helper()
	all := s.queries()
	for i := 1; i < len(all); i++ {
		if gap := all[i].Sub(all[i-1]); gap < apart {
			if successions--; successions < 0 {
				t.Errorf("query %d began %s after the one before", i, gap)
			}
		}
	}
}

// follows checks a listing: it began after it was asked for, and says so, and
// does not say that it is newer than it is.
func (s *scheduler) follows(t *testing.T, l *batch.Listing, after time.Time) {
	t.Helper()
	begun := s.queries()[l.Jobs[0].Restarts]
	switch {
	case !begun.After(after):
		t.Errorf("the listing began %s before what was asked for", after.Sub(begun))
	case !l.At.After(after):
		t.Errorf("the listing is given as of %s before what was asked for", after.Sub(l.At))
	case l.At.After(begun):
		t.Errorf("the listing is given as %s newer than it is", l.At.Sub(begun))
	}
}

// wire carries questions in memory.
type wire struct {
	mu      sync.Mutex
	serving map[string][]*server
	latency func() time.Duration
	most    int // bytes of an answer; 0: any
	running sync.WaitGroup
}

type server struct {
	process *process
	ctx     context.Context //nolint:containedctx // is that of its ServeListings
	handle  func(context.Context, []byte) ([]byte, error)
}

// process is one launcher's end of the wire.
type process struct {
	wire *wire

	mu         sync.Mutex
	dead, mute bool // mute: takes questions, answers none
}

func newWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{
		serving: map[string][]*server{},
		latency: func() time.Duration { return rand.N(20 * time.Millisecond) },
	}
	t.Cleanup(w.running.Wait)
	return w
}

func (p *process) is() (dead, mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead, p.mute
}

func (p *process) set(dead, mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead, p.mute = dead, mute
}

func (p *process) AskListing(ctx context.Context, endpoint string, question []byte) ([]byte, error) {
	if dead, _ := p.is(); dead {
		return nil, pilot.Errorf(pilot.Unavailable, "this process is dead")
	}
	time.Sleep(p.wire.latency())
	p.wire.mu.Lock()
	all := append([]*server(nil), p.wire.serving[endpoint]...)
	p.wire.mu.Unlock()
	type reply struct {
		data []byte
		err  error
	}
	replies := make(chan reply, len(all))
	asked := 0
	for _, s := range all {
		if dead, _ := s.process.is(); dead {
			continue
		}
		asked++
		p.wire.running.Go(func() {
			data, err := s.handle(s.ctx, question)
			if p.wire.most > 0 && len(data) > p.wire.most {
				err = pilot.Errorf(pilot.Unsupported, "too long")
			}
			time.Sleep(p.wire.latency())
			if dead, mute := s.process.is(); !dead && !mute {
				replies <- reply{data, err}
			}
		})
	}
	if asked == 0 {
		return nil, pilot.Errorf(pilot.Unavailable, "no responders")
	}
	select {
	case r := <-replies:
		if pilot.CodeOf(r.err) == pilot.Internal { // as the bus tells it
			return nil, pilot.Errorf(pilot.Unavailable, "%v", r.err)
		}
		return r.data, r.err
	case <-ctx.Done():
		return nil, pilot.Errorf(pilot.Timeout, "no answer")
	}
}

func (p *process) ServeListings(ctx context.Context, endpoint string, handle func(context.Context, []byte) ([]byte, error)) error {
	s := &server{process: p, ctx: ctx, handle: handle}
	time.Sleep(p.wire.latency())
	p.wire.mu.Lock()
	p.wire.serving[endpoint] = append(p.wire.serving[endpoint], s)
	p.wire.mu.Unlock()
	<-ctx.Done()
	p.wire.mu.Lock()
	defer p.wire.mu.Unlock()
	kept := []*server{}
	for _, other := range p.wire.serving[endpoint] {
		if other != s {
			kept = append(kept, other)
		}
	}
	p.wire.serving[endpoint] = kept
	return nil
}

// member is one launcher.
type member struct {
	*polling.Poller
	process *process
	leases  *bustest.MemoryLeases
}

func (m *member) kill() {
	m.process.set(true, false)
	m.leases.Kill()
}

// fleet makes n launchers that share a scheduler.
func fleet(t *testing.T, n int, w *wire, log *bustest.Memory, endpoint string, s *scheduler) []*member {
	t.Helper()
	all := make([]*member, n)
	for i := range all {
		m := &member{process: &process{wire: w}, leases: log.Leases(ttl)}
		var err error
		m.Poller, err = polling.New(polling.Config{
			Endpoint: endpoint, Me: fmt.Sprintf("launcher-%d", i), Bus: m.process, Leases: m.leases, Query: s.query, Floor: floor,
		})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = m
		t.Cleanup(m.Close)
	}
	return all
}
