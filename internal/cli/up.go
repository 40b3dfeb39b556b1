package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/config"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/internal/reserve"
	"github.com/flightlog/flightlog/pilot"
)

// upFlags are what the command line of up says.
type upFlags struct {
	store     string
	listen    string
	sync      string
	log       app.LogConfig
	config    string
	opsConfig ops.Config
	page      app.PageFlags
	reserve   reserve.Reserve
	access    accessFlags

	resources []string
	agentDir  string
	radical   bool
}

func (a *commandLine) upCommand() *cobra.Command {
	var u upFlags
	c := &cobra.Command{
		Use: "up", Args: cobra.NoArgs,
		Short: "Run everything in this process: message bus, manager, launcher",
		Long: "Run the message bus with its log in a directory, a manager, and launchers: for this machine,\n" +
			"local.localhost, or for the resources that are named, until SIGTERM or an interrupt. Pilots\n" +
			"keep running when it stops, and are taken up again when it is started with the same store.\n\n" +
			"One line on stdout, 'ready: URL', says that it answers; with --http another one, 'page: URL',\n" +
			"says where the live page is, by a link that signs you in once. The log goes to stderr.\n\n" +
			"Nobody but you is let in. Your other commands find the credentials, which are made at the\n" +
			"first start, by themselves; docs/security.md tells where they are.",
		Example: "  flightlog up\n  flightlog up --http 127.0.0.1:8080\n" +
			"  flightlog up --store /var/lib/flightlog --listen 127.0.0.1:0\n" +
			"  flightlog up --resource local.localhost --resource generic.slurm",
		RunE: func(c *cobra.Command, _ []string) error {
			a.parsed = true
			settings, err := config.Load(config.Source{File: u.config, Getenv: a.getenv})
			if err != nil {
				return err
			}
			if err := settings.Apply(config.Up, c.Flags()); err != nil {
				return err
			}
			return a.runUp(c.Context(), u)
		},
	}
	f := c.Flags()
	f.StringVar(&u.store, "store", "", "`directory` of the log (default "+app.StateDir(a.getenv)+")")
	f.StringVar(&u.listen, "listen", embedded.DefaultListen, "`host:port` for clients; port 0: any free one")
	f.StringVar(&u.sync, "sync", "always", "always: on disk before anything is acknowledged; or how long that may take, e.g. 1s")
	f.StringArrayVar(&u.resources, "resource", []string{localResource}, "`resource` to launch pilots of; may be given again")
	f.StringVar(&u.agentDir, "agent-dir", "",
		"`directory` in which agents are kept for jobs, where the resource names none (default "+app.DefaultAgentDir+")")
	f.BoolVar(&u.radical, "radical-configs", false, "read resources of ~/.radical/pilot/configs too")
	u.opsConfig.AddFlags(f)
	u.page.AddFlags(f)
	u.reserve.AddFlag(f)
	u.access.addFlags(f)
	u.log.AddFlags(f)
	config.AddFlag(f, &u.config)
	return c
}

func (a *commandLine) runUp(ctx context.Context, u upFlags) error {
	if err := u.checkFlags(); err != nil {
		return err
	}
	log, err := a.openLog(u.log)
	if err != nil {
		return err
	}
	defer log.Sync() //nolint:errcheck // it gives nil
	return app.RunUntilDone(ctx, log, func(shutdown *app.Shutdown) error { return a.serveUp(ctx, u, log, shutdown) })
}

