package adaptortest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Handler answers agents, as launchers do.
type Handler func(ctx context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (api.AgentReply, error)

// Config is a Memory's. The zero value works: no queue, no faults, and nobody
// who answers the agents until Serve names one.
type Config struct {
	Agents Handler                    // see Serve
	Script func(*adaptor.Spec) Script // what becomes of a job; nil: Described
	Fault  func(Call) Fault           // asked at each call, under no lock; nil: none
	Beat   time.Duration              // between two beats of an agent; 0: 10 s
	Settle time.Duration              // what Settle says; 0: a lost answer's job is found at once
}

// Script is what becomes of one job.
type Script struct {
	Queue  time.Duration // before it runs
	Length time.Duration // of the payload
	Hold   bool          // the payload never ends by itself; Length is ignored
	Exit   int           // the payload's exit code
	Deaf   bool          // the payload ignores TERM: only KILL, after the grace, ends it
	Crash  bool          // at the payload's end the agent dies with it and says nothing
	Limit  time.Duration // that the system gives the job; 0: the runtime
	Early  bool          // its agent is of a version that heeds no deadline but the first
	Never  bool          // the job ends well after Queue without its agent ever having run
}

// Described reads the script off the description, as a machine would: no
// executable holds, "true" and "false" end at once, "sleep" takes its argument
// in seconds, "exit" gives its argument as the exit code; all else ends well.
func Described(s *adaptor.Spec) Script {
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
	config Config
	stop   context.Context //nolint:containedctx // its end is Close, which every job's goroutine heeds
	close  context.CancelFunc
	agents sync.WaitGroup // a goroutine per job and per undelivered notice

	mu        sync.Mutex
	handler   Handler
	jobs      map[string]*job // by token
	made      int
	calls     map[string]int // by operation and pilot
	down      error
	endpoints []*Endpoint
}

// NewMemory makes a Memory; Close ends it.
func NewMemory(config Config) *Memory {
	if config.Script == nil {
		config.Script = Described
	}
	if config.Fault == nil {
		config.Fault = func(Call) Fault { return None }
	}
	if config.Beat == 0 {
		config.Beat = 10 * time.Second
	}
	m := &Memory{config: config, handler: config.Agents, jobs: map[string]*job{}, calls: map[string]int{}}
	m.stop, m.close = context.WithCancel(context.Background())
	m.Endpoint = m.Open()
	return m
}

// Open gives another way to the same batch system, with notices of its own:
// what a launcher opens when it starts.
func (m *Memory) Open() *Endpoint {
	e := &Endpoint{memory: m, host: here, ended: make(chan pilot.Key), seen: map[string]bool{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endpoints = append(m.endpoints, e)
	return e
}

// Serve says who answers the agents from now on; nil: nobody, as when the bus
// is away or every launcher is dead.
func (m *Memory) Serve(h Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handler = h
}

// Break makes every call to the batch system fail with err until it is called
// with nil. Jobs go on.
func (m *Memory) Break(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = err
}

// Limit changes the time limit of a pilot's jobs, as `scontrol update` does: a listing
// shows it, and it is what ends them if their agents do not.
func (m *Memory) Limit(key pilot.Key, limit time.Duration) {
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
	m.close()
	m.agents.Wait()
}

// Runs is how many payloads of a pilot began, over all its attempts.
func (m *Memory) Runs(key pilot.Key) int {
	return m.count(func(j *job) bool { return j.spec.Key == key && j.ran })
}

// Jobs is how many jobs of a pilot were made, over all its attempts.
func (m *Memory) Jobs(key pilot.Key) int {
	return m.count(func(j *job) bool { return j.spec.Key == key })
}

// Live is how many jobs are queued or running.
func (m *Memory) Live() int {
	return m.count(func(j *job) bool { return j.phase != adaptor.Ended })
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

func (m *Memory) count(match func(*job) bool) int {
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

// ask is an agent's request; one that nobody answers takes no time to fail.
func (m *Memory) ask(ctx context.Context, s *adaptor.Spec, verb api.Verb, req api.AgentRequest) (api.AgentReply, error) {
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
