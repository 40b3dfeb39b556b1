package polling_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/adaptor/polling"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

const (
	floor = 2 * time.Second
	ttl   = 10 * time.Second
)

// fakeScheduler is a batch system that counts its queries. Each shows one job, whose
// Restarts is the number of the query.
type fakeScheduler struct {
	mu    sync.Mutex
	begun []time.Time
	takes func(n int) time.Duration
	fails func(n int) error
	jobs  int // shown beside the first; 0: none
}

func (s *fakeScheduler) query(ctx context.Context) ([]batch.Record, error) {
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

func (s *fakeScheduler) queries() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.begun...)
}

// expectFloor checks that queries began a floor apart, but for a number of
// successions.
func (s *fakeScheduler) expectFloor(t *testing.T, apart time.Duration, successions int) {
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

// expectFresh checks a listing: it began after it was asked for, and says so, and
// does not say that it is newer than it is.
func (s *fakeScheduler) expectFresh(t *testing.T, l *batch.Listing, after time.Time) {
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

// fakeBus carries questions in memory.
type fakeBus struct {
	mu      sync.Mutex
	serving map[string][]*listingServer
	latency func() time.Duration
	most    int // bytes of an answer; 0: any
	running sync.WaitGroup
}

type listingServer struct {
	process *busEndpoint
	ctx     context.Context //nolint:containedctx // is that of its ServeListings
	handle  func(context.Context, []byte) ([]byte, error)
}

// busEndpoint is one launcher's end of the wire.
type busEndpoint struct {
	wire *fakeBus

	mu                 sync.Mutex
	dead, losesAnswers bool // mute: takes questions, answers none
}

func newFakeBus(t *testing.T) *fakeBus {
	t.Helper()
	w := &fakeBus{
		serving: map[string][]*listingServer{},
		latency: func() time.Duration { return rand.N(20 * time.Millisecond) },
	}
	t.Cleanup(w.running.Wait)
	return w
}

func (p *busEndpoint) faults() (dead, mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead, p.losesAnswers
}

func (p *busEndpoint) setFaults(dead, mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead, p.losesAnswers = dead, mute
}

func (p *busEndpoint) AskListing(ctx context.Context, endpoint string, question []byte) ([]byte, error) {
	if dead, _ := p.faults(); dead {
		return nil, pilot.Errorf(pilot.Unavailable, "this process is dead")
	}
	time.Sleep(p.wire.latency())
	p.wire.mu.Lock()
	all := append([]*listingServer(nil), p.wire.serving[endpoint]...)
	p.wire.mu.Unlock()
	type reply struct {
		data []byte
		err  error
	}
	replies := make(chan reply, len(all))
	asked := 0
	for _, s := range all {
		if dead, _ := s.process.faults(); dead {
			continue
		}
		asked++
		p.wire.running.Go(func() {
			data, err := s.handle(s.ctx, question)
			if p.wire.most > 0 && len(data) > p.wire.most {
				err = pilot.Errorf(pilot.Unsupported, "too long")
			}
			time.Sleep(p.wire.latency())
			if dead, mute := s.process.faults(); !dead && !mute {
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

func (p *busEndpoint) ServeListings(ctx context.Context, endpoint string, handle func(context.Context, []byte) ([]byte, error)) error {
	s := &listingServer{process: p, ctx: ctx, handle: handle}
	time.Sleep(p.wire.latency())
	p.wire.mu.Lock()
	p.wire.serving[endpoint] = append(p.wire.serving[endpoint], s)
	p.wire.mu.Unlock()
	<-ctx.Done()
	p.wire.mu.Lock()
	defer p.wire.mu.Unlock()
	kept := []*listingServer{}
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
	process *busEndpoint
	leases  *bustest.MemoryLeases
}

func (m *member) kill() {
	m.process.setFaults(true, false)
	m.leases.Kill()
}

// newFleet makes n launchers that share a scheduler.
func newFleet(t *testing.T, n int, w *fakeBus, log *bustest.Memory, endpoint string, s *fakeScheduler) []*member {
	t.Helper()
	all := make([]*member, n)
	for i := range all {
		m := &member{process: &busEndpoint{wire: w}, leases: log.Leases(ttl)}
		var err error
		m.Poller, err = polling.New(polling.Config{
			Endpoint: endpoint, LauncherID: fmt.Sprintf("launcher-%d", i), Bus: m.process, Leases: m.leases, Query: s.query, Floor: floor,
		})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = m
		t.Cleanup(m.Close)
	}
	return all
}
