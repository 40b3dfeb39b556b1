package bus

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
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
	Limit  int    // handlers at once; 0: 64. More than that wait for their turn, in order.
	Handle func(ctx context.Context, r Request) (answer any, seq uint64, err error)
}

// Service is what a replica serves.
type Service struct {
	Name      string // "pilots"
	Version   string // semantic version
	Epoch     int64  // of the log it has folded
	Endpoints []Endpoint
	Logger    *zap.Logger // nil: silent

	// LookEvery is how often it is looked, where the bus does not let us hear who
	// asks, whether by now it does; 0: 30 s.
	LookEvery time.Duration

	Refused func(endpoint string, code pilot.Code) // told of requests that no handler was given; nil: nobody is
}

const (
	group        = "pilots.api"
	defaultLimit = 64
)

// Serve answers the endpoints, as many requests of each at once as its limit says,
// until stop is called; stop refuses those that wait and waits for those that are
// being answered. A request waits in memory, up to 64 MiB of each endpoint, and
// no longer than its caller does, as the header api.HeaderTimeout says (5 s
// without one); what cannot wait is refused as unavailable. Handlers get ctx. A
// handler that panics costs its own request only.
//
// Where the bus knows users, it also asks JetStream what readers with accounts of their own
// ask about consumers of the log, each about its own. A request comes on a
// subject that only its user can publish to, and the request's Actor is that user; else it
// is who the caller says.
func (c *Conn) Serve(ctx context.Context, s Service) (stop func(), err error) {
	if s.Logger == nil {
		s.Logger = zap.NewNop()
	}
	if s.Refused == nil {
		s.Refused = func(string, pilot.Code) {}
	}
	serving := &serving{conn: c, service: s, refusals: newRefusals(s.Logger), discovery: newDiscovery(&s)}
	serving.askers = askers{serving: serving, takes: map[string]func(*nats.Msg){}}
	serving.readers = readers{conn: c, refusals: serving.refusals, making: map[string]*makings{}}
	for i := range s.Endpoints {
		if err := serving.open(ctx, &s.Endpoints[i]); err != nil {
			serving.drain()
			return nil, invalid("serve "+s.Endpoints[i].Name, err)
		}
	}
	if err := serving.introduce(); err != nil {
		serving.drain()
		return nil, invalid("serve", err)
	}
	if c.identified && c.owner == "" {
		if err := serving.hear(); err != nil {
			serving.drain()
			return nil, invalid("serve", err)
		}
		serving.watchAskers()
	}
	if err := c.nc.FlushTimeout(askTime); err != nil {
		serving.stop()
		return nil, fault("serve", err)
	}
	return sync.OnceFunc(serving.stop), nil
}

// serving is one Serve. What Serve has made does not change afterwards.
type serving struct {
	conn      *Conn
	service   Service
	refusals  refusals
	discovery *discovery
	subs      []*nats.Subscription
	turns     []*turns
	askers    askers
	readers   readers
	deafen    func() // ends the hearing of askers and readers; nil: they are not heard
}

// stopGrace is how long requests may still arrive that were sent before stop.
const stopGrace = 100 * time.Millisecond

// watchAskers hears users until deafen is called.
func (s *serving) watchAskers() {
	ctx, end := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { s.askers.watch(ctx) })
	s.deafen = func() { end(); watching.Wait() }
}

func (s *serving) stop() {
	s.drain()
	_ = s.conn.nc.FlushTimeout(time.Second) // the server has ended our subscriptions
	sleep(context.Background(), stopGrace)
	var closing sync.WaitGroup
	for _, q := range s.turns {
		closing.Go(q.close)
	}
	closing.Go(s.readers.made.Wait)
	closing.Wait()
	_ = s.conn.nc.FlushTimeout(time.Second)
}

// drain ends the subscriptions; what has come is still answered.
func (s *serving) drain() {
	if s.deafen != nil {
		s.deafen()
	}
	drain(s.askers.subs)
	s.readers.stop()
	for _, sub := range s.subs {
		if err := sub.Drain(); err != nil {
			s.service.Logger.Warn("service did not stop cleanly", zap.Error(err))
			return // the connection is gone, and they with it
		}
	}
}

// subscribe has do called for what comes on a subject, one by one.
func (s *serving) subscribe(subject, queue string, do func(*nats.Msg)) error {
	sub, err := s.conn.nc.QueueSubscribe(subject, queue, do)
	if err != nil {
		return err
	}
	s.subs = append(s.subs, sub)
	return nil
}

// open takes requests to an endpoint.
func (s *serving) open(ctx context.Context, e *Endpoint) error {
	if e.Limit <= 0 {
		e.Limit = defaultLimit
	}
	q := newTurns(e.Limit, replica)
	s.turns = append(s.turns, q)
	count := s.discovery.add(e.Name, q)
	take := func(m *nats.Msg) {
		if !answerable(m.Reply) {
			s.refusals.reply(m.Reply)
			return
		}
		patience, _ := patienceOf(m.Header) // receive refuses what is wrong with it
		q.take(turn{
			size: sizeOf(m.Header, m.Data), patience: patience,
			answer: func() {
				began := time.Now()
				answer, err := s.answer(ctx, e, m)
				count(time.Since(began), err)
				s.reply(m.Reply, answer)
			},
			refuse: func(err error) {
				count(0, err)
				s.service.Refused(e.Name, pilot.CodeOf(err))
				enc, _ := encodingOf(m.Header.Get(headerContent), m.Data)
				r := Request{Actor: m.Header.Get(HeaderActor)}
				_ = s.sign(&r, m) // it is refused anyway
				s.refusals.request(err, append(r.who(), zap.String("endpoint", e.Name))...)
				s.reply(m.Reply, refusing(enc, err))
			},
		})
	}
	s.askers.takes[e.Name] = take
	return s.subscribe(group+"."+e.Name, micro.DefaultQueueGroup, take)
}

// answer runs the handler; err is the error that the answer tells of.
func (s *serving) answer(ctx context.Context, e *Endpoint, m *nats.Msg) (out *nats.Msg, err error) {
	r, enc, err := receive(m.Header, m.Data)
	var answer any
	var seq uint64
	if wrong := s.sign(&r, m); err == nil {
		err = wrong
	}
	if err == nil {
		answer, seq, err = s.guard(ctx, e, r)
	} else {
		s.service.Refused(e.Name, pilot.CodeOf(err))
	}
	if err == nil {
		out, err = answering(enc, answer, seq)
	}
	if err == nil && int64(len(out.Data)+headerRoom/16) > s.conn.nc.MaxPayload() {
		err = pilot.Errorf(pilot.Invalid, "the answer is %d bytes, the bus carries %d: ask for less at once",
			len(out.Data), s.conn.nc.MaxPayload())
	}
	if err != nil {
		s.refusals.request(err, append(r.who(), zap.String("endpoint", e.Name))...)
		return refusing(enc, err), err
	}
	return out, nil
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
		err = leaving(replica)
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
