package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/adaptor/fork"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/internal/resource"
)

// LauncherOptions are the wishes for a launcher.
type LauncherOptions struct {
	Resource  string          // that it serves; required
	Systems   *batch.Systems  // that it can launch on; nil: those of this build
	State     string          // directory it keeps its name in, on this host; required
	Sandboxes string          // directory of the sandboxes that have no other; empty: <State>/sandbox
	Agent     []string        // command line of the agent; required
	AgentDir  string          // directory in which agents are kept for jobs, where the resource names none; empty: DefaultAgentDir
	Bus       bus.Config      // how agents reach the bus, as themselves: see AgentBus
	Policy    resource.Policy // what this host's owner lets pilots do
	Spare     int             // agents kept warm; 0: 2, negative: none
	Replicas  int             // of the leases, if this is the first launcher; 0: 1
	Logger    *zap.Logger     // nil: silent
	Ready     func()          // called once it launches; may be nil
	Ops       *ops.Server     // shows how it does; nil: nothing does
	Shutdown  *Shutdown       // is told what must end; may be nil
}

// leaseTTL is how long a launcher that died is waited for before its pilots
// are adopted. It is the same for all launchers of one bus.
const leaseTTL = 10 * time.Second

// EnsureLeases makes the leases of launchers if they are missing.
func EnsureLeases(ctx context.Context, conn *bus.Conn, replicas int) error {
	_, err := conn.Leases(ctx, leaseTTL, replicas)
	return err
}

// RunLauncher runs a launcher of one resource over a connection until ctx ends;
// then it leaves its pilots running and gives nil. Any other end is an error:
// the caller may start anew. The log must exist.
func RunLauncher(ctx context.Context, conn *bus.Conn, o LauncherOptions) error {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if err := CheckAgentDir(o.AgentDir); err != nil {
		return err
	}
	if o.Sandboxes == "" {
		o.Sandboxes = filepath.Join(o.State, "sandbox")
	}
	system, err := fork.New(fork.Config{
		Agent: o.Agent, Env: agentEnv(os.Environ(), o.Bus), Root: o.Sandboxes, Spare: o.Spare, Logger: o.Logger,
		Observe: o.Ops.CallObserver(),
	})
	if err != nil {
		return err
	}
	defer system.Close()
	name, err := acquireID(o.State, system.JobsHost().Host, o.Resource)
	if err != nil {
		return err
	}
	defer name.release()
	leases, err := conn.Leases(ctx, leaseTTL, o.Replicas)
	if err != nil {
		return err
	}
	all := newSystems(system, &o, fleet{conn, leases, name.id})
	defer all.Close()
	log, l, err := o.openLauncher(ctx, conn, leases, name.id, system.JobsHost().Host, all)
	if err != nil {
		return err
	}
	return o.serveLauncher(ctx, conn, l, o.Ops.AddLauncher(l, o.Resource, conn, log))
}

// agentEnv is this process's environment with the agents' own way to the bus,
// and without the launcher's to its collector of traces, which may hold a secret.
// Of a name that is there twice, Go's os.Getenv sees the first one only.
func agentEnv(environ []string, cfg bus.Config) []string {
	kept := slices.DeleteFunc(environ, func(v string) bool { return strings.HasPrefix(v, "NATS_") || strings.HasPrefix(v, "OTEL_") })
	return append(kept, cfg.Env()...)
}

func (o *LauncherOptions) openLauncher(
	ctx context.Context, conn *bus.Conn, leases *bus.Leases, id, host string, all launcher.Systems,
) (*bus.Log, *launcher.Launcher, error) {
	log, err := conn.Log(ctx)
	if err != nil {
		return nil, nil, err
	}
	log = log.Patient() // ends are written once that goes
	inbox, err := conn.CommandQueue(ctx, o.Resource, bus.CommandQueueConfig{})
	if err != nil {
		return nil, nil, err
	}
	l, err := launcher.New(launcher.Config{
		Resource: o.Resource, ID: id, Host: host, Queue: inbox, Leases: leases,
		Log: o.Ops.TimedLog(ops.ComponentLauncher, log), Meter: o.Ops.LauncherMeter(),
		Systems: all, Logger: o.Logger, Policy: o.Policy,
	})
	return log, l, err
}

// statsTimeout is how long a launcher that leaves may take to count: it does little else.
const statsTimeout = 200 * time.Millisecond

// describePending says what a launcher that leaves waits for.
func describePending(l *launcher.Launcher) string {
	ctx, stop := context.WithTimeout(context.Background(), statsTimeout)
	defer stop()
	c, err := l.Stats(ctx)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d actions under way", c.Effects)
}

// serveLauncher runs the launcher, and answers agents while it does.
func (o *LauncherOptions) serveLauncher(ctx context.Context, conn *bus.Conn, l *launcher.Launcher, part *ops.Component) error {
	defer o.Shutdown.AddPending("launcher of "+o.Resource, func() string { return describePending(l) })()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 4) // who ends need not wait
	go func() { ended <- l.Run(ctx) }()
	serve := func(serve func() error) {
		select {
		case <-l.Ready(): // before that, another launcher has the better answers
			ended <- serve()
		case <-ctx.Done():
			ended <- nil
		}
	}
	go serve(func() error { return conn.ServeOrphans(ctx, o.Resource, l.ListOrphans) })
	go serve(func() error { return conn.ServeOutput(ctx, o.Resource, l.ReadOutput) })
	go serve(func() error {
		part.SetServing()
		if o.Ready != nil {
			o.Ready()
		}
		return conn.ServeAgents(ctx, o.Resource, l.AnswerAgent, l.ObserveAgent)
	})
	err := <-ended
	leaving := ctx.Err() != nil
	stop()
	for range 3 {
		<-ended //nolint:errcheck // they ended because they were told to
	}
	if leaving {
		return nil
	}
	return err
}
