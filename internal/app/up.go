package app

import (
	"context"
	"os"
	"path/filepath"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/internal/reserve"
)

// LocalResource is this machine in the built-in catalogue.
const LocalResource = "local.localhost"

// UpOptions say what Up runs.
type UpOptions struct {
	Process   ProcessOptions // its Ops.Program, Ops.Components and NamedLogs are filled in
	Store     string         // directory of the log; required
	Listen    string         // host:port for clients; port 0: any free one; required
	Sync      string         // always, or how long until data is on disk
	Resources []string       // to launch pilots of
	AgentDir  string         // directory in which agents are kept for jobs; empty: DefaultAgentDir
	Page      PageFlags
	Reserve   reserve.Reserve
	Access    UpAccess

	// Ready is called once, when all parts answer, with the address of the bus and a
	// link to the live page; page is empty where there is none.
	Ready func(url, page string) error
	// Warn is told what the user must know where the log is too quiet to say it.
	Warn func(text string) error
}

// Up runs the message bus with its log, a manager, launchers and the live page
// in this process, until ctx ends or one of them fails; pilots keep running. The
// caller must end the process then.
func Up(ctx context.Context, o UpOptions) error {
	o.Process.NamedLogs = true
	o.Process.Ops.Program, o.Process.Ops.Components = "up", o.componentNames()
	return RunProcess(ctx, o.Process, func(ctx context.Context, p *Process) error {
		u := up{Process: p, o: o}
		return u.serve(ctx)
	})
}

// componentNames are the parts that must serve before this process is ready.
func (o *UpOptions) componentNames() []ops.ComponentName {
	names := []ops.ComponentName{{Kind: ops.ComponentManager}}
	for _, label := range o.Resources {
		names = append(names, ops.ComponentName{Kind: ops.ComponentLauncher, Resource: label})
	}
	return names
}

// up is one run of Up.
type up struct {
	*Process
	o      UpOptions
	access upAccess
	page   PageOptions
	server *embedded.Server
	users  map[string]busUsers // by resource
}

// serve runs everything until ctx ends.
func (u *up) serve(ctx context.Context) (err error) {
	if u.o.Store, err = filepath.Abs(u.o.Store); err != nil {
		return err
	}
	if u.page, err = u.o.Page.ReadOptions(u.Ops, u.o.Process.Getenv); err != nil {
		return err
	}
	u.page.Logger = u.Logger.Named("page")
	u.access.UpAccess = u.o.Access
	if err := u.access.openKeys(u.o.Store, u.Logger, u.o.Warn); err != nil {
		return err
	}
	u.access.guardPage(&u.page)
	if err := u.openStore(ctx); err != nil {
		return err
	}
	if u.users, err = u.access.usersByResource(u.server, u.o.Resources); err != nil {
		return err
	}
	err = u.runComponents(ctx)
	if ctx.Err() != nil {
		u.Logger.Info("stopped; pilots keep running")
	}
	return err
}

// openStore starts the bus over the store, and connects to it.
func (u *up) openStore(ctx context.Context) (err error) {
	announced := announcement{getenv: u.o.Process.Getenv, log: u.Logger, service: u.access.ownerService(u.o.Store, &u.page)}
	u.server, err = embedded.Start(ctx, embedded.Config{
		Store: u.o.Store, Listen: u.o.Listen, Sync: u.o.Sync, Logger: u.loggerOf("bus"),
		Auth: u.access.Auth, Keys: u.access.admittedKeys(), TLS: u.access.TLS, Listening: announced.announceAt,
	})
	if err != nil {
		return err
	}
	u.onClose(u.Shutdown.AddPending("bus with its store", nil))
	u.onClose(u.server.Shutdown)
	u.onClose(u.access.reloadOnHangup(u.server, u.Logger))
	u.onClose(announced.withdraw)
	if err := u.connect(ctx, bus.Config{InProcess: u.server, Name: "flightlog up", Actor: "live page", Owner: u.access.soleUser()}); err != nil {
		return err
	}
	if err := ensureStore(ctx, u.Conn, bus.StreamConfig{}); err != nil {
		return err
	}
	u.Logger.Info("store open", zap.String("store", u.o.Store), zap.String("sync", u.o.Sync))
	return nil
}

// runComponents runs the manager, the launchers and the live page until ctx ends or one
// of them fails.
func (u *up) runComponents(ctx context.Context) error {
	agents, err := agentCommandLine()
	if err != nil {
		return err
	}
	page, err := OpenPage(u.Conn, u.page)
	if err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	ready := make(chan struct{}, 1+len(u.o.Resources)) // each part sends once
	all.Go(func() error {
		return RunManager(ctx, u.Conn, ManagerOptions{
			Resources: u.Inventory.Resources, Systems: u.Inventory.Systems, Logger: u.loggerOf("manager"), Ready: func() { ready <- struct{}{} },
			Ops: u.Ops, Shutdown: u.Shutdown, Reserve: u.o.Reserve,
		})
	})
	for _, label := range u.o.Resources {
		all.Go(func() error { return u.runLauncher(ctx, label, agents, func() { ready <- struct{}{} }) })
	}
	link := ""
	if page != nil {
		link = u.page.Link()
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
		return u.o.Ready(u.server.URL(), link)
	})
	return all.Wait()
}

// runLauncher runs the launcher of a resource, over a connection of its own if it is a user.
func (u *up) runLauncher(ctx context.Context, label string, agents []string, ready func()) error {
	policy, err := PolicyOf(u.Inventory.Resources, label)
	if err != nil {
		u.Logger.Error("no launcher for this resource until its file is mended", zap.String("resource", label), zap.Error(err))
		ready()
		return nil
	}
	conn, as := u.Conn, u.users[label]
	if as.launcher != nil {
		as.launcher.Name, as.launcher.Logger = "flightlog up", u.loggerOf("bus")
		if conn, err = bus.Connect(ctx, *as.launcher); err != nil {
			return err
		}
		defer conn.Close()
	}
	spare := 0
	if label != LocalResource {
		spare = -1 // its jobs start their agents
	}
	return RunLauncher(ctx, conn, LauncherOptions{
		Resource: label, Systems: u.Inventory.Systems, State: u.o.Store, Agent: agents, AgentDir: u.o.AgentDir, Bus: as.agent, Spare: spare, Policy: policy,
		Logger: u.loggerOf("launcher"), Ready: ready, Ops: u.Ops, Shutdown: u.Shutdown,
	})
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
