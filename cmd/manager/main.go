// Command manager is one replica of the manager, for many machines; on a
// single one 'flightlog up' holds it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/resource"
	"github.com/flightlog/flightlog/service"
)

// findBus is how long the bus is looked for before the command gives up.
const findBus = 30 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

// flags are what the command line says.
type flags struct {
	bus    bus.Config
	stream bus.StreamConfig
	ensure bool
	name   string
	level  string

	radical bool
	page    service.PageFlags
}

func command() *cobra.Command {
	f := flags{bus: bus.ConfigFromEnv(os.Getenv)}
	c := &cobra.Command{
		Use:           "manager",
		Short:         "Run one replica of the manager until SIGTERM",
		Long:          "manager answers pilots.api requests from the log on NATS. Start as many as you like.",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(c *cobra.Command, _ []string) error { return f.run(c.Context()) },
	}
	host, _ := os.Hostname() // without a name it is called manager
	set := c.Flags()
	service.BusFlags(set, &f.bus)
	set.BoolVar(&f.ensure, "ensure", true, "create the log if it is missing, and check it if not")
	set.IntVar(&f.stream.Replicas, "replicas", 0, "replicas of a new log; 0: 1, or what an existing one has")
	set.StringVar(&f.name, "name", host, "name of this replica, seen where it acts by itself")
	set.BoolVar(&f.radical, "radical-configs", false, "read resources of ~/.radical/pilot/configs too")
	f.page.Register(set)
	set.StringVar(&f.level, "log-level", "info", "debug, info, warn or error")
	return c
}

func (f *flags) run(ctx context.Context) error {
	logger, err := service.Logger(f.level, term.IsTerminal(int(os.Stderr.Fd())))
	if err != nil {
		return err
	}
	known, notices, err := service.Resources(service.ResourceDirs(os.Getenv, f.radical))
	if err != nil {
		return err
	}
	for _, n := range notices {
		logger.Warn("odd resource", zap.String("notice", n))
	}
	f.bus.Name, f.bus.Actor, f.bus.Logger = "flightlog manager "+f.name, "live page", logger
	find, stop := context.WithTimeout(ctx, findBus)
	defer stop()
	conn, err := bus.Connect(find, f.bus)
	if err != nil {
		return err
	}
	defer conn.Close()
	if f.ensure {
		if err := conn.Ensure(find, f.stream); err != nil {
			return err
		}
	}
	return f.parts(ctx, conn, known, logger)
}

// parts runs the replica and the live page.
func (f *flags) parts(ctx context.Context, conn *bus.Conn, known *resource.Catalogue, logger *zap.Logger) error {
	all, ctx := errgroup.WithContext(ctx)
	if f.page.Wanted() {
		page, err := f.page.Options(os.Getenv)
		if err != nil {
			return err
		}
		page.Logger = logger.Named("page")
		page.Ready = func(url string) { logger.Info("live page", zap.String("url", url)) }
		all.Go(func() error { return service.Page(ctx, conn, page) })
	}
	all.Go(func() error {
		return service.Manager(ctx, conn, service.ManagerOptions{
			Name: f.name, Resources: known, Logger: logger, Ready: func() { logger.Info("ready") },
		})
	})
	return all.Wait()
}
