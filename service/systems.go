package service

import (
	"context"
	"maps"
	"os"
	"path"
	"strings"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/adaptor/batch"
	"github.com/flightlog/flightlog/adaptor/fork"
	"github.com/flightlog/flightlog/adaptor/runner"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource"
)

// systems are the batch systems of a launcher, opened when a pilot first needs
// one: this machine, and one for each endpoint. It is a launcher.Systems.
type systems struct {
	fork    *fork.System
	options *LauncherOptions
	open    map[string]*batch.System // by endpoint
	runners map[string]runner.Runner // by transport and place
}

func newSystems(f *fork.System, o *LauncherOptions) *systems {
	return &systems{fork: f, options: o, open: map[string]*batch.System{}, runners: map[string]runner.Runner{}}
}

// For gives the adaptor of a configuration's endpoint; nil: there is no way to it.
func (s *systems) For(cfg *resource.Config) adaptor.Adaptor {
	if cfg.System() == "fork" {
		return s.fork
	}
	e, err := cfg.Endpoint()
	if err != nil || e.Supported() != nil {
		return nil
	}
	e.Options = nil
	if known, ok := s.open[e.String()]; ok {
		return known
	}
	system, err := s.make(e, cfg.System())
	if err != nil {
		s.options.Logger.Error("no way to a batch system", zap.String("endpoint", e.String()), zap.Error(err))
		return nil
	}
	s.open[e.String()] = system
	return system
}

func (s *systems) make(e resource.Endpoint, name string) (*batch.System, error) {
	dialect, ok := batch.Named(name)
	if !ok {
		return nil, pilot.Errorf(pilot.Unsupported, "no dialect for %s", name)
	}
	r, err := s.runner(e)
	if err != nil {
		return nil, err
	}
	a := &agentAt{runner: r, argv: s.options.Agent, bus: s.options.Bus, remote: e.Transport != ""}
	return batch.New(batch.Config{
		Dialect: dialect, Runner: r, URL: e.String(), Agent: a.command, Logger: s.options.Logger.Named(name),
	})
}

func (s *systems) runner(e resource.Endpoint) (runner.Runner, error) {
	if e.Transport == "" {
		e = resource.Endpoint{}
	}
	place := e.Transport + "://" + e.User + "@" + e.Host
	if known, ok := s.runners[place]; ok {
		return known, nil
	}
	var r runner.Runner = runner.NewLocal()
	if e.Transport != "" {
		var err error
		r, err = runner.NewSSH(runner.SSHConfig{Host: e.Host, User: e.User, Port: e.Port, Logger: s.options.Logger.Named("ssh")})
		if err != nil {
			return nil, err
		}
	}
	s.runners[place] = r
	return r, nil
}

// Close lets go of connections.
func (s *systems) Close() {
	for _, r := range s.runners {
		_ = r.Close() // what was begun is over
	}
}

// agentAt is the agent as jobs at one place start it.
type agentAt struct {
	runner runner.Runner
	argv   []string
	bus    bus.Config
	remote bool
}

// stageDir is where a remote place keeps agents and credentials.
const stageDir = "$HOME/.cache/flightlog"

// command gives the agent's command line and environment. On another machine
// binary and credentials are put first, by their content.
func (a *agentAt) command(ctx context.Context) ([]string, map[string]string, error) {
	env := map[string]string{}
	for _, v := range a.bus.Env() {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	for _, secret := range []string{"NATS_PASSWORD", "NATS_TOKEN"} {
		if env[secret] != "" {
			return nil, nil, pilot.Errorf(pilot.Unsupported, "agents of batch jobs take credentials from files (creds or nkey), not from %s", secret)
		}
	}
	if !a.remote {
		return a.argv, env, nil
	}
	dir, err := a.runner.Expand(ctx, stageDir)
	if err != nil {
		return nil, nil, err
	}
	binary, err := a.runner.Stage(ctx, a.argv[0], dir)
	if err != nil {
		return nil, nil, err
	}
	env, err = a.files(ctx, dir, env)
	return append([]string{binary}, a.argv[1:]...), env, err
}

// files puts the files that an environment names, and names their copies.
func (a *agentAt) files(ctx context.Context, dir string, env map[string]string) (map[string]string, error) {
	out := maps.Clone(env)
	for _, name := range []string{"NATS_CREDS", "NATS_NKEY", "NATS_CERT", "NATS_KEY", "NATS_CA"} {
		if env[name] == "" {
			continue
		}
		content, err := os.ReadFile(env[name])
		if err != nil {
			return nil, err
		}
		file := strings.ToLower(strings.TrimPrefix(name, "NATS_"))
		if err := a.runner.Write(ctx, dir, runner.File{Name: file, Content: content}); err != nil {
			return nil, err
		}
		out[name] = path.Join(dir, file)
	}
	return out, nil
}
