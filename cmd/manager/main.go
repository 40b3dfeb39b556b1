// Command manager is one replica of the manager, for many machines; on a
// single one 'flightlog up' holds it.
package main

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/bus/owner"
	"github.com/flightlog/flightlog/service"
	"github.com/flightlog/flightlog/service/config"
	"github.com/flightlog/flightlog/service/ops"
	"github.com/flightlog/flightlog/service/room"
)

// findBus is how long the bus is looked for before the command gives up.
const findBus = 30 * time.Second

func main() { os.Exit(service.Main(command())) }

// flags are what the command line says.
type flags struct {
	bus    bus.Config
	stream bus.StreamConfig
	ensure bool
	name   string
	log    service.LogConfig
	config string
	panel  ops.Config
	page   service.PageFlags
	keeps  room.Reserve

	radical bool
}

func command() *cobra.Command {
	f := flags{bus: bus.ConfigFromEnv(os.Getenv)}
	c := &cobra.Command{
		Use:   "flightlog-manager",
		Short: "Run one replica of the manager until SIGTERM",
		Long:  "flightlog-manager answers pilots.api requests from the log on NATS. Start as many as you like.",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	host, _ := os.Hostname() // without a name it is called manager
	set := c.Flags()
	service.BusFlags(set, &f.bus)
	set.BoolVar(&f.ensure, "ensure", true, "create the log if it is missing, and check it if not")
	set.IntVar(&f.stream.Replicas, "replicas", 0, "replicas of a new log; 0: 1, or what an existing one has")
	set.StringVar(&f.name, "name", host, "name of this replica, seen where it acts by itself")
	set.BoolVar(&f.radical, "radical-configs", false, "read resources of ~/.radical/pilot/configs too")
	f.panel.Flags(set)
	f.page.Flags(set)
	f.keeps.Flag(set)
	f.log.Flags(set)
	config.Flag(set, &f.config)
	f.bus.Complete = owner.Complete(os.Getenv, nil)
	return c
}

func (f *flags) run(c *cobra.Command) error {
	ctx := c.Context()
	settings, err := config.Load(config.Source{File: f.config, Getenv: os.Getenv})
	if err != nil {
		return err
	}
	if err := settings.Apply(config.Manager, c.Flags()); err != nil {
		return err
	}
	logger, err := service.ServingLogger(f.log, term.IsTerminal(int(os.Stderr.Fd())))
	if err != nil {
		return err
	}
	defer logger.Sync() //nolint:errcheck // it gives nil
	return service.Leave(ctx, logger, func(l *service.Leaving) error { return f.serve(ctx, logger, l) })
}

// serve answers until ctx ends.
func (f *flags) serve(ctx context.Context, logger *zap.Logger, l *service.Leaving) error {
	known, faults, err := service.Known(os.Getenv, f.radical, logger)
	if err != nil {
		return err
	}
	f.panel.Faults = faults
	panel, err := f.openPanel(ctx, logger)
	if err != nil {
		return err
	}
	defer panel.Close()
	page, err := f.page.Options(panel, os.Getenv)
	if err != nil {
		return err
	}
	page.Logger = logger.Named("page")
	f.bus.Name, f.bus.Actor, f.bus.Logger = "flightlog manager "+f.name, "live page", logger
	find, stop := context.WithTimeout(ctx, findBus)
	defer stop()
	conn, err := bus.Connect(find, f.bus)
	if err != nil {
		return err
	}
	defer l.Holds("connection to the bus", nil)()
	defer conn.Close()
	if err := f.prepare(find, conn); err != nil {
		return err
	}
	live, err := service.OpenPage(conn, page)
	if err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error {
		return service.Manager(ctx, conn, service.ManagerOptions{
			Name: f.name, Resources: known, Logger: logger, Ready: func() { logger.Info("ready") },
			Panel: panel, Leaving: l, Reserve: f.keeps,
		})
	})
	if live != nil {
		logger.Info("live page", zap.String("url", page.URL()))
		all.Go(func() error { return live.Run(ctx) })
	}
	return all.Wait()
}

// openPanel serves health and metrics of this replica, where they are asked for.
func (f *flags) openPanel(ctx context.Context, logger *zap.Logger) (*ops.Panel, error) {
	f.panel.Program, f.panel.Parts = "manager", []ops.Name{{Part: ops.PartManager}}
	f.panel.Logger, f.panel.Dropped = logger, service.Stderr().Dropped
	return ops.Open(ctx, f.panel)
}

// prepare makes what is missing on the bus. Launchers may not make their leases
// where access is controlled.
func (f *flags) prepare(ctx context.Context, conn *bus.Conn) error {
	if !f.ensure {
		return nil
	}
	if err := conn.Ensure(ctx, f.stream); err != nil {
		return err
	}
	return service.EnsureLeases(ctx, conn, f.stream.Replicas)
}
