package app

import (
	"context"
	"os"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/config"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/internal/reserve"
)

// managerFlags are the flags of flightlog-manager.
type managerFlags struct {
	process ProcessOptions
	config  string
	bus     bus.Config
	stream  bus.StreamConfig
	ensure  bool
	name    string
	page    PageFlags
	reserve reserve.Reserve
}

// NewManagerCommand returns the command flightlog-manager, to be run by
// RunCommand: it runs one replica of the manager until its context ends.
func NewManagerCommand() *cobra.Command {
	f := managerFlags{bus: bus.ConfigFromEnv(os.Getenv)}
	c := &cobra.Command{
		Use:   "flightlog-manager",
		Short: "Run one replica of the manager until SIGTERM",
		Long:  "flightlog-manager answers pilots.api requests from the log on NATS. Start as many as you like.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := LoadSettings(config.Manager, f.config, os.Getenv, c.Flags()); err != nil {
				return err
			}
			return f.run(c.Context())
		},
	}
	host, _ := os.Hostname() // without a name it is called manager
	set := c.Flags()
	BusFlags(set, &f.bus)
	set.BoolVar(&f.ensure, "ensure", true, "create the log if it is missing, and check it if not")
	set.IntVar(&f.stream.Replicas, "replicas", 0, "replicas of a new log; 0: 1, or what an existing one has")
	set.StringVar(&f.name, "name", host, "name of this replica, seen where it acts by itself")
	set.BoolVar(&f.process.RadicalConfigs, "radical-configs", false, "read resources of ~/.radical/pilot/configs too")
	f.process.Ops.AddFlags(set)
	f.page.AddFlags(set)
	f.reserve.AddFlag(set)
	f.process.Log.AddFlags(set)
	config.AddFlag(set, &f.config)
	f.bus.Complete = owner.ConfigCompleter(os.Getenv, nil)
	return c
}

// run runs the replica until ctx ends.
func (f *managerFlags) run(ctx context.Context) error {
	f.process.Getenv, f.process.Terminal = os.Getenv, term.IsTerminal(int(os.Stderr.Fd()))
	f.process.Ops.Program, f.process.Ops.Components = "manager", []ops.ComponentName{{Kind: ops.ComponentManager}}
	return RunProcess(ctx, f.process, f.serve)
}

// serve connects, makes what is missing on the bus, and serves requests and the live page.
func (f *managerFlags) serve(ctx context.Context, p *Process) error {
	page, err := f.page.ReadOptions(p.Ops, os.Getenv)
	if err != nil {
		return err
	}
	page.Logger = p.Logger.Named("page")
	f.bus.Name, f.bus.Actor = "flightlog manager "+f.name, "live page"
	findCtx, stop := context.WithTimeout(ctx, findBusTimeout)
	defer stop()
	if err := p.connect(findCtx, f.bus); err != nil {
		return err
	}
	if f.ensure {
		if err := ensureStore(findCtx, p.Conn, f.stream); err != nil {
			return err
		}
	}
	live, err := OpenPage(p.Conn, page)
	if err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error {
		return RunManager(ctx, p.Conn, ManagerOptions{
			Name: f.name, Resources: p.Inventory.Resources, Systems: p.Inventory.Systems, Logger: p.Logger, Ready: func() { p.Logger.Info("ready") },
			Ops: p.Ops, Shutdown: p.Shutdown, Reserve: f.reserve,
		})
	})
	if live != nil {
		p.Logger.Info("live page", zap.String("url", page.URL()))
		all.Go(func() error { return live.Run(ctx) })
	}
	return all.Wait()
}

// ensureStore makes the log and the leases if they are missing. Launchers may not make
// their leases where access is controlled.
func ensureStore(ctx context.Context, conn *bus.Conn, stream bus.StreamConfig) error {
	if err := conn.EnsureStream(ctx, stream); err != nil {
		return err
	}
	return EnsureLeases(ctx, conn, stream.Replicas)
}