// serveUp runs everything until ctx ends.
func (a *commandLine) serveUp(ctx context.Context, u upFlags, log *zap.Logger, shutdown *app.Shutdown) error {
	inventory, err := app.LoadInventory(a.getenv, u.radical, log)
	if err != nil {
		return err
	}
	u.opsConfig.Faults = inventory.Faults
	dir, err := filepath.Abs(firstNonEmpty(u.store, app.StateDir(a.getenv)))
	if err != nil {
		return err
	}
	u.opsConfig.Program, u.opsConfig.Logger, u.opsConfig.Components = "up", log.Named("http"), u.componentNames()
	u.opsConfig.Dropped = app.Stderr().Dropped
	opsServer, err := ops.Open(ctx, u.opsConfig)
	if err != nil {
		return err
	}
	defer opsServer.Close()
	page, err := u.page.ReadOptions(opsServer, a.getenv)
	if err != nil {
		return err
	}
	page.Logger = log.Named("page")
	if err := u.access.openKeys(dir, log, a.stderr); err != nil {
		return err
	}
	u.access.guardPage(&page)
	return a.runStore(ctx, &u, components{
		dir: dir, inventory: inventory, resources: u.resources, agentDir: u.agentDir, log: log, opsServer: opsServer, page: page, shutdown: shutdown, reserve: u.reserve,
	})
}

// runStore starts the bus over the store, and the parts on it.
func (a *commandLine) runStore(ctx context.Context, u *upFlags, p components) error {
	announced := announcement{getenv: a.getenv, log: p.log, service: u.access.ownerService(p.dir, &p.page)}
	server, stop, err := u.startBus(ctx, p.dir, announced.announceAt, p.log)
	if err != nil {
		return err
	}
	defer p.shutdown.AddPending("bus with its store", nil)()
	defer stop()
	defer announced.withdraw()
	conn, err := bus.Connect(ctx, bus.Config{
		InProcess: server, Name: "flightlog up", Actor: "live page", Owner: u.access.soleUser(), Logger: p.log.Named("bus"),
	})
	if err != nil {
		return err
	}
	defer p.shutdown.AddPending("connection to the bus", nil)()
	defer conn.Close()
	if err := ensureStore(ctx, conn); err != nil {
		return err
	}
	p.log.Info("store open", zap.String("store", p.dir), zap.String("sync", u.sync))
	p.url = server.URL()
	if p.users, err = u.access.usersByResource(server, u.resources); err != nil {
		return err
	}
	err = a.runComponents(ctx, conn, p)
	if ctx.Err() != nil {
		p.log.Info("stopped; pilots keep running")
	}
	return err
}

// openLog makes the log of a service, which goes on whoever reads its stderr.
func (a *commandLine) openLog(c app.LogConfig) (*zap.Logger, error) {
	_, isTerminal := terminalWidth(a.stderr)
	log, err := app.NewServingLogger(c, isTerminal)
	if err != nil {
		return nil, usageErrorf("%v", err)
	}
	if a.stderr == os.Stderr {
		a.stderr = app.Stderr()
	}
	return log, nil
}

// startBus starts the bus, which reads its users again when it is told to, until
// stop is called.
func (u *upFlags) startBus(
	ctx context.Context, dir string, listening func(url string), log *zap.Logger,
) (s *embedded.Server, stop func(), err error) {
	s, err = embedded.Start(ctx, embedded.Config{
		Store: dir, Listen: u.listen, Sync: u.sync, Logger: log.Named("bus"),
		Auth: u.access.auth, Keys: u.access.admittedKeys(), TLS: u.access.tls, Listening: listening,
	})
	if err != nil {
		return nil, nil, err
	}
	deaf := u.access.reloadOnHangup(s, log)
	return s, func() { deaf(); s.Shutdown() }, nil
}

// ensureStore makes what only managers may.
func ensureStore(ctx context.Context, conn *bus.Conn) error {
	if err := conn.EnsureStream(ctx, bus.StreamConfig{}); err != nil {
		return err
	}
	return app.EnsureLeases(ctx, conn, 0)
}

// componentNames are those whose readiness is that of this process.
func (u *upFlags) componentNames() []ops.ComponentName {
	names := []ops.ComponentName{{Kind: ops.ComponentManager}}
	for _, label := range u.resources {
		names = append(names, ops.ComponentName{Kind: ops.ComponentLauncher, Resource: label})
	}
	return names
}

// components is what the manager and the launcher of up need to know.
type components struct {
	url, dir  string
	inventory *app.Inventory
	resources []string
	agentDir  string
	users     map[string]busUsers // by resource
	log       *zap.Logger
	opsServer *ops.Server
	page      app.PageOptions
	shutdown  *app.Shutdown
	reserve   reserve.Reserve
}

