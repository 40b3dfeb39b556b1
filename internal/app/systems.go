package app

import (
	"os"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/adaptor/fork"
	"github.com/flightlog/flightlog/internal/adaptor/polling"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/adaptor/runner/sshconn"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// systems are the batch systems of a launcher, opened when a pilot first needs
// one: this machine, and one for each endpoint. It is a launcher.Systems.
type systems struct {
	fork    *fork.System
	options *LauncherOptions
	fleet   fleet
	open    map[string]*batch.System   // by endpoint
	failed  map[string]*failedEndpoint // the same, of those that could not be opened
	runners map[string]runner.Runner   // by transport and place
	pollers []*polling.Poller
}

// fleet is how a launcher reaches those that use the same batch systems.
type fleet struct {
	bus    polling.Bus
	leases polling.Leases
	me     string // this launcher's id
}

func newSystems(f *fork.System, o *LauncherOptions, all fleet) *systems {
	return &systems{
		fork: f, options: o, fleet: all, open: map[string]*batch.System{}, failed: map[string]*failedEndpoint{}, runners: map[string]runner.Runner{},
	}
}

// failedEndpoint is an endpoint that could not be opened.
type failedEndpoint struct {
	err   error
	again time.Time // not tried before
	pause time.Duration
}

// maxOpenPause is between two tries to open an endpoint.
const maxOpenPause = time.Minute

// For gives the adaptor of a configuration's endpoint. One that cannot be opened is
// tried ever more seldom, for what is wrong with the configuration of ssh may be mended.
func (s *systems) For(cfg *resource.Config) (adaptor.Adaptor, error) {
	if cfg.System() == "fork" {
		return s.fork, nil
	}
	e, err := s.options.Systems.Names().ParseEndpoint(cfg.JobManagerEndpoint)
	code := pilot.Unsupported
	if err == nil {
		if err = e.Supported(s.options.Systems.Names()); pilot.CodeOf(err) == pilot.Invalid {
			code = pilot.Unavailable // the file of its system may be mended
		}
	}
	if err != nil {
		return nil, &pilot.Error{Code: code, Op: "open", Err: err}
	}
	e.Options = nil
	name, now := e.String(), time.Now()
	if known, ok := s.open[name]; ok {
		return known, nil
	}
	was := s.failed[name]
	if was != nil && now.Before(was.again) {
		return nil, was.err
	}
	system, err := s.openSystem(e, cfg.System())
	if err != nil {
		return nil, s.noteOpenFailure(name, was, err, now)
	}
	delete(s.failed, name)
	s.open[name] = system
	return system, nil
}

// noteOpenFailure notes that an endpoint could not be opened, and says so if that is new.
func (s *systems) noteOpenFailure(name string, was *failedEndpoint, err error, now time.Time) error {
	c := &failedEndpoint{err: err, pause: time.Second}
	if was != nil {
		c.pause = min(2*was.pause, maxOpenPause)
	}
	c.again = now.Add(c.pause)
	s.failed[name] = c
	if was == nil || was.err.Error() != err.Error() {
		s.options.Logger.Error("no way to a batch system", zap.String("endpoint", name), zap.Error(err))
	}
	return err
}

func (s *systems) openSystem(e resource.Endpoint, name string) (*batch.System, error) {
	dialect, ok := s.options.Systems.LookupDialect(name)
	if !ok {
		return nil, pilot.Errorf(pilot.Unsupported, "no dialect for %s", name)
	}
	r, err := s.openRunner(e)
	if err != nil {
		return nil, err
	}
	a := &stagedAgent{
		runner: r, argv: s.options.Agent, dir: s.options.AgentDir, bus: s.options.Bus, remote: e.Transport != "", label: s.options.Resource,
		begun: time.Now(), removedAt: map[string]time.Time{},
	}
	client, err := batch.NewClient(batch.ClientConfig{Dialect: dialect, Runner: r, OnCommand: s.options.Ops.CallObserver().ForSystem(name)})
	if err != nil {
		return nil, err
	}
	log := s.options.Logger.Named(name)
	shared, err := s.newPoller(e, client, log)
	if err != nil {
		return nil, err
	}
	return batch.New(batch.Config{
		Client: client, Scripts: s.options.Systems.Scripts(), URL: e.String(), Agent: a.stageCommand, RetainAgents: a.touchAgents,
		SharedLister: shared, Logger: log,
	})
}

// newPoller returns the listings that all launchers of the fleet have in common; client asks
// for them where this launcher is the one that does.
func (s *systems) newPoller(e resource.Endpoint, client *batch.Client, log *zap.Logger) (batch.Lister, error) {
	var environ []string
	if e.Transport == "" {
		environ = os.Environ() // elsewhere it is that of a login, the same for all
	}
	site, _, _ := strings.Cut(s.options.Resource, ".")
	p, err := polling.New(polling.Config{
		Endpoint: site + "." + polling.EndpointName(client.Runner.Identity(), client.Dialect.Name, e.String(), environ), LauncherID: s.fleet.me,
		Bus: s.fleet.bus, Leases: s.fleet.leases, Query: client.QueryJobs, Floor: client.MinPollInterval(), Logger: log,
	})
	if err != nil {
		return nil, err
	}
	s.pollers = append(s.pollers, p)
	return p, nil
}

func (s *systems) openRunner(e resource.Endpoint) (runner.Runner, error) {
	if e.Transport == "" {
		e = resource.Endpoint{}
	}
	place := e.Transport + "://" + e.User + "@" + e.Host + ":" + strconv.Itoa(e.Port)
	if known, ok := s.runners[place]; ok {
		return known, nil
	}
	var r runner.Runner = runner.NewLocal()
	if e.Transport != "" {
		var err error
		r, err = runner.NewSSH(runner.SSHConfig{Config: sshconn.Config{
			Host: e.Host, User: e.User, Port: e.Port, Logger: s.options.Logger.Named("ssh"),
		}})
		if err != nil {
			return nil, err
		}
	}
	s.runners[place] = r
	return r, nil
}

// Close lets go of connections.
func (s *systems) Close() {
	for _, p := range s.pollers {
		p.Close()
	}
	for _, r := range s.runners {
		_ = r.Close() // what was begun is over
	}
}
