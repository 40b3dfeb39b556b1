package polling

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/subject"
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
	// HoldWhile runs f while it holds the lease. Code conflict: somebody else has it.
	HoldWhile(ctx context.Context, id, about string, f func(context.Context)) error
}

// Config is what a Poller needs.
type Config struct {
	Endpoint   string // <site>.<name>, the second one that of EndpointName
	LauncherID string // the launcher's id
	Bus        Bus
	Leases     Leases
	Query      func(context.Context) ([]batch.Record, error) // asks the batch system; it must end by itself
	Floor      time.Duration                                 // between two queries; 0: batch.DefaultFloor
	Patience   time.Duration                                 // for one answer of another launcher, before it is asked again; 0: 15s
	Logger     *zap.Logger                                   // nil: silent
}

// Poller is a batch.Lister that shares its listings with the fleet.
type Poller struct {
	Config
	local     *batch.ListingCache
	runBeside func(func(context.Context)) // runs beside, until Close
	turn      chan struct{}               // holds one; who has it may ask
	close     func()
	answers   answerCache
	questions questionLog

	mu       sync.Mutex
	last     *batch.Listing
	id       string // of last; empty: our own
	elected  bool
	election chan struct{} // closed when the election under way is decided; nil: none is
}

// New makes a Poller; it asks nothing and stands for nothing yet.
func New(c Config) (*Poller, error) {
	if c.Bus == nil || c.Leases == nil || c.Query == nil || c.Endpoint == "" || !pilot.ValidToken(c.LauncherID) {
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
		runBeside: func(f func(context.Context)) { running.Go(func() { f(life) }) },
		close:     func() { end(); running.Wait() },
	}
	p.turn <- struct{}{}
	p.answers.origin, p.questions.byID = newID()+"-", map[string]question{}
	// Who gives up waiting must not end the query that others wait for too.
	p.local = batch.NewListingCache(func(context.Context) ([]batch.Record, error) { return c.Query(life) }, c.Floor)
	return p, nil
}

// Close gives up the lease, if we hold it, and waits for what is under way.
func (p *Poller) Close() { p.close() }

// IsElected says whether this launcher asks the batch system for the others.
func (p *Poller) IsElected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.elected
}

// ListAfter gives one that began after a time. Callers share: who waits for its
// turn takes the listing of the turn before if that is new enough.
func (p *Poller) ListAfter(ctx context.Context, after time.Time) (*batch.Listing, error) {
	if after.IsZero() {
		after = time.Now().Add(-p.Floor) // any that is not old
	}
	if known := p.newerListing(after); known != nil {
		return known, nil
	}
	select {
	case <-p.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { p.turn <- struct{}{} }()
	if known := p.newerListing(after); known != nil {
		return known, nil
	}
	return p.askUntilAnswered(ctx, after)
}

// askUntilAnswered asks until it is answered; one at a time.
func (p *Poller) askUntilAnswered(ctx context.Context, after time.Time) (*batch.Listing, error) {
	id := newID()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		if p.IsElected() {
			return p.ownListing(ctx, after)
		}
		listing, err := p.askElected(ctx, id, after)
		switch {
		case err == nil:
			return listing, nil
		case isUnusable(err):
			p.Logger.Warn("asks the batch system itself", zap.String("endpoint", p.Endpoint), zap.Error(err))
			return p.ownListing(ctx, after)
		case ctx.Err() != nil || !isUnreachable(err):
			return nil, err
		}
		switch stood := p.standForElection(ctx); {
		case stood == nil:
		case !isUnreachable(stood) && pilot.CodeOf(stood) != pilot.Conflict: // nothing will come of it
			p.Logger.Error("no election of a poller", zap.String("endpoint", p.Endpoint), zap.Error(stood))
			return p.ownListing(ctx, after)
		case !sleepContext(ctx, jitteredPause(pause)):
			return nil, err
		}
	}
}

// The pauses between two tries, when whoever was elected does not answer and yet
// has its lease.
const (
	minPause = 50 * time.Millisecond
	maxPause = time.Second
)

// newerListing gives the listing that is known, if it is new enough.
func (p *Poller) newerListing(after time.Time) *batch.Listing {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != nil && p.last.At.After(after) {
		return p.last
	}
	return nil
}

func (p *Poller) keepListing(l *batch.Listing, id string) *batch.Listing {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last, p.id = l, id
	return l
}

func (p *Poller) ownListing(ctx context.Context, after time.Time) (*batch.Listing, error) {
	l, err := p.local.ListAfter(ctx, after)
	if err != nil {
		return nil, err
	}
	return p.keepListing(l, ""), nil
}

// standForElection tries to become the one that asks, and waits until that is decided. Nil:
// we are.
func (p *Poller) standForElection(ctx context.Context) error {
	p.mu.Lock()
	if p.elected || p.election != nil {
		decided := p.election
		p.mu.Unlock()
		return p.awaitElection(ctx, decided)
	}
	decided := make(chan struct{})
	p.election = decided
	p.mu.Unlock()
	var refused error
	p.runBeside(func(life context.Context) {
		err := p.Leases.HoldWhile(life, subject.PollLease(p.Endpoint), p.LauncherID, func(held context.Context) {
			p.setElected(true)
			p.Logger.Info("asks the batch system for the fleet", zap.String("endpoint", p.Endpoint))
			defer context.AfterFunc(held, func() { p.setElected(false) })() // before those who wait have been answered
			if err := p.Bus.ServeListings(held, p.Endpoint, p.answerQuestion); err != nil {
				p.Logger.Warn("listings not served", zap.String("endpoint", p.Endpoint), zap.Error(err))
			}
			p.setElected(false)
		})
		if err != nil && life.Err() == nil && pilot.CodeOf(err) != pilot.Conflict {
			p.Logger.Warn("no lease of a poller", zap.String("endpoint", p.Endpoint), zap.Error(err))
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.election == decided {
			refused, p.election = err, nil
			close(decided)
		}
	})
	if err := p.awaitElection(ctx, decided); err != nil {
		return err
	}
	if p.IsElected() {
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

func (p *Poller) awaitElection(ctx context.Context, decided chan struct{}) error {
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

// setElected says that we ask from now on, or no more.
func (p *Poller) setElected(elected bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.elected = elected; elected && p.election != nil {
		close(p.election)
		p.election = nil
	}
}

// isUnreachable says that whoever was asked, or elects, could not be reached.
func isUnreachable(err error) bool {
	code := pilot.CodeOf(err)
	return code == pilot.Unavailable || code == pilot.Timeout || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// isUnusable says that there is an answer that cannot be used: it does not fit into
// a message, or it is of another version.
func isUnusable(err error) bool {
	code := pilot.CodeOf(err)
	return code == pilot.Unsupported || code == pilot.Invalid
}
