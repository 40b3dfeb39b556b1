package launcher

import (
	"context"
	"hash/crc64"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/launcher/decide"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// Launcher serves one resource. Run may be called once; Answer at any time
// while it runs.
type Launcher struct {
	id, host string
	resource string
	log      Log
	queue    CommandQueue
	leases   Leases
	systems  Systems
	logger   *zap.Logger
	meter    Meter
	lim      Limits
	policy   resource.Policy

	entries       chan events.Entry
	deliveries    chan *events.Delivery
	agentRequests chan *agentWaiter
	results       chan result
	jobEnds       chan pilot.Key
	pollAnswers   chan pollAnswer
	agentSignals  chan agentSignal
	leaseReads    chan leaseRead
	feederEnds    chan error
	ready         chan struct{}
	calls         chan func()   // run by the owner
	stopped       chan struct{} // closed once Run is

	// What follows belongs to the goroutine of Run.
	startedAt     time.Time // an earlier life under the same id is over
	view          *projection.View
	tracked       map[pilot.Key]*tracked
	leaseStates   map[string]decide.Lease
	configs       map[string]*resource.Config // by its bytes; few pilots have one of their own
	caughtUp      bool
	draining      bool
	lanes         [laneCount]laneState
	pollsDue      []*tracked               // to be asked about in the next poll
	listening     map[adaptor.Adaptor]bool // systems that are listened to
	feederCount   int
	startFeeder   func(func(context.Context) error) // starts a feeder
	queries       map[adaptor.Adaptor]*queryState
	countingLists map[string]bool // lists that are being counted
	rand          *rand.Rand      // the same for the same id, for histories that can be repeated
	readingLeases bool
	leasesReadAt  time.Time
	busSilentAt   time.Time // the bus could not be asked then: an agent would not have been heard either
}

// New checks the configuration and makes a launcher; it starts nothing.
func New(cfg Config) (*Launcher, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.Meter == nil {
		cfg.Meter = noopMeter{}
	}
	return &Launcher{
		id: cfg.ID, host: cfg.Host, resource: cfg.Resource,
		log: cfg.Log, queue: cfg.Queue, leases: cfg.Leases, systems: cfg.Systems,
		logger: cfg.Logger.With(zap.String("launcher", cfg.ID)), lim: cfg.Limits.WithDefaults(), policy: cfg.Policy,
		meter: cfg.Meter, calls: make(chan func()), stopped: make(chan struct{}),
		entries:       make(chan events.Entry, 256), // lets the tail run ahead of the fold a little
		deliveries:    make(chan *events.Delivery),
		agentRequests: make(chan *agentWaiter),
		results:       make(chan result),
		jobEnds:       make(chan pilot.Key),
		pollAnswers:   make(chan pollAnswer),
		agentSignals:  make(chan agentSignal, 256), // what is overheard may be lost
		listening:     map[adaptor.Adaptor]bool{},
		queries:       map[adaptor.Adaptor]*queryState{},
		countingLists: map[string]bool{},
		rand:          rand.New(rand.NewPCG(crc64.Checksum([]byte(cfg.ID), crc64.MakeTable(crc64.ECMA)), 0)), //nolint:gosec // guards nothing
		leaseReads:    make(chan leaseRead),
		feederEnds:    make(chan error, 8), // who sends need not wait
		ready:         make(chan struct{}),
		view:          projection.New(),
		tracked:       map[pilot.Key]*tracked{},
		leaseStates:   map[string]decide.Lease{},
		configs:       map[string]*resource.Config{},
	}, nil
}

// Ready is closed once the launcher knows the present and begins to act.
func (l *Launcher) Ready() <-chan struct{} { return l.ready }

// Run launches and looks after pilots until ctx ends, then finishes what is
// under way, hands back the commands it holds, and leaves its pilots running.
// It returns nil after ctx has ended, else what broke it: the process should
// start again then.
func (l *Launcher) Run(ctx context.Context) error {
	defer close(l.stopped)
	l.startedAt = time.Now()
	feeding, stopFeeding := context.WithCancel(ctx)
	defer stopFeeding()
	l.startFeeders(feeding)
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var failure error
	for failure == nil && ctx.Err() == nil {
		failure = l.serveNext(ctx, tick.C)
		l.startPolls(time.Now())
	}
	l.drainEffects()
	stopFeeding()
	for range l.feederCount {
		<-l.feederEnds //nolint:errcheck // they end because they were told to
	}
	for _, t := range l.tracked {
		t.refuseWaiters("the launcher stops")
	}
	if ctx.Err() != nil {
		return nil
	}
	return failure
}

// serveNext waits for the next thing that concerns a pilot, and serves it. An error: the
// launcher cannot go on.
func (l *Launcher) serveNext(ctx context.Context, tick <-chan time.Time) error {
	select {
	case <-ctx.Done():
	case err := <-l.feederEnds:
		l.feederCount--
		if err == nil {
			err = pilot.Errorf(pilot.Internal, "launcher: a feeder ended")
		}
		return err
	case e := <-l.entries:
		l.foldEntry(e)
	case d := <-l.deliveries:
		l.holdCommand(d)
	case a := <-l.agentRequests:
		l.enqueueAgentRequest(a)
	case r := <-l.results:
		l.finishEffect(r)
	case key := <-l.jobEnds:
		l.jobEnded(key)
	case p := <-l.pollAnswers:
		l.applyPoll(p)
	case w := <-l.agentSignals:
		l.observeAgent(w)
	case r := <-l.leaseReads:
		l.applyLeases(r)
	case call := <-l.calls:
		call()
	case now := <-tick:
		l.reconcileDue(now)
	}
	return nil
}

// drainEffects finishes what is under way, and begins nothing more.
func (l *Launcher) drainEffects() {
	l.draining = true
	for {
		if under, _ := l.countEffects(); under == 0 && !l.anyPollRunning() && !l.readingLeases {
			return
		}
		select {
		case r := <-l.results:
			l.finishEffect(r)
		case p := <-l.pollAnswers:
			l.queries[p.system].busy = false
		case <-l.leaseReads:
			l.readingLeases = false
		case call := <-l.calls:
			call()
		}
	}
}

// tickEvery is how often deadlines are looked at: well below the shortest.
const tickEvery = 200 * time.Millisecond
