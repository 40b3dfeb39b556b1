package bus

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Endpoint is one thing that can be asked.
type Endpoint struct {
	Name   string // e.g. "pilot.submit"; its subject is pilots.api.<Name>
	Limit  int    // handlers at once; 0: 64. More than that are refused as unavailable.
	Handle func(ctx context.Context, r Request) (answer any, seq uint64, err error)
}

// Service is what a replica serves.
type Service struct {
	Name      string // "pilots"
	Version   string // semantic version
	Epoch     int64  // of the log it has folded
	Endpoints []Endpoint
	Logger    *zap.Logger // nil: silent

	Refused func(endpoint string, code pilot.Code) // told of requests that no handler was given; nil: nobody is
}

const (
	group        = "pilots.api"
	defaultLimit = 64
)

// Serve answers the endpoints, each request in its own goroutine, until stop
// is called; stop waits for those that are being answered. Handlers get ctx. A
// handler that panics costs its own request only.
func (c *Conn) Serve(ctx context.Context, s Service) (stop func(), err error) {
	if s.Logger == nil {
		s.Logger = zap.NewNop()
	}
	if s.Refused == nil {
		s.Refused = func(string, pilot.Code) {}
	}
	svc, err := micro.AddService(c.nc, micro.Config{
		Name: s.Name, Version: s.Version, Description: "pilot jobs",
		Metadata: map[string]string{"epoch": strconv.FormatInt(s.Epoch, 10)},
	})
	if err != nil {
		return nil, invalid("serve", err)
	}
	serving := &serving{conn: c, service: s, refusals: newRefusals(s.Logger)}
	at := svc.AddGroup(group)
	for _, e := range s.Endpoints {
		handler := micro.HandlerFunc(serving.bind(ctx, e))
		if err := at.AddEndpoint(strings.ReplaceAll(e.Name, ".", "-"), handler, micro.WithEndpointSubject(e.Name)); err != nil {
			_ = svc.Stop()
			return nil, invalid("serve "+e.Name, err)
		}
	}
	if err := c.nc.FlushTimeout(askTime); err != nil {
		_ = svc.Stop()
		return nil, fault("serve", err)
	}
	return sync.OnceFunc(func() { serving.stop(svc) }), nil
}

// serving is one Serve.
type serving struct {
	conn     *Conn
	service  Service
	refusals refusals

	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup // Add only under mu while not stopped
}

// stopGrace is how long requests may still arrive that were sent before stop.
const stopGrace = 100 * time.Millisecond

func (s *serving) stop(svc micro.Service) {
	if err := svc.Stop(); err != nil {
		s.service.Logger.Warn("service did not stop cleanly", zap.Error(err))
	}
	_ = s.conn.nc.FlushTimeout(time.Second) // the server has ended our subscriptions
	sleep(context.Background(), stopGrace)
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.running.Wait()
	_ = s.conn.nc.FlushTimeout(time.Second)
}

// enter counts one more handler; false: too late.
func (s *serving) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.running.Add(1)
	return true
}

// bind makes the callback of an endpoint. Callbacks of one endpoint come one
// by one, so it must not block.
func (s *serving) bind(ctx context.Context, e Endpoint) func(micro.Request) {
	if e.Limit <= 0 {
		e.Limit = defaultLimit
	}
	slots := make(chan struct{}, e.Limit)
	return func(m micro.Request) {
		if !answerable(m.Reply()) {
			s.refusals.reply(m.Reply())
			return
		}
		refuse := func(format string, args ...any) {
			s.service.Refused(e.Name, pilot.Unavailable)
			enc, _ := encodingOf(m.Headers().Get(headerContent), m.Data())
			err := pilot.Errorf(pilot.Unavailable, format, args...)
			s.refusals.request(err, zap.String("endpoint", e.Name), actor(m.Headers().Get(HeaderActor)))
			s.reply(m.Reply(), refusing(enc, err))
		}
		select {
		case slots <- struct{}{}:
		default:
			refuse("%s answers %d requests at once and is busy", e.Name, e.Limit)
			return
		}
		if !s.enter() {
			<-slots
			refuse("this replica is leaving")
			return
		}
		go func() {
			defer s.running.Done()
			defer func() { <-slots }()
			s.reply(m.Reply(), s.answer(ctx, &e, m))
		}()
	}
}

// answer runs the handler.
func (s *serving) answer(ctx context.Context, e *Endpoint, m micro.Request) *nats.Msg {
	r, enc, err := receive(m.Headers(), m.Data())
	var answer any
	var seq uint64
	if err == nil {
		answer, seq, err = s.guard(ctx, e, r)
	} else {
		s.service.Refused(e.Name, pilot.CodeOf(err))
	}
	var out *nats.Msg
	if err == nil {
		out, err = answering(enc, answer, seq)
	}
	if err == nil && int64(len(out.Data)+headerRoom/16) > s.conn.nc.MaxPayload() {
		err = pilot.Errorf(pilot.Invalid, "the answer is %d bytes, the bus carries %d: ask for less at once",
			len(out.Data), s.conn.nc.MaxPayload())
	}
	if err != nil {
		s.refusals.request(err, zap.String("endpoint", e.Name), actor(r.Actor))
		return refusing(enc, err)
	}
	return out
}

// guard turns a panic of the handler into an error.
func (s *serving) guard(ctx context.Context, e *Endpoint, r Request) (answer any, seq uint64, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &pilot.Error{Code: pilot.Internal, Op: e.Name, Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	answer, seq, err = e.Handle(ctx, r)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = pilot.Errorf(pilot.Unavailable, "this replica is leaving")
	}
	return answer, seq, err
}

func (s *serving) reply(to string, m *nats.Msg) {
	m.Subject = to
	m.Header[api.HeaderEpoch] = []string{strconv.FormatInt(s.service.Epoch, 10)}
	if err := s.conn.nc.PublishMsg(m); err != nil {
		s.service.Logger.Warn("answer not sent", zap.Error(err))
	}
}
