package adaptortest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// Handler answers agents, as launchers do.
type Handler func(ctx context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (api.AgentReply, error)

// Config is a Memory's. The zero value works: no queue, no faults, and nobody
// who answers the agents until SetHandler names one.
type Config struct {
	Handler Handler                    // see SetHandler
	Script  func(*adaptor.Spec) Script // what becomes of a job; nil: ScriptFromDescription
	Inject  func(Call) Failure         // asked at each call, under no lock; nil: none
	Beat    time.Duration              // between two beats of an agent; 0: 10 s
	Settle  time.Duration              // what Settle says; 0: a lost answer's job is found at once
}

// Script is what becomes of one job.
type Script struct {
	Queue         time.Duration // before it runs
	Length        time.Duration // of the payload
	Hold          bool          // the payload never ends by itself; Length is ignored
	Exit          int           // the payload's exit code
	IgnoresTerm   bool          // the payload ignores TERM: only KILL, after the grace, ends it
	Crash         bool          // at the payload's end the agent dies with it and says nothing
	Limit         time.Duration // that the system gives the job; 0: the runtime
	FixedDeadline bool          // its agent is of a version that heeds no deadline but the first
	NeverRuns     bool          // the job ends well after Queue without its agent ever having run
}

// ScriptFromDescription reads the script off the description, as a machine would: no
// executable holds, "true" and "false" end at once, "sleep" takes its argument
// in seconds, "exit" gives its argument as the exit code; all else ends well.
func ScriptFromDescription(s *adaptor.Spec) Script {
	number := 0.0
	if len(s.Description.Arguments) > 0 {
		number, _ = strconv.ParseFloat(s.Description.Arguments[0], 64)
	}
	switch s.Description.Executable {
	case "":
		return Script{Hold: true}
	case "false":
		return Script{Exit: 1}
	case "sleep":
		return Script{Length: time.Duration(number * float64(time.Second))}
	case "exit":
		return Script{Exit: int(number)}
	default:
		return Script{}
	}
}

// Memory is a batch system in memory. It outlives the launchers that use it,
// as batch systems do. It is an Endpoint itself, for tests with one launcher.
type Memory struct {
	*Endpoint
	config     Config
	life       context.Context //nolint:containedctx // its end is Close, which every job's goroutine heeds
	cancelLife context.CancelFunc
	agents     sync.WaitGroup // a goroutine per job and per undelivered notice

	mu        sync.Mutex
	handler   Handler
	jobs      map[string]*job // by token
	submitted int
	calls     map[string]int // by operation and pilot
	brokenErr error
	endpoints []*Endpoint
}

// NewMemory makes a Memory; Close ends it.
func NewMemory(config Config) *Memory {
	if config.Script == nil {
		config.Script = ScriptFromDescription
	}
	if config.Inject == nil {
		config.Inject = func(Call) Failure { return None }
	}
	if config.Beat == 0 {
		config.Beat = 10 * time.Second
	}
	m := &Memory{config: config, handler: config.Handler, jobs: map[string]*job{}, calls: map[string]int{}}
	m.life, m.cancelLife = context.WithCancel(context.Background())
	m.Endpoint = m.Open()
	return m
}

// Open gives another way to the same batch system, with notices of its own:
// what a launcher opens when it starts.
func (m *Memory) Open() *Endpoint {
	e := &Endpoint{memory: m, host: defaultHost, ended: make(chan pilot.Key), watched: map[string]bool{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endpoints = append(m.endpoints, e)
	return e
}

// SetHandler says who answers the agents from now on; nil: nobody, as when the bus
// is away or every launcher is dead.
func (m *Memory) SetHandler(h Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handler = h
}

// Break makes every call to the batch system fail with err until it is called
// with nil. Jobs go on.
func (m *Memory) Break(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.brokenErr = err
}

// SetLimit changes the time limit of a pilot's jobs, as `scontrol update` does: a listing
// shows it, and it is what ends them if their agents do not.
func (m *Memory) SetLimit(key pilot.Key, limit time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		if j.spec.Key == key {
			j.limit = limit
		}
	}
}

// Close kills all jobs and returns when their goroutines have ended.
func (m *Memory) Close() {
	m.cancelLife()
	m.agents.Wait()
}

// Runs is how many payloads of a pilot began, over all its attempts.
func (m *Memory) Runs(key pilot.Key) int {
	return m.countJobs(func(j *job) bool { return j.spec.Key == key && j.payloadRan })
}

// Jobs is how many jobs of a pilot were made, over all its attempts.
func (m *Memory) Jobs(key pilot.Key) int {
	return m.countJobs(func(j *job) bool { return j.spec.Key == key })
}

// LiveJobs is how many jobs are queued or running.
func (m *Memory) LiveJobs() int {
	return m.countJobs(func(j *job) bool { return j.phase != adaptor.Ended })
}

// Kill ends the jobs of a pilot as a power failure would: no agent says a
// word, and the system knows of no exit code.
func (m *Memory) Kill(key pilot.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		if j.spec.Key == key {
			j.kill()
		}
	}
}

func (m *Memory) countJobs(match func(*job) bool) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, j := range m.jobs {
		if match(j) {
			n++
		}
	}
	return n
}

// askLauncher is an agent's request; one that nobody answers takes no time to fail.
func (m *Memory) askLauncher(ctx context.Context, s *adaptor.Spec, verb api.Verb, req api.AgentRequest) (api.AgentReply, error) {
	m.mu.Lock()
	handler := m.handler
	m.mu.Unlock()
	if handler == nil {
		return api.AgentReply{}, &pilot.Error{Code: pilot.Unavailable, Op: "ask launcher", Err: errors.New("nobody answers")}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req.Attempt, req.Secret, req.Instance = s.Attempt, s.Secret, "memory-"+s.Token()
	return handler(ctx, s.Key, verb, req)
}

const askTimeout = 10 * time.Second // a real agent's too
