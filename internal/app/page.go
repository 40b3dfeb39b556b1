package app

import (
	"context"
	"iter"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/internal/web"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// PageOptions are the wishes for the live page.
type PageOptions struct {
	Ops       *ops.Server // whose server it is served by
	Token     string      // what visitors must know; empty: nothing, on loopback, where they must be of our user
	Open      bool        // without a Token, any user of this machine may look and cancel
	TokenFile string      // that holds Token; empty: none does
	Run       string      // of this start, if links sign in visitors, who must be of our user (web.Config)
	Hosts     []string    // names it is asked for by, beside addresses and localhost
	ReadOnly  bool        // nobody may cancel
	Logger    *zap.Logger // nil: silent
}

// URL is where the page is, once it is served; empty: it may not be, for there
// is no server, or others can reach it and there is no token.
func (o *PageOptions) URL() string {
	at := o.Ops.Addr()
	if at == "" || web.CheckListen(at, o.Token) != nil {
		return ""
	}
	return "http://" + at + "/"
}

// Link is the address of the page that is for people: where Run is set it signs in
// who uses it first.
func (o *PageOptions) Link() string {
	if o.URL() == "" || o.Run == "" {
		return o.URL()
	}
	return web.NewLink(o.URL(), o.Token, o.Run, time.Now())
}

// OpenPage puts the live page on its panel, where it may be served; nil: it may
// not be, which is logged. Run of the page must run for it to show anything. It is
// called once for a panel. The connection's actor is who cancels. The log must
// exist when it runs.
func OpenPage(conn *bus.Conn, o PageOptions) (*web.Handler, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.URL() == "" {
		if at := o.Ops.Addr(); at != "" {
			o.Logger.Info("no live page: others can reach the address, and there is no token", zap.String("address", at))
		}
		return nil, nil
	}
	source := pageSource{conn}
	cfg := web.Config{
		Log: source, Service: source, Token: o.Token, Run: o.Run, Hosts: o.Hosts, ReadOnly: o.ReadOnly, Logger: o.Logger,
	}
	if o.Run != "" || o.Token == "" && !o.Open {
		cfg.Own = owner.IsOwnSocket
	}
	page, err := web.New(cfg)
	if err != nil {
		return nil, err
	}
	o.Ops.Handle("/", page)
	return page, nil
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
				standing, goOn = true, yieldPresent(view, e.Seq, yield)
			case !view.Fold(&e) || !standing || e.Pilot == "":
			case e.Class == events.ClassCommand:
				goOn = yieldBirths(view, yield)
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

// yieldBirths yields the pilots that were born with what was folded last: those of a list
// together.
func yieldBirths(v *projection.View, yield func(web.Change, error) bool) bool {
	for _, e := range v.Entered() {
		if p, born := v.Get(e.Manager, e.Pilot); born && !yield(web.Change{Pilot: p, Seq: e.Seq}, nil) {
			return false
		}
	}
	return true
}

// yieldPresent yields the present, and that this was it.
func yieldPresent(v *projection.View, seq uint64, yield func(web.Change, error) bool) bool {
	all, _ := v.List(projection.Filter{}, 0, 0)
	for i := range all {
		if !yield(web.Change{Pilot: all[i], Seq: all[i].LatestSeq()}, nil) {
			return false
		}
	}
	return yield(web.Change{Seq: seq, CaughtUp: true}, nil)
}

// Pilot gives one pilot.
func (s pageSource) Pilot(ctx context.Context, manager, uid pilot.UID) (api.Pilot, error) {
	answer, err := callEndpoint[api.PilotsAnswer](ctx, s, "pilot.get", api.GetRequest{Manager: manager, UIDs: []pilot.UID{uid}})
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
	answer, err := callEndpoint[api.HistoryAnswer](ctx, s, "pilot.history", api.PilotRequest{Manager: manager, UID: uid})
	return answer.Events, err
}

// Logs gives the ends of a pilot's output, and what happened in words.
func (s pageSource) Logs(ctx context.Context, manager, uid pilot.UID) (api.LogsAnswer, error) {
	return callEndpoint[api.LogsAnswer](ctx, s, "pilot.logs", api.PilotRequest{Manager: manager, UID: uid})
}

// Output gives what a pilot that runs has printed so far.
func (s pageSource) Output(ctx context.Context, manager, uid pilot.UID) (api.OutputAnswer, error) {
	p, err := s.Pilot(ctx, manager, uid)
	if err != nil || p.Launcher == "" {
		return api.OutputAnswer{}, err
	}
	return s.conn.AskOutput(ctx, pilot.Key{Resource: p.Resource, Manager: manager, Pilot: uid})
}

// Script gives the script of a pilot's job.
func (s pageSource) Script(ctx context.Context, manager, uid pilot.UID) (api.RenderAnswer, error) {
	p, err := s.Pilot(ctx, manager, uid)
	if err != nil {
		return api.RenderAnswer{}, err
	}
	return callEndpoint[api.RenderAnswer](ctx, s, "resource.render", api.RenderRequest{Manager: manager, Pilot: p.Description})
}

// Cancel asks a pilot to end.
func (s pageSource) Cancel(ctx context.Context, manager, uid pilot.UID, reason string) error {
	_, err := callEndpoint[api.CancelAnswer](ctx, s, "pilot.cancel",
		api.CancelRequest{Manager: manager, UIDs: []pilot.UID{uid}, Reason: reason})
	return err
}

func callEndpoint[A any](ctx context.Context, s pageSource, endpoint string, ask any) (answer A, err error) {
	_, err = s.conn.Call(ctx, endpoint, 0, ask, &answer)
	return answer, err
}
