package app

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/term"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/config"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/internal/owner"
)

// launcherFlags are the flags of flightlog-launcher.
type launcherFlags struct {
	process ProcessOptions
	config  string
	bus     bus.Config
	agent   string     // binary; empty: flightlog-agent beside this one
	agents  bus.Config // credentials of agents
	opts    LauncherOptions
}

// NewLauncherCommand returns the command flightlog-launcher, to be run by
// RunCommand: it launches the pilots of one resource until its context ends.
func NewLauncherCommand() *cobra.Command {
	f := launcherFlags{bus: bus.ConfigFromEnv(os.Getenv)}
	c := &cobra.Command{
		Use:   "flightlog-launcher",
		Short: "Launch the pilots of a resource until SIGTERM",
		Long: "flightlog-launcher takes submitted pilots from NATS, launches them, and looks after them. Start as many\n" +
			"as you like for a resource. One that stops leaves its pilots running; when it starts again,\n" +
			"or when its lease has run out and another one is there, they are looked after again.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := LoadSettings(config.Launcher, f.config, os.Getenv, c.Flags()); err != nil {
				return err
			}
			return f.run(c.Context())
		},
	}
	set := c.Flags()
	BusFlags(set, &f.bus)
	set.StringVar(&f.opts.Resource, "resource", "local.localhost", "resource it serves")
	set.StringVar(&f.opts.State, "state", StateDir(os.Getenv), "`directory` for what it keeps on this host")
	set.StringVar(&f.opts.Sandboxes, "sandboxes", "", "`directory` of sandboxes (default <state>/sandbox)")
	set.StringVar(&f.agent, "agent", "", "the agent's `binary` (default: flightlog-agent beside this one)")
	set.StringVar(&f.opts.AgentDir, "agent-dir", "", "`directory` in which agents are kept for jobs, where the resource names none (default "+DefaultAgentDir+")")
	AgentFlags(set, &f.agents)
	set.IntVar(&f.opts.Spare, "spare", 0, "agents kept warm; 0: 2, negative: none")
	set.IntVar(&f.opts.Replicas, "replicas", 0, "replicas of the leases, if they are new; 0: 1")
	set.BoolVar(&f.process.RadicalConfigs, "radical-configs", false, "read resources of ~/.radical/pilot/configs too")
	f.process.Ops.AddFlags(set)
	f.process.Log.AddFlags(set)
	config.AddFlag(set, &f.config)
	return c
}

// run runs the launcher until ctx ends.
func (f *launcherFlags) run(ctx context.Context) error {
	f.process.Getenv, f.process.Terminal = os.Getenv, term.IsTerminal(int(os.Stderr.Fd()))
	f.process.Ops.Program, f.process.Ops.Components = "launcher", []ops.ComponentName{{Kind: ops.ComponentLauncher, Resource: f.opts.Resource}}
	return RunProcess(ctx, f.process, f.serve)
}

// serve connects and launches.
func (f *launcherFlags) serve(ctx context.Context, p *Process) (err error) {
	if f.opts.Policy, err = PolicyOf(p.Inventory.Resources, f.opts.Resource); err != nil {
		return err
	}
	if f.agent == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		f.agent = filepath.Join(filepath.Dir(self), "flightlog-agent")
	}
	if err := f.bus.CheckAgentCredentials(&f.agents); err != nil {
		return err
	}
	f.bus.Name, f.bus.Complete = "flightlog launcher", owner.ConfigCompleter(os.Getenv, &f.agents)
	findCtx, stop := context.WithTimeout(ctx, findBusTimeout)
	defer stop()
	if err := p.connect(findCtx, f.bus); err != nil {
		return err
	}
	f.opts.Agent, f.opts.Logger, f.opts.Shutdown, f.opts.Ops = []string{f.agent}, p.Logger, p.Shutdown, p.Ops
	f.opts.Systems = p.Inventory.Systems
	f.opts.Ready = func() { p.Logger.Info("ready", zap.String("resource", f.opts.Resource)) }
	f.opts.Bus = AgentBus(&f.bus, &f.agents, p.Conn.Servers())
	return RunLauncher(ctx, p.Conn, f.opts)
}
