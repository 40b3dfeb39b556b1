package launcher_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

const leaseTTL = 10 * time.Second

// fleet is a log, a batch system and any number of launchers in one bubble.
type fleet struct {
	t       testing.TB
	log     *bustest.Memory
	batch   *adaptortest.Memory
	mu      sync.Mutex
	members []*member // living ones answer agents
	ear     *member   // the one that does, as long as it lives; nil: any
}

// systemsByName are Systems of which each name has one.
type systemsByName map[string]adaptor.Adaptor

// For looks the name of the configuration's system up.
func (n systemsByName) For(cfg *resource.Config) (adaptor.Adaptor, error) {
	if a, ok := n[cfg.System()]; ok {
		return a, nil
	}
	return nil, pilot.Errorf(pilot.Unsupported, "there is no %s", cfg.System())
}

type member struct {
	*launcher.Launcher
	queue  *bustest.MemoryQueue
	leases *bustest.MemoryLeases
	log    *severableLog
	stop   context.CancelFunc
	done   chan struct{}
}

// severableLog is a log that a dead process cannot reach any more.
type severableLog struct {
	*bustest.Memory
	mu   sync.Mutex
	dead bool
}

func (s *severableLog) severLog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
}

func (s *severableLog) Append(ctx context.Context, e *events.Event) (uint64, error) {
	s.mu.Lock()
	dead := s.dead
	s.mu.Unlock()
	if dead {
		return 0, pilot.Errorf(pilot.Unavailable, "this process is dead")
	}
	return s.Memory.Append(ctx, e)
}

func newFleet(t testing.TB, cfg adaptortest.Config) *fleet {
	t.Helper()
	f := &fleet{t: t, log: bustest.NewMemory()}
	cfg.Handler = f.answerAgent
	f.batch = adaptortest.NewMemory(cfg)
	t.Cleanup(func() {
		for _, m := range f.members {
			m.stop()
			<-m.done
		}
		f.batch.Close()
	})
	return f
}

// answerAgent is what agents get: some living launcher, as a queue group would pick it. All
// overhear what agents say near their ends.
func (f *fleet) answerAgent(ctx context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (api.AgentReply, error) {
	f.mu.Lock()
	var picked *member
	if len(f.members) > 0 {
		picked = f.members[int(verb[0])%len(f.members)]
	}
	for _, m := range f.members {
		if m == f.ear {
			picked = m
		}
		if req.Near {
			m.ObserveAgent(key, verb, req)
		}
	}
	f.mu.Unlock()
	if picked == nil {
		return api.AgentReply{}, pilot.Errorf(pilot.Unavailable, "nobody answers")
	}
	return picked.AnswerAgent(ctx, key, verb, req)
}

// heardBy has one launcher answer the agents.
func (f *fleet) heardBy(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ear = m
}

// launch starts a launcher.
func (f *fleet) launch(id string, edit ...func(*launcher.Config)) *member {
	f.t.Helper()
	m := &member{
		queue:  f.log.CommandQueue("local.localhost", bus.CommandQueueConfig{}),
		leases: f.log.Leases(leaseTTL),
		log:    &severableLog{Memory: f.log},
		done:   make(chan struct{}),
	}
	cfg := launcher.Config{
		Resource: "local.localhost", ID: id,
		Log: m.log, Queue: m.queue, Leases: m.leases,
		Systems: systemsByName{"fork": f.batch.Open()},
	}
	for _, e := range edit {
		e(&cfg)
	}
	l, err := launcher.New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	m.Launcher = l
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	go func() {
		defer close(m.done)
		_ = l.Run(ctx)
	}()
	f.mu.Lock()
	f.members = append(f.members, m)
	f.mu.Unlock()
	return m
}

// onOtherHost makes a launcher one of another host.
func onOtherHost(f *fleet) func(*launcher.Config) {
	return func(c *launcher.Config) { c.Systems = systemsByName{"fork": f.batch.OpenAt("elsewhere")} }
}

// kill does what kill -9 does: nothing of what the launcher holds is handed back.
func (f *fleet) kill(m *member) {
	f.mu.Lock()
	for i, other := range f.members {
		if other == m {
			f.members = append(f.members[:i:i], f.members[i+1:]...)
			break
		}
	}
	f.mu.Unlock()
	m.log.severLog()
	m.queue.Kill()
	m.leases.Kill()
	m.stop()
	<-m.done
}

func key(name string) pilot.Key {
	return pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: name}
}

// submit writes a birth, as a manager does.
func (f *fleet) submit(name string, d pilot.Description) pilot.Key {
	f.t.Helper()
	return f.submitOn(name, d, f.localhost())
}

