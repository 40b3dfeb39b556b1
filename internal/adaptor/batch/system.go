package batch

import (
	"cmp"
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

// Config is what a System needs.
type Config struct {
	*Client                 // runs the commands
	Scripts *render.Systems // what scripts can be written for; nil: the systems of this build
	URL     string          // the endpoint, without options: what jobs are known by beside their id
	// Agent gives the command line of an agent at the place where jobs run, and
	// the environment it reaches its launchers with; it may have to put it there: into
	// dir, if the resource names one.
	Agent func(ctx context.Context, dir string) (argv []string, env map[string]string, err error)
	// RetainAgents is told once a day of the scripts of the jobs that wait, nil for one that
	// cannot be read, so that what they name is kept; it is told again soon of what it
	// gives an error for. It may be nil.
	RetainAgents func(ctx context.Context, scripts [][]byte) error
	// SharedLister gives the listings that Client.QueryJobs makes; nil: this System asks for
	// itself.
	SharedLister Lister
	MarkLag      time.Duration // how long the marks of a job that ended may take to show; 0: 15s
	// WordLag is the same for a job whose script ended well: it left its word for
	// certain. 0: 5m; NFS shows what is new in a directory a minute late (nfs(5),
	// acdirmax), and has been seen to take four times that.
	WordLag time.Duration
	Logger  *zap.Logger // nil: silent
}

// Lister gives listings of one endpoint.
type Lister interface {
	// ListAfter gives one begun after a time, and waits for it if it must.
	ListAfter(ctx context.Context, after time.Time) (*Listing, error)
}

// Listing is what a batch system showed of a user's jobs.
type Listing struct {
	At   time.Time // when it was asked for
	Jobs []Record
}

// System is one endpoint of a batch system: an adaptor.Adaptor, a SettleTimer, a
// Cleaner, a Reacher and BulkPolled.
type System struct {
	Config
	lister     Lister
	fullLister Lister // the lister, or one of this System's own, which shows also what is not ours
	// toldTokens holds the tokens that jobs under other names have said, empty ones too. Who has
	// taken it may ask, and puts it back.
	toldTokens chan map[listedKey]string

	mu         sync.Mutex
	endSeenAt  map[string]time.Time // by token: jobs whose end was seen, and whose marks were not
	killedAt   map[string]time.Time // by token: when a job's end by force was last asked for and granted
	retainedAt map[string]time.Time // by token: when RetainAgents was last told of a waiting job
	// aliases are the jobs that were renamed, by token.
	aliases map[string]alias
}

// New checks the configuration; it asks nothing.
func New(c Config) (*System, error) {
	if c.Client == nil || c.Agent == nil || c.URL == "" {
		return nil, pilot.Errorf(pilot.Invalid, "batch: client, agent and URL are required")
	}
	c.MarkLag = cmp.Or(c.MarkLag, 15*time.Second)
	c.WordLag = cmp.Or(c.WordLag, 5*time.Minute)
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	s := &System{Config: c, lister: c.SharedLister, endSeenAt: map[string]time.Time{}, killedAt: map[string]time.Time{}, aliases: map[string]alias{}, retainedAt: map[string]time.Time{}, toldTokens: make(chan map[listedKey]string, 1)}
	s.toldTokens <- nil
	s.fullLister = NewListingCache(s.QueryJobs, s.MinPollInterval())
	if s.lister == nil {
		s.lister = s.fullLister
	}
	return s, nil
}

// Reach says why there is no way to the machine with the batch system's commands.
func (s *System) Reach(ctx context.Context) error {
	if r, ok := s.Runner.(runner.Reacher); ok {
		return r.Reach(ctx)
	}
	return nil
}

// SettleTime is how long a submit whose answer was lost may take to show.
func (s *System) SettleTime() time.Duration {
	if s.Dialect.Settle != 0 {
		return s.Dialect.Settle
	}
	return adaptor.DefaultSettleTime
}

var (
	_ adaptor.Adaptor        = (*System)(nil)
	_ adaptor.SettleTimer    = (*System)(nil)
	_ adaptor.Reacher        = (*System)(nil)
	_ adaptor.BulkPolled     = (*System)(nil)
	_ adaptor.SandboxRemover = (*System)(nil)
)
