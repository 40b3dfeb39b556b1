// Command launcher launches the pilots of one resource and looks after them,
// for many machines; on a single one 'flightlog up' holds it.
package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/term"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/config"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/internal/owner"
)

// findBusTimeout is how long the bus is looked for before the command gives up.
const findBusTimeout = 30 * time.Second

func main() { os.Exit(app.RunCommand(newCommand())) }

// flags are what the command line says.
type flags struct {
	bus    bus.Config
	agent  string
	agents bus.Config // who agents are
	log    app.LogConfig
	panel  ops.Config
	config string
	opts   app.LauncherOptions

	radical bool
}

func newCommand() *cobra.Command {
	f := flags{bus: bus.ConfigFromEnv(os.Getenv)}
	c := &cobra.Command{
		Use:   "flightlog-launcher",
		Short: "Launch the pilots of a resource until SIGTERM",
		Long: "flightlog-launcher takes submitted pilots from NATS, launches them, and looks after them. Start as many\n" +
			"as you like for a resource. One that stops leaves its pilots running; when it starts again,\n" +
			"or when its lease has run out and another one is there, they are looked after again.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.runCommand(c) },
	}
	set := c.Flags()
	app.BusFlags(set, &f.bus)
	set.StringVar(&f.opts.Resource, "resource", "local.localhost", "resource it serves")
	set.StringVar(&f.opts.State, "state", app.StateDir(os.Getenv), "`directory` for what it keeps on this host")
	set.StringVar(&f.opts.Sandboxes, "sandboxes", "", "`directory` of sandboxes (default <state>/sandbox)")
	set.StringVar(&f.agent, "agent", "", "the agent's `binary` (default: flightlog-agent beside this one)")
	set.StringVar(&f.opts.AgentDir, "agent-dir", "", "`directory` in which agents are kept for jobs, where the resource names none (default "+app.DefaultAgentDir+")")
	app.AgentFlags(set, &f.agents)
	set.IntVar(&f.opts.Spare, "spare", 0, "agents kept warm; 0: 2, negative: none")
	set.IntVar(&f.opts.Replicas, "replicas", 0, "replicas of the leases, if they are new; 0: 1")
	set.BoolVar(&f.radical, "radical-configs", false, "read resources of ~/.radical/pilot/configs too")
	f.panel.AddFlags(set)
	f.log.AddFlags(set)
	config.AddFlag(set, &f.config)
	return c
}

func (f *flags) runCommand(c *cobra.Command) error {
	ctx := c.Context()
	settings, err := config.Load(config.Source{File: f.config, Getenv: os.Getenv})
	if err != nil {
		return err
	}
	if err := settings.Apply(config.Launcher, c.Flags()); err != nil {
		return err
	}
	logger, err := app.NewServingLogger(f.log, term.IsTerminal(int(os.Stderr.Fd())))
	if err != nil {
		return err
	}
	defer logger.Sync() //nolint:errcheck // it gives nil
	return app.RunUntilDone(ctx, logger, func(l *app.Shutdown) error { return f.serveResource(ctx, logger, l) })
}

// serveResource launches until ctx ends.
func (f *flags) serveResource(ctx context.Context, logger *zap.Logger, l *app.Shutdown) error {
	inventory, err := app.LoadInventory(os.Getenv, f.radical, logger)
	if err != nil {
		return err
	}
	f.panel.Faults, f.opts.Systems = inventory.Faults, inventory.Systems
	if f.opts.Policy, err = app.PolicyOf(inventory.Resources, f.opts.Resource); err != nil {
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
	f.opts.Agent, f.opts.Logger, f.opts.Shutdown = []string{f.agent}, logger, l
	f.opts.Ready = func() { logger.Info("ready", zap.String("resource", f.opts.Resource)) }
	f.panel.Program, f.panel.Components, f.panel.Logger = "launcher", []ops.ComponentName{{Kind: ops.ComponentLauncher, Resource: f.opts.Resource}}, logger
	f.panel.Dropped = app.Stderr().Dropped
	if f.opts.Ops, err = ops.Open(ctx, f.panel); err != nil {
		return err
	}
	defer f.opts.Ops.Close()
	f.bus.Name, f.bus.Logger = "flightlog launcher", logger
	f.bus.Complete = owner.ConfigCompleter(os.Getenv, &f.agents)
	find, stop := context.WithTimeout(ctx, findBusTimeout)
	defer stop()
	conn, err := bus.Connect(find, f.bus)
	if err != nil {
		return err
	}
	defer l.AddPending("connection to the bus", nil)()
	defer conn.Close()
	f.opts.Bus = app.AgentBus(&f.bus, &f.agents, conn.Servers())
	return app.RunLauncher(ctx, conn, f.opts)
}
