package batch

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	Dialect *Dialect
	Scripts *render.Systems // what scripts can be written for; nil: the systems of this build
	Runner  runner.Runner
	URL     string // the endpoint, without options: what jobs are known by beside their id
	// Agent gives the command line of an agent at the place where jobs run, and
	// the environment it reaches its launchers with; it may have to put it there: into
	// dir, if the resource names one.
	Agent func(ctx context.Context, dir string) (argv []string, env map[string]string, err error)
	// RetainAgents is told once a day of the scripts of the jobs that wait, nil for one that
	// cannot be read, so that what they name is kept; it is told again soon of what it
	// gives an error for. It may be nil.
	RetainAgents func(ctx context.Context, scripts [][]byte) error
	// SharedLister gives what Dialect.List answered, begun after a time; nil: this System asks
	// for itself. See QueryJobs.
	SharedLister Lister
	Deadline     time.Duration // of each command; 0: 60s, for SLURM's own give up after 58
	Floor        time.Duration // between two listings; 0: the dialect's
	MarkLag      time.Duration // how long the marks of a job that ended may take to show; 0: 15s
	// WordLag is the same for a job whose script ended well: it left its word for
	// certain. 0: 5m; NFS shows what is new in a directory a minute late (nfs(5),
	// acdirmax), and has been seen to take four times that.
	WordLag   time.Duration
	OnCommand func(command, result string, took time.Duration)
	Logger    *zap.Logger // nil: silent
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
	if c.Dialect == nil || c.Runner == nil || c.Agent == nil || c.URL == "" {
		return nil, pilot.Errorf(pilot.Invalid, "batch: dialect, runner, agent and URL are required")
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Deadline, time.Minute},
		{&c.Floor, c.Dialect.Floor},
		{&c.Floor, DefaultFloor},
		{&c.MarkLag, 15 * time.Second},
		{&c.WordLag, 5 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.OnCommand == nil {
		c.OnCommand = func(string, string, time.Duration) {}
	}
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

// MinPollInterval is the least time between two listings.
func (s *System) MinPollInterval() time.Duration { return s.Floor }

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

// runWithQueryEnv runs one of the system's commands, which is not one that submits.
func (s *System) runWithQueryEnv(ctx context.Context, c runner.Command) (runner.Result, error) {
	c.Env = append(c.Env, s.Dialect.QueryEnv...)
	return s.runCommand(ctx, c)
}

// runCommand runs one of the system's commands.
func (s *System) runCommand(ctx context.Context, c runner.Command) (runner.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Deadline)
	defer cancel()
	c.Env = append(c.Env, s.Dialect.Env...)
	c.Unset = append(c.Unset, s.Dialect.Unset...)
	begun := time.Now()
	r, err := s.Runner.Run(ctx, c)
	s.OnCommand(commandName(c.Argv), resultOf(r, err), time.Since(begun))
	return r, err
}

// resultOf names what came of a command as adaptor.ResultOf does.
func resultOf(r runner.Result, err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case err != nil:
		return string(classifyRunError(err))
	case r.Code != 0:
		return "error"
	default:
		return "ok"
	}
}

// runQuery runs a query.
func (s *System) runQuery(ctx context.Context, q Query) ([]Record, error) {
	r, err := s.runWithQueryEnv(ctx, runner.Command{Argv: q.Argv})
	if err != nil {
		return nil, err
	}
	jobs, err := q.Read(r)
	switch {
	case err == nil:
	case q.Fallback != nil:
		return s.runQuery(ctx, *q.Fallback)
	case q.NoHistory != nil && (r.Code == notFound || q.NoHistory.MatchString(combinedOutput(r))):
		return nil, noHistoryError{err}
	}
	for i := range jobs {
		jobs[i].clearInvalidToken()
	}
	return jobs, err
}

// noHistoryError: there is no history to ask about.
type noHistoryError struct{ error }

// clearInvalidToken takes away what is shown in a token's place and is none: where a site's plugin
// or somebody else has written over it, the job is known by its name.
func (r *Record) clearInvalidToken() {
	if _, _, _, ok := pilot.ParseToken(r.Token); !ok {
		r.Token = ""
	}
}

// QueryJobs asks the system for all jobs of this user. It is what a ListingCache shares.
func (s *System) QueryJobs(ctx context.Context) ([]Record, error) {
	jobs, err := s.runQuery(ctx, s.Dialect.List())
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && len(s.Dialect.Probe) > 0 {
		return nil, fmt.Errorf("%w; %s", err, s.probeSystem(ctx))
	}
	return jobs, err
}

// probeTimeout is how long a system that is only slow may take for a cheap command.
const probeTimeout = 10 * time.Second

// probeSystem tells a system that is dead from one that is slow.
func (s *System) probeSystem(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	asked := strings.Join(s.Dialect.Probe, " ")
	if r, err := s.runWithQueryEnv(ctx, runner.Command{Argv: s.Dialect.Probe}); err != nil || r.Code != 0 || r.Signal != "" {
		return asked + " is not answered either"
	}
	return asked + " is answered: it is slow"
}
