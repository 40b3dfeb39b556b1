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

	"github.com/flightlog/flightlog/bus"
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
	set.StringVar(&f.bus.URL, "url", f.bus.URL, "NATS servers, comma-separated (NATS_URL; default "+bus.DefaultURL+")")
	set.StringVar(&f.bus.Context, "context", f.bus.Context, "context of the nats command line (NATS_CONTEXT)")
	set.StringVar(&f.bus.Creds, "creds", f.bus.Creds, "credentials `file` (NATS_CREDS)")
	set.StringVar(&f.bus.NKey, "nkey", f.bus.NKey, "nkey seed `file` (NATS_NKEY)")
	set.StringVar(&f.bus.User, "user", f.bus.User, "user; the password comes from NATS_PASSWORD (NATS_USER)")
	set.StringVar(&f.bus.Cert, "tlscert", f.bus.Cert, "client certificate `file` (NATS_CERT)")
	set.StringVar(&f.bus.Key, "tlskey", f.bus.Key, "client key `file` (NATS_KEY)")
	set.StringVar(&f.bus.CA, "tlsca", f.bus.CA, "certificates servers are checked against (NATS_CA)")
	set.BoolVar(&f.ensure, "ensure", true, "create the log if it is missing, and check it if not")
	set.IntVar(&f.stream.Replicas, "replicas", 0, "replicas of a new log; 0: 1, or what an existing one has")
	set.StringVar(&f.name, "name", host, "name of this replica, seen where it acts by itself")
	set.StringVar(&f.level, "log-level", "info", "debug, info, warn or error")
	return c
}

func (f *flags) run(ctx context.Context) error {
	level, err := zap.ParseAtomicLevel(f.level)
	if err != nil {
		return err
	}
	cfg := zap.NewProductionConfig()
	cfg.Level = level
	logger, err := cfg.Build()
	if err != nil {
		return err
	}
	defer logger.Sync() //nolint:errcheck // stderr may be a terminal, which has nothing to sync
	f.bus.Name, f.bus.Logger = "flightlog manager "+f.name, logger
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
	return service.Manager(ctx, conn, service.ManagerOptions{
		Name: f.name, Logger: logger, Ready: func() { logger.Info("ready") },
	})
}
