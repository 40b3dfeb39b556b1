package launcher

import (
	"context"
	"fmt"
	"hash/crc64"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
	"github.com/flightlog/flightlog/resource"
)

// Launcher serves one resource. Run may be called once; Answer at any time
// while it runs.
type Launcher struct {
	id, host string
	resource string
	log      Log
	inbox    Inbox
	leases   Leases
	systems  Systems
	logger   *zap.Logger
	meter    Meter
	lim      Limits
	policy   resource.Policy

	entries chan events.Entry
	arrived chan *events.Delivery
	asked   chan *ask
	results chan result
	ended   chan pilot.Key
	polls   chan polled
	heard   chan word
	leased  chan leaseRead
	broken  chan error
	ready   chan struct{}
	looks   chan chan<- Census
	errands chan func()   // run by the owner
	over    chan struct{} // closed once Run is

	// What follows belongs to the goroutine of Run.
	began    time.Time // an earlier life under the same id is over
	view     *projection.View
	tracks   map[pilot.Key]*track
	owners   map[string]ownership
	configs  map[string]*resource.Config // by its bytes; few pilots have one of their own
	caughtUp bool
	leaving  bool
	traffic  [lanes]traffic
	due      []*track                 // to be asked about in the next poll
	feeding  map[adaptor.Adaptor]bool // systems that are listened to
	feeders  int
	begin    func(func(context.Context) error) // starts a feeder
	asking   map[adaptor.Adaptor]*asking
	counting map[string]bool // lists that are being counted
	rand     *rand.Rand      // the same for the same id, for histories that can be repeated
	leasing  bool
	leasedAt time.Time
	unheard  time.Time // the bus could not be asked then: an agent would not have been heard either
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
		cfg.Meter = unmetered{}
	}
	return &Launcher{
		id: cfg.ID, host: cfg.Host, resource: cfg.Resource,
		log: cfg.Log, inbox: cfg.Inbox, leases: cfg.Leases, systems: cfg.Systems,
		logger: cfg.Logger.With(zap.String("launcher", cfg.ID)), lim: cfg.Limits.withDefaults(), policy: cfg.Policy,
		meter: cfg.Meter, looks: make(chan chan<- Census), errands: make(chan func()), over: make(chan struct{}),
		entries:  make(chan events.Entry, 256), // lets the tail run ahead of the fold a little
		arrived:  make(chan *events.Delivery),
		asked:    make(chan *ask),
		results:  make(chan result),
		ended:    make(chan pilot.Key),
		polls:    make(chan polled),
		heard:    make(chan word, 256), // what is overheard may be lost
		feeding:  map[adaptor.Adaptor]bool{},
		asking:   map[adaptor.Adaptor]*asking{},
		counting: map[string]bool{},
		rand:     rand.New(rand.NewPCG(crc64.Checksum([]byte(cfg.ID), crc64.MakeTable(crc64.ECMA)), 0)), //nolint:gosec // guards nothing
		leased:   make(chan leaseRead),
		broken:   make(chan error, 8), // who sends need not wait
		ready:    make(chan struct{}),
		view:     projection.New(),
		tracks:   map[pilot.Key]*track{},
		owners:   map[string]ownership{},
		configs:  map[string]*resource.Config{},
	}, nil
}

// Ready is closed once the launcher knows the present and begins to act.
func (l *Launcher) Ready() <-chan struct{} { return l.ready }

// Run launches and looks after pilots until ctx ends, then finishes what is
// under way, hands back the commands it holds, and leaves its pilots running.
// It returns nil after ctx has ended, else what broke it: the process should
// start again then.
func (l *Launcher) Run(ctx context.Context) error {
	defer close(l.over)
	l.began = time.Now()
	feeding, stopFeeding := context.WithCancel(ctx)
	defer stopFeeding()
	l.feed(feeding)
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var failure error
	for failure == nil && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case failure = <-l.broken:
			l.feeders--
			if failure == nil {
				failure = pilot.Errorf(pilot.Internal, "launcher: a feeder ended")
			}
		case e := <-l.entries:
			l.fold(e)
		case d := <-l.arrived:
			l.arrive(d)
		case a := <-l.asked:
			l.hear(a)
		case r := <-l.results:
			l.settleEffect(r)
		case key := <-l.ended:
			l.jobEnded(key)
		case p := <-l.polls:
			l.takePolls(p)
		case w := <-l.heard:
			l.overhear(w)
		case r := <-l.leased:
			l.takeLeases(r)
		case out := <-l.looks:
			out <- l.census(time.Now())
		case errand := <-l.errands:
			errand()
		case now := <-tick.C:
			l.sweep(now)
		}
		l.startPolls(time.Now())
	}
	l.settle()
	stopFeeding()
	for range l.feeders {
		<-l.broken //nolint:errcheck // they end because they were told to
	}
	for _, t := range l.tracks {
		t.refuseAll("the launcher stops")
	}
	if ctx.Err() != nil {
		return nil
	}
	return failure
}

// settle finishes what is under way, and begins nothing more.
func (l *Launcher) settle() {
	l.leaving = true
	for {
		if under, _ := l.working(); under == 0 && !l.polling() && !l.leasing {
			return
		}
		select {
		case r := <-l.results:
			l.settleEffect(r)
		case p := <-l.polls:
			l.asking[p.system].busy = false
		case <-l.leased:
			l.leasing = false
		case out := <-l.looks:
			out <- l.census(time.Now())
		}
	}
}

// tickEvery is how often deadlines are looked at: well below the shortest.
const tickEvery = 200 * time.Millisecond

// feed starts what fills the channels: goroutines each of which sends once on
// broken when it ends.
func (l *Launcher) feed(ctx context.Context) {
	l.begin = func(f func(context.Context) error) {
		l.feeders++
		go func() { l.broken <- f(ctx) }()
	}
	for _, f := range []func(context.Context) error{l.tail, l.receive, l.hold} {
		l.begin(f)
	}
}

// hearEnds listens to a system that tells of ends.
func (l *Launcher) hearEnds(a adaptor.Adaptor) {
	n, ok := a.(adaptor.Notifier)
	if !ok || l.feeding[a] {
		return
	}
	l.feeding[a] = true
	l.begin(func(ctx context.Context) error { return l.listen(ctx, n) })
}

func (l *Launcher) tail(ctx context.Context) error {
	for e, err := range l.log.Tail(ctx, events.Span{Resource: l.resource}) {
		if err != nil {
			return fmt.Errorf("launcher: tail: %w", err)
		}
		select {
		case l.entries <- e:
		case <-ctx.Done():
			return nil
		}
	}
	return ctx.Err()
}

func (l *Launcher) receive(ctx context.Context) error {
	for d, err := range l.inbox.Receive(ctx) {
		if err != nil {
			return fmt.Errorf("launcher: inbox: %w", err)
		}
		select {
		case l.arrived <- d:
		case <-ctx.Done():
			return d.Again(0)
		}
	}
	return ctx.Err()
}

func (l *Launcher) hold(ctx context.Context) error {
	if err := l.leases.Hold(ctx, pilot.LeaseOf(l.resource, l.id), l.resource); err != nil && ctx.Err() == nil {
		return fmt.Errorf("launcher: lease: %w", err)
	}
	return ctx.Err()
}

func (l *Launcher) listen(ctx context.Context, n adaptor.Notifier) error {
	for {
		select {
		case key := <-n.Ended():
			select {
			case l.ended <- key:
			case <-ctx.Done():
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}
