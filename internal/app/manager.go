// Package app joins the parts of the service to the bus, for their own
// commands and for the one process that holds all of them.
package app

import (
	"context"
	"sync"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/buildinfo"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/internal/reserve"
	"github.com/flightlog/flightlog/internal/resource"
)

// ManagerOptions are the wishes for a replica; all may be left out.
type ManagerOptions struct {
	Name      string              // acts where no user does; empty: "manager"
	Version   string              // semantic, shown by the micro service; empty: this binary's
	Resources *resource.Catalogue // nil: the built-in one
	Systems   *batch.Systems      // that pilots can be launched on; nil: those of this build
	Logger    *zap.Logger         // nil: silent
	Ready     func()              // called once requests are answered; may be nil
	Ops       *ops.Server         // shows how it does; nil: nothing does
	Shutdown  *Shutdown           // is told what must end; may be nil
	Reserve   reserve.Reserve     // kept of the store for what runs; nothing new begins below it
}

// RunManager runs a replica of the manager over a connection until ctx ends; then
// it answers what is under way and gives nil. Any other end is an error: the
// caller may start anew. The log must exist.
func RunManager(ctx context.Context, conn *bus.Conn, o ManagerOptions) error {
	defer o.Shutdown.AddPending("manager", nil)()
	watch := reserve.New(conn, o.Reserve, o.Logger)
	watch.RefreshLimits(ctx)
	log, m, err := o.openManager(ctx, conn, watch)
	if err != nil {
		return err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx, to answer what is under way
	part := o.Ops.AddManager(m, conn, log, watch)
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { _ = watch.Run(life) }) // it gives nil
	ended := make(chan error, 1)
	go func() { ended <- m.Run(life) }()
	leave := func() {
		end()
		<-ended //nolint:errcheck // it ends because it was told to
	}
	select {
	case <-m.Ready():
	case err := <-ended:
		end()
		return err
	case <-ctx.Done():
		leave()
		return nil
	}
	stop, err := conn.Serve(life, o.newBusService(ctx, log.Epoch(), m))
	if err != nil {
		leave()
		return err
	}
	part.SetServing()
	if o.Ready != nil {
		o.Ready()
	}
	select {
	case err = <-ended:
		stop()
		end()
	case <-ctx.Done():
		stop()
		leave()
	}
	return err
}

func (o *ManagerOptions) openManager(ctx context.Context, conn *bus.Conn, watch *reserve.Watch) (*bus.Log, *manager.Manager, error) {
	log, err := conn.Log(ctx)
	if err != nil {
		return nil, nil, err
	}
	if o.Resources == nil {
		if o.Resources, err = resource.BuiltinCatalogue(); err != nil {
			return nil, nil, err
		}
	}
	if o.Version == "" {
		o.Version = buildinfo.ReadInfo().SemVer()
	}
	m, err := manager.New(manager.Config{
		Log: o.Ops.TimedLog(ops.ComponentManager, log), Leases: conn, Resources: o.Resources, Systems: o.Systems.Scripts(), Name: o.Name, Logger: o.Logger, Admit: watch.CheckReserve,
	})
	return log, m, err
}

// newBusService binds the endpoints of m to the bus. Idle calls end with ctx.
func (o *ManagerOptions) newBusService(ctx context.Context, epoch int64, m *manager.Manager) bus.Service {
	s := bus.Service{Name: "pilots", Version: o.Version, Epoch: epoch, Logger: o.Logger, OnRejected: o.Ops.CountRejected}
	for _, e := range m.Endpoints() {
		s.Endpoints = append(s.Endpoints, bus.Endpoint{
			Name: e.Name, Limit: e.Limit,
			Handle: o.Ops.InstrumentHandler(e.Name, e.Idle, func(call context.Context, r bus.Request) (any, uint64, error) {
				if e.Idle {
					both, stop := context.WithCancel(call)
					defer stop()
					defer context.AfterFunc(ctx, stop)()
					call = both
				}
				c := manager.Call{Actor: r.Actor, OnBehalfOf: r.OnBehalfOf, MinSeq: r.MinSeq}
				if r.Epoch != 0 && r.Epoch != epoch {
					c.MinSeq = 0 // a position of another log
				}
				return e.Handle(call, c, r.Decode)
			}),
		})
	}
	return s
}
