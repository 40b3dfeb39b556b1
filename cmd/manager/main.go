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
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/config"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/internal/reserve"
)

// findBusTimeout is how long the bus is looked for before the command gives up.
const findBusTimeout = 30 * time.Second

func main() { os.Exit(app.RunCommand(newCommand())) }

// flags are what the command line says.
type flags struct {
	bus       bus.Config
	stream    bus.StreamConfig
	ensure    bool
	name      string
	log       app.LogConfig
	config    string
	opsConfig ops.Config
	page      app.PageFlags
	reserve   reserve.Reserve

	radical bool
}

func newCommand() *cobra.Command {
	f := flags{bus: bus.ConfigFromEnv(os.Getenv)}
	c := &cobra.Command{
		Use:   "flightlog-manager",
		Short: "Run one replica of the manager until SIGTERM",
		Long:  "flightlog-manager answers pilots.api requests from the log on NATS. Start as many as you like.",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return f.loadAndServe(c) },
	}
	host, _ := os.Hostname() // without a name it is called manager
	set := c.Flags()
	app.BusFlags(set, &f.bus)
	set.BoolVar(&f.ensure, "ensure", true, "create the log if it is missing, and check it if not")
	set.IntVar(&f.stream.Replicas, "replicas", 0, "replicas of a new log; 0: 1, or what an existing one has")
	set.StringVar(&f.name, "name", host, "name of this replica, seen where it acts by itself")
	set.BoolVar(&f.radical, "radical-configs", false, "read resources of ~/.radical/pilot/configs too")
	f.opsConfig.AddFlags(set)
	f.page.AddFlags(set)
	f.reserve.AddFlag(set)
	f.log.AddFlags(set)
	config.AddFlag(set, &f.config)
	f.bus.Complete = owner.ConfigCompleter(os.Getenv, nil)
	return c
}

func (f *flags) loadAndServe(c *cobra.Command) error {
	ctx := c.Context()
	settings, err := config.Load(config.Source{File: f.config, Getenv: os.Getenv})
	if err != nil {
		return err
	}
	if err := settings.Apply(config.Manager, c.Flags()); err != nil {
		return err
	}
	logger, err := app.NewServingLogger(f.log, term.IsTerminal(int(os.Stderr.Fd())))
	if err != nil {
		return err
	}
	defer logger.Sync() //nolint:errcheck // it gives nil
	return app.RunUntilDone(ctx, logger, func(shutdown *app.Shutdown) error { return f.serveReplica(ctx, logger, shutdown) })
}

// serveReplica answers until ctx ends.
func (f *flags) serveReplica(ctx context.Context, logger *zap.Logger, shutdown *app.Shutdown) error {
	inventory, err := app.LoadInventory(os.Getenv, f.radical, logger)
	if err != nil {
		return err
	}
	f.opsConfig.Faults = inventory.Faults
	opsServer, err := f.openOpsServer(ctx, logger)
	if err != nil {
		return err
	}
	defer opsServer.Close()
	page, err := f.page.ReadOptions(opsServer, os.Getenv)
	if err != nil {
		return err
	}
	page.Logger = logger.Named("page")
	f.bus.Name, f.bus.Actor, f.bus.Logger = "flightlog manager "+f.name, "live page", logger
	findCtx, stop := context.WithTimeout(ctx, findBusTimeout)
	defer stop()
	conn, err := bus.Connect(findCtx, f.bus)
	if err != nil {
		return err
	}
	defer shutdown.AddPending("connection to the bus", nil)()
	defer conn.Close()
	if err := f.ensureStore(findCtx, conn); err != nil {
		return err
	}
	live, err := app.OpenPage(conn, page)
	if err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error {
		return app.RunManager(ctx, conn, app.ManagerOptions{
			Name: f.name, Resources: inventory.Resources, Systems: inventory.Systems, Logger: logger, Ready: func() { logger.Info("ready") },
			Ops: opsServer, Shutdown: shutdown, Reserve: f.reserve,
		})
	})
	if live != nil {
		logger.Info("live page", zap.String("url", page.URL()))
		all.Go(func() error { return live.Run(ctx) })
	}
	return all.Wait()
}

// openOpsServer serves health and metrics of this replica, where they are asked for.
func (f *flags) openOpsServer(ctx context.Context, logger *zap.Logger) (*ops.Server, error) {
	f.opsConfig.Program, f.opsConfig.Components = "manager", []ops.ComponentName{{Kind: ops.ComponentManager}}
	f.opsConfig.Logger, f.opsConfig.Dropped = logger, app.Stderr().Dropped
	return ops.Open(ctx, f.opsConfig)
}

// ensureStore makes what is missing on the bus. Launchers may not make their leases
// where access is controlled.
func (f *flags) ensureStore(ctx context.Context, conn *bus.Conn) error {
	if !f.ensure {
		return nil
	}
	if err := conn.EnsureStream(ctx, f.stream); err != nil {
		return err
	}
	return app.EnsureLeases(ctx, conn, f.stream.Replicas)
}
