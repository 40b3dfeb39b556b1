package polling

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/adaptor/batch"
	"github.com/flightlog/flightlog/pilot"
)

// Bus carries questions and answers; bus.Conn does.
type Bus interface {
	// AskListing asks who serves an endpoint. Code unavailable: nobody does;
	// timeout: no answer came; unsupported: it does not fit into a message.
	AskListing(ctx context.Context, endpoint string, question []byte) ([]byte, error)
	// ServeListings answers until ctx ends.
	ServeListings(ctx context.Context, endpoint string, handle func(ctx context.Context, question []byte) ([]byte, error)) error
}

// Leases elect; bus.Leases do.
type Leases interface {
	// While runs f while it holds the lease. Code conflict: somebody else has it.
	While(ctx context.Context, id, about string, f func(context.Context)) error
}

// Config is what a Poller needs.
type Config struct {
	Endpoint string // <site>.<name>, the second one that of Name
	Me       string // the launcher's id
	Bus      Bus
	Leases   Leases
	Query    func(context.Context) ([]batch.Record, error) // asks the batch system; it must end by itself
	Floor    time.Duration                                 // between two queries; 0: batch.DefaultFloor
	Patience time.Duration                                 // for one answer of another launcher, before it is asked again; 0: 15s
	Logger   *zap.Logger                                   // nil: silent
}

// Poller is a batch.Lister that shares its listings with the fleet.
type Poller struct {
	Config
	local   *batch.Listings
	begin   func(func(context.Context)) // runs beside, until Close
	turn    chan struct{}               // holds one; who has it may ask
	close   func()
	packing packing
	asks    asks

	mu       sync.Mutex
	last     *batch.Listing
	id       string // of last; empty: our own
	elected  bool
	standing chan struct{} // closed when the election under way is decided; nil: none is
}

// New makes a Poller; it asks nothing and stands for nothing yet.
func New(c Config) (*Poller, error) {
	if c.Bus == nil || c.Leases == nil || c.Query == nil || c.Endpoint == "" || !pilot.ValidToken(c.Me) {
		return nil, pilot.Errorf(pilot.Invalid, "polling: endpoint, launcher, bus, leases and query are required")
	}
	c.Floor = cmp.Or(c.Floor, batch.DefaultFloor)
	c.Patience = cmp.Or(c.Patience, 15*time.Second)
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	life, end := context.WithCancel(context.Background())
	var running sync.WaitGroup
	p := &Poller{
		Config: c, turn: make(chan struct{}, 1), // 1: one turn
		begin: func(f func(context.Context)) { running.Go(func() { f(life) }) },
		close: func() { end(); running.Wait() },
	}
	p.turn <- struct{}{}
	p.packing.origin, p.asks.after = newID()+"-", map[string]asked{}
	// Who gives up waiting must not end the query that others wait for too.
	p.local = batch.NewListings(func(context.Context) ([]batch.Record, error) { return c.Query(life) }, c.Floor)
	return p, nil
}

// Close gives up the lease, if we hold it, and waits for what is under way.
func (p *Poller) Close() { p.close() }

// Elected says whether this launcher asks the batch system for the others.
func (p *Poller) Elected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.elected
}

// Listing gives one that began after a time. Callers share: who waits for its
// turn takes the listing of the turn before if that is new enough.
func (p *Poller) Listing(ctx context.Context, after time.Time) (*batch.Listing, error) {
	if after.IsZero() {
		after = time.Now().Add(-p.Floor) // any that is not old
	}
	if known := p.newer(after); known != nil {
		return known, nil
	}
	select {
	case <-p.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { p.turn <- struct{}{} }()
	if known := p.newer(after); known != nil {
		return known, nil
	}
	return p.get(ctx, after)
}

// get asks until it is answered; one at a time.
func (p *Poller) get(ctx context.Context, after time.Time) (*batch.Listing, error) {
	id := newID()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if p.Elected() {
			return p.ownListing(ctx, after)
		}
		listing, err := p.ask(ctx, id, after)
		switch {
		case err == nil:
			return listing, nil
		case strange(err):
			p.Logger.Warn("asks the batch system itself", zap.String("endpoint", p.Endpoint), zap.Error(err))
			return p.ownListing(ctx, after)
		case ctx.Err() != nil || !unanswered(err):
			return nil, err
		}
		switch stood := p.stand(ctx); {
		case stood == nil:
		case !unanswered(stood) && pilot.CodeOf(stood) != pilot.Conflict: // nothing will come of it
			p.Logger.Error("no election of a poller", zap.String("endpoint", p.Endpoint), zap.Error(stood))
			return p.ownListing(ctx, after)
		case !sleep(ctx, jitter(pause)):
			return nil, err
		}
	}
}

// The pauses between two tries, when whoever was elected does not answer and yet
// has its lease.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// newer gives the listing that is known, if it is new enough.
func (p *Poller) newer(after time.Time) *batch.Listing {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != nil && p.last.At.After(after) {
		return p.last
	}
	return nil
}

func (p *Poller) keep(l *batch.Listing, id string) *batch.Listing {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last, p.id = l, id
	return l
}

func (p *Poller) ownListing(ctx context.Context, after time.Time) (*batch.Listing, error) {
	l, err := p.local.Listing(ctx, after)
	if err != nil {
		return nil, err
	}
	return p.keep(l, ""), nil
}

// stand tries to become the one that asks, and waits until that is decided. Nil:
// we are.
func (p *Poller) stand(ctx context.Context) error {
	p.mu.Lock()
	if p.elected || p.standing != nil {
		decided := p.standing
		p.mu.Unlock()
		return p.await(ctx, decided)
	}
	decided := make(chan struct{})
	p.standing = decided
	p.mu.Unlock()
	var refused error
	p.begin(func(life context.Context) {
		err := p.Leases.While(life, "poll."+p.Endpoint, p.Me, func(held context.Context) {
			p.elect(true)
			p.Logger.Info("asks the batch system for the fleet", zap.String("endpoint", p.Endpoint))
			defer context.AfterFunc(held, func() { p.elect(false) })() // before those who wait have been answered
			if err := p.Bus.ServeListings(held, p.Endpoint, p.answer); err != nil {
				p.Logger.Warn("listings not served", zap.String("endpoint", p.Endpoint), zap.Error(err))
			}
			p.elect(false)
		})
		if err != nil && life.Err() == nil && pilot.CodeOf(err) != pilot.Conflict {
			p.Logger.Warn("no lease of a poller", zap.String("endpoint", p.Endpoint), zap.Error(err))
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.standing == decided {
			refused, p.standing = err, nil
			close(decided)
		}
	})
	if err := p.await(ctx, decided); err != nil {
		return err
	}
	if p.Elected() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if refused == nil {
		return errNotElected // any more
	}
	return refused
}

var errNotElected = pilot.Errorf(pilot.Conflict, "another launcher was elected")

func (p *Poller) await(ctx context.Context, decided chan struct{}) error {
	if decided == nil {
		return nil
	}
	select {
	case <-decided:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// elect says that we ask from now on, or no more.
func (p *Poller) elect(elected bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.elected = elected; elected && p.standing != nil {
		close(p.standing)
		p.standing = nil
	}
}

// unanswered says that whoever was asked, or elects, could not be reached.
func unanswered(err error) bool {
	code := pilot.CodeOf(err)
	return code == pilot.Unavailable || code == pilot.Timeout || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// strange says that there is an answer that cannot be used: it does not fit into
// a message, or it is of another version.
func strange(err error) bool {
	code := pilot.CodeOf(err)
	return code == pilot.Unsupported || code == pilot.Invalid
}
