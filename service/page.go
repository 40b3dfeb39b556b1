package service

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
	"github.com/flightlog/flightlog/web"
)

// PageOptions are the wishes for the live page.
type PageOptions struct {
	Listen   string           // host:port; without a token, of loopback; required
	Token    string           // what visitors must know; empty: nothing
	Hosts    []string         // names it is asked for by, beside addresses and localhost
	ReadOnly bool             // nobody may cancel
	Logger   *zap.Logger      // nil: silent
	Ready    func(url string) // called once it answers; may be nil
}

// NewPage makes the live page over a connection, for a server that is there.
// It is the server's to listen where web.CheckListen allows it. Run must run for
// the page to show anything. The connection's actor is who cancels.
func NewPage(conn *bus.Conn, o PageOptions) (*web.Handler, error) {
	source := pageSource{conn}
	return web.New(web.Config{
		Log: source, Service: source, Token: o.Token, Hosts: o.Hosts, ReadOnly: o.ReadOnly, Logger: o.Logger,
	})
}

// Page serves the live page by itself until ctx ends, and gives nil then. The
// log must exist.
func Page(ctx context.Context, conn *bus.Conn, o PageOptions) error {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	page, err := NewPage(conn, o)
	if err != nil {
		return err
	}
	listener, err := o.listen(ctx)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: page, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: zap.NewStdLog(o.Logger),
	}
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return page.Run(ctx) }) // its end ends the streams
	all.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	all.Go(func() error {
		<-ctx.Done()
		leaving, stop := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
		defer stop()
		return errors.Join(server.Shutdown(leaving), server.Close())
	})
	if o.Ready != nil {
		o.Ready("http://" + listener.Addr().String() + "/")
	}
	return all.Wait()
}

// leaveTime is how long answers under way may take when the page ends.
const leaveTime = 5 * time.Second

func (o *PageOptions) listen(ctx context.Context) (net.Listener, error) {
	if err := web.CheckListen(o.Listen, o.Token); err != nil {
		return nil, err
	}
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, &pilot.Error{Code: pilot.Invalid, Op: "live page", Err: err}
	}
	if err := web.CheckListen(l.Addr().String(), o.Token); err != nil { // localhost is what the resolver says
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// pageSource is what the page needs of the bus.
type pageSource struct{ conn *bus.Conn }

// Changes folds the log.
func (s pageSource) Changes(ctx context.Context) (int64, iter.Seq2[web.Change, error], error) {
	log, err := s.conn.Log(ctx)
	if err != nil {
		return 0, nil, err
	}
	return log.Epoch(), func(yield func(web.Change, error) bool) {
		view, standing := projection.New(), false
		for e, err := range log.Tail(ctx, events.Span{}) {
			goOn := true
			switch {
			case err != nil:
				goOn = yield(web.Change{}, err)
			case e.Mark:
				standing, goOn = true, showAll(view, e.Seq, yield)
			case !apply(view, &e) || !standing || e.Pilot == "":
			default:
				if p, born := view.Get(e.Manager, e.Pilot); born {
					goOn = yield(web.Change{Pilot: p, Seq: e.Seq}, nil)
				}
			}
			if !goOn {
				return
			}
		}
	}, nil
}

func apply(v *projection.View, e *events.Entry) bool {
	if e.Broken == "" {
		return v.Apply(&e.Event)
	}
	v.ApplyBroken(&e.Event, e.Broken)
	return true
}

// showAll yields the present, and that this was it.
func showAll(v *projection.View, seq uint64, yield func(web.Change, error) bool) bool {
	all, _ := v.List(projection.Filter{}, 0, 0)
	for i := range all {
		if !yield(web.Change{Pilot: all[i], Seq: all[i].Latest()}, nil) {
			return false
		}
	}
	return yield(web.Change{Seq: seq, Standing: true}, nil)
}

// Pilot gives one pilot.
func (s pageSource) Pilot(ctx context.Context, manager, uid pilot.UID) (api.Pilot, error) {
	answer, err := call[api.PilotsAnswer](ctx, s, "pilot.get", api.GetRequest{Manager: manager, UIDs: []pilot.UID{uid}})
	if err != nil {
		return api.Pilot{}, err
	}
	if len(answer.Pilots) != 1 {
		return api.Pilot{}, pilot.Errorf(pilot.Internal, "asked for one pilot, got %d", len(answer.Pilots))
	}
	return answer.Pilots[0], nil
}

// History gives what happened to a pilot.
func (s pageSource) History(ctx context.Context, manager, uid pilot.UID) ([]api.Event, error) {
	answer, err := call[api.HistoryAnswer](ctx, s, "pilot.history", api.PilotRequest{Manager: manager, UID: uid})
	return answer.Events, err
}

// Logs gives the ends of a pilot's output, and what happened in words.
func (s pageSource) Logs(ctx context.Context, manager, uid pilot.UID) (api.LogsAnswer, error) {
	return call[api.LogsAnswer](ctx, s, "pilot.logs", api.PilotRequest{Manager: manager, UID: uid})
}

// Script gives the script of a pilot's job.
func (s pageSource) Script(ctx context.Context, manager, uid pilot.UID) (api.RenderAnswer, error) {
	p, err := s.Pilot(ctx, manager, uid)
	if err != nil {
		return api.RenderAnswer{}, err
	}
	return call[api.RenderAnswer](ctx, s, "resource.render", api.RenderRequest{Manager: manager, Pilot: p.Description})
}

// Cancel asks a pilot to end.
func (s pageSource) Cancel(ctx context.Context, manager, uid pilot.UID, reason string) error {
	_, err := call[api.CancelAnswer](ctx, s, "pilot.cancel",
		api.CancelRequest{Manager: manager, UIDs: []pilot.UID{uid}, Reason: reason})
	return err
}

func call[A any](ctx context.Context, s pageSource, endpoint string, ask any) (answer A, err error) {
	_, err = s.conn.Call(ctx, endpoint, 0, ask, &answer)
	return answer, err
}