// runComponents runs the manager, the launcher and the live page until ctx ends or one
// of them fails.
func (a *commandLine) runComponents(ctx context.Context, conn *bus.Conn, p components) error {
	agents, err := agentCommandLine()
	if err != nil {
		return err
	}
	page, err := app.OpenPage(conn, p.page)
	if err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	ready := make(chan struct{}, 1+len(p.resources)) // each says so once
	all.Go(func() error {
		return app.RunManager(ctx, conn, app.ManagerOptions{
			Resources: p.inventory.Resources, Systems: p.inventory.Systems, Logger: p.log.Named("manager"), Ready: func() { ready <- struct{}{} },
			Ops: p.opsServer, Shutdown: p.shutdown, Reserve: p.reserve,
		})
	})
	for _, label := range p.resources {
		all.Go(func() error { return p.runLauncher(ctx, conn, label, agents, func() { ready <- struct{}{} }) })
	}
	out := app.NewLossyWriter(a.stdout) // it serves, whoever hears that
	defer out.Sync()                    //nolint:errcheck // it gives nil
	said := fmt.Sprintf("ready: %s\n", p.url)
	if page != nil {
		said += fmt.Sprintf("page: %s\n", p.page.Link())
		all.Go(func() error { return page.Run(ctx) })
	}
	all.Go(func() error {
		for range cap(ready) {
			select {
			case <-ready:
			case <-ctx.Done():
				return nil
			}
		}
		_, err := fmt.Fprint(out, said)
		return err
	})
	return all.Wait()
}

// runLauncher runs that of a resource, over a connection of its own if it is a user.
func (p *components) runLauncher(ctx context.Context, conn *bus.Conn, label string, agents []string, ready func()) error {
	policy, err := app.PolicyOf(p.inventory.Resources, label)
	if err != nil {
		p.log.Error("no launcher for this resource until its file is mended", zap.String("resource", label), zap.Error(err))
		ready()
		return nil
	}
	as := p.users[label]
	if as.launcher != nil {
		as.launcher.Name, as.launcher.Logger = "flightlog up", p.log.Named("bus")
		own, err := bus.Connect(ctx, *as.launcher)
		if err != nil {
			return err
		}
		defer own.Close()
		conn = own
	}
	spare := 0
	if label != localResource {
		spare = -1 // its jobs start their agents
	}
	return app.RunLauncher(ctx, conn, app.LauncherOptions{
		Resource: label, Systems: p.inventory.Systems, State: p.dir, Agent: agents, AgentDir: p.agentDir, Bus: as.agent, Spare: spare, Policy: policy,
		Logger: p.log.Named("launcher"), Ready: ready, Ops: p.opsServer, Shutdown: p.shutdown,
	})
}

// localResource is this machine in the built-in catalogue.
const localResource = "local.localhost"

// checkFlags refuses what is no address or duration, and what guard does.
func (u *upFlags) checkFlags() error {
	_, port, err := net.SplitHostPort(u.listen)
	if err != nil {
		return usageErrorf("--listen %q is not host:port", u.listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return usageErrorf("--listen %q: a port is a number from 0 to 65535", u.listen)
	}
	if err := u.access.checkFlags(u.listen); err != nil {
		return err
	}
	if err := app.CheckAgentDir(u.agentDir); err != nil {
		return usageErrorf("--agent-dir: %v", err)
	}
	if every, err := time.ParseDuration(u.sync); u.sync != "always" && (err != nil || every <= 0) {
		return usageErrorf("--sync takes always or a duration such as 1s, not %q", u.sync)
	}
	for _, label := range u.resources {
		if !pilot.ValidResourceName(label) {
			return usageErrorf("--resource %q is not <site>.<host>; for more than one, give it again", label)
		}
	}
	return nil
}

// agentCommandLine is how launchers start agents: the agent beside this binary, or
// this binary as one.
func agentCommandLine() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	beside := filepath.Join(filepath.Dir(self), "flightlog-agent")
	if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
		return []string{beside}, nil
	}
	return []string{self, "agent"}, nil
}