// localhost is the configuration of the resource that pilots are on unless told.
func (f *fleet) localhost() *resource.Config {
	f.t.Helper()
	catalogue, err := resource.BuiltinCatalogue()
	if err != nil {
		f.t.Fatal(err)
	}
	cfg, err := catalogue.Resolve("local.localhost", "")
	if err != nil {
		f.t.Fatal(err)
	}
	return cfg
}

// submitOn writes the birth of a pilot on a resource of that configuration.
func (f *fleet) submitOn(name string, d pilot.Description, cfg *resource.Config) pilot.Key {
	f.t.Helper()
	canonical, digest := cfg.Canonical()
	d.UID, d.Resource, d.Cores = name, "local.localhost", 1
	if d.Runtime == 0 {
		d.Runtime = pilot.Runtime(time.Hour)
	}
	e := events.Event{
		ID: "birth-" + name, Class: events.ClassCommand, Key: key(name), Kind: events.Submit, At: time.Now(),
		Submission: &events.Submission{Description: d, Config: canonical, Digest: digest},
	}
	if _, err := f.log.Append(f.t.Context(), &e); err != nil {
		f.t.Fatal(err)
	}
	return key(name)
}

// cancel asks for the end, as a manager does, in whatever state the pilot is.
func (f *fleet) cancel(k pilot.Key, force bool) {
	f.t.Helper()
	f.append(k, pilot.KindCanceling, func(st *pilot.Status) {
		st.Cancel = &pilot.Cancel{By: "test", Reason: "enough", Force: force, Grace: pilot.DefaultGrace, At: time.Now()}
		if st.State.Final() {
			st.Cause = &pilot.Cause{Code: pilot.CanceledBeforeLaunch}
		}
	})
}

// append moves a pilot, unless it has ended, whoever else moves it meanwhile.
func (f *fleet) append(k pilot.Key, kind pilot.Kind, change func(*pilot.Status)) {
	f.t.Helper()
	for {
		p := f.get(k)
		if p.State.Final() {
			return
		}
		e, ok := events.Moved(k, p.Seq, p.Status, kind, change)
		if !ok {
			f.t.Fatalf("%s: no %s while it is %s", k.Pilot, kind, p.State)
		}
		e.ID, e.At = fmt.Sprintf("%s-%s-%d", kind, k.Pilot, p.Seq), time.Now()
		if _, err := f.log.Append(f.t.Context(), &e); err == nil {
			return
		} else if pilot.CodeOf(err) != pilot.Conflict {
			f.t.Fatal(err)
		}
	}
}

// foldView folds the whole log.
func (f *fleet) foldView() *projection.View {
	f.t.Helper()
	v, err := projection.Present(f.log.Tail(f.t.Context(), events.Span{Past: true}))
	if err != nil {
		f.t.Fatal(err)
	}
	if odd := v.Oddities(); odd != (projection.Oddities{}) {
		f.t.Fatalf("the log holds what it must not: %+v", odd)
	}
	return v
}

func (f *fleet) get(k pilot.Key) projection.Pilot {
	f.t.Helper()
	p, ok := f.foldView().Get(k.Manager, k.Pilot)
	if !ok {
		f.t.Fatalf("%s is not in the log", k.Pilot)
	}
	return p
}

// await lets time pass until the pilot satisfies ok.
func (f *fleet) await(k pilot.Key, what string, ok func(*projection.Pilot) bool) projection.Pilot {
	f.t.Helper()
	limit := time.Now().Add(24 * time.Hour)
	for pause := 50 * time.Millisecond; ; pause = min(pause*5/4, 10*time.Second) {
		p := f.get(k)
		if ok(&p) {
			return p
		}
		if p.State.Final() || time.Now().After(limit) {
			f.t.Fatalf("%s is %s (%+v) and will not be %s", k.Pilot, p.State, p.Cause, what)
		}
		time.Sleep(pause) // the bubble's clock
	}
}

func (f *fleet) awaitState(k pilot.Key, want pilot.State) projection.Pilot {
	f.t.Helper()
	return f.await(k, want.String(), func(p *projection.Pilot) bool { return p.State == want })
}

// historyKinds are the kinds of a pilot's history, without remarks.
func (f *fleet) historyKinds(k pilot.Key) []events.Kind {
	f.t.Helper()
	history, err := f.log.History(f.t.Context(), k, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	var kinds []events.Kind
	for _, e := range history {
		if e.Class != events.ClassNote {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func forgedRequest(attempt int) api.AgentRequest {
	zero := 0
	return api.AgentRequest{
		Attempt: attempt, Secret: "guessed", Instance: "forger",
		Outcome: &api.Outcome{Kind: api.OutcomeDone, Code: pilot.PayloadFinished, ExitCode: &zero},
	}
}
