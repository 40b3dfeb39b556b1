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
	"github.com/flightlog/flightlog/internal/subject"
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

	// UserCheckEvery is how often it is looked, where the bus does not let us hear who
	// asks, whether by now it does; 0: 30 s.
	UserCheckEvery time.Duration

	OnRejected func(endpoint string, code pilot.Code) // told of requests that no handler was given; nil: nobody is
}

const (
	defaultConcurrency = 64
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
	if s.OnRejected == nil {
		s.OnRejected = func(string, pilot.Code) {}
	}
	server := &requestServer{conn: c, cfg: s, rejections: newRejectionLog(s.Logger), discovery: newDiscovery(&s)}
	server.users = userSubjects{server: server, handlers: map[string]func(*nats.Msg){}}
	server.readers = readers{conn: c, refusals: server.rejections, making: map[string]*makings{}}
	for i := range s.Endpoints {
		if err := server.serveEndpoint(ctx, &s.Endpoints[i]); err != nil {
			server.stopReceiving()
			return nil, invalidError("serve "+s.Endpoints[i].Name, err)
		}
	}
	if err := server.serveDiscovery(); err != nil {
		server.stopReceiving()
		return nil, invalidError("serve", err)
	}
	if c.hasCredentials && c.owner == "" {
		if err := server.hear(); err != nil {
			server.stopReceiving()
			return nil, invalidError("serve", err)
		}
		server.watchUsers()
	}
	if err := c.nc.FlushTimeout(requestTimeout); err != nil {
		server.stop()
		return nil, classify("serve", err)
	}
	return sync.OnceFunc(server.stop), nil
}

// requestServer is one Serve. What Serve has made does not change afterwards.
type requestServer struct {
	conn       *Conn
	cfg        Service
	rejections rejectionLog
	discovery  *discovery
	subs       []*nats.Subscription
	limiters   []*requestLimiter
	users      userSubjects
	readers    readers
	stopUsers  func() // ends the hearing of askers and readers; nil: they are not heard
}

// stopGrace is how long requests may still arrive that were sent before stop.
const stopGrace = 100 * time.Millisecond

// watchUsers hears users until deafen is called.
func (s *requestServer) watchUsers() {
	ctx, end := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { s.users.watchPermission(ctx) })
	s.stopUsers = func() { end(); watching.Wait() }
}

func (s *requestServer) stop() {
	s.stopReceiving()
	_ = s.conn.nc.FlushTimeout(time.Second) // the server has ended our subscriptions
	sleepContext(context.Background(), stopGrace)
	var closing sync.WaitGroup
	for _, q := range s.limiters {
		closing.Go(q.close)
	}
	closing.Go(s.readers.made.Wait)
	closing.Wait()
	_ = s.conn.nc.FlushTimeout(time.Second)
}

// stopReceiving ends the subscriptions; what has come is still answered.
func (s *requestServer) stopReceiving() {
	if s.stopUsers != nil {
		s.stopUsers()
	}
	drainSubscriptions(s.users.subs)
	s.readers.stop()
	for _, sub := range s.subs {
		if err := sub.Drain(); err != nil {
			s.cfg.Logger.Warn("service did not stop cleanly", zap.Error(err))
			return // the connection is gone, and they with it
		}
	}
}

// addSubscription has do called for what comes on a subject, one by one.
func (s *requestServer) addSubscription(subject, queue string, do func(*nats.Msg)) error {
	sub, err := s.conn.nc.QueueSubscribe(subject, queue, do)
	if err != nil {
		return err
	}
	s.subs = append(s.subs, sub)
	return nil
}

// serveEndpoint takes requests to an endpoint.
func (s *requestServer) serveEndpoint(ctx context.Context, e *Endpoint) error {
	if e.Limit <= 0 {
		e.Limit = defaultConcurrency
	}
	q := newRequestLimiter(e.Limit, roleReplica)
	s.limiters = append(s.limiters, q)
	count := s.discovery.addEndpoint(e.Name, q)
	handle := func(m *nats.Msg) {
		if !hasReplyInbox(m.Reply) {
			s.rejections.logReplySubject(m.Reply)
			return
		}
		timeout, _ := callerTimeout(m.Header) // receive refuses what is wrong with it
		q.handleOrQueue(queuedRequest{
			size: requestSize(m.Header, m.Data), timeout: timeout,
			handle: func() {
				began := time.Now()
				answer, err := s.answerRequest(ctx, e, m)
				count(time.Since(began), err)
				s.publishReply(m.Reply, answer)
			},
			reject: func(err error) {
				count(0, err)
				s.cfg.OnRejected(e.Name, pilot.CodeOf(err))
				enc, _ := encodingOf(m.Header.Get(headerContent), m.Data)
				r := Request{Actor: m.Header.Get(HeaderActor)}
				_ = s.identifyRequester(&r, m) // it is refused anyway
				s.rejections.logRequest(err, append(r.actorFields(), zap.String("endpoint", e.Name))...)
				s.publishReply(m.Reply, encodeError(enc, err))
			},
		})
	}
	s.users.handlers[e.Name] = handle
	return s.addSubscription(subject.API(e.Name), micro.DefaultQueueGroup, handle)
}

// answerRequest runs the handler; err is the error that the answer tells of.
func (s *requestServer) answerRequest(ctx context.Context, e *Endpoint, m *nats.Msg) (out *nats.Msg, err error) {
	r, enc, err := decodeRequest(m.Header, m.Data)
	var answer any
	var seq uint64
	if wrong := s.identifyRequester(&r, m); err == nil {
		err = wrong
	}
	if err == nil {
		answer, seq, err = s.callHandler(ctx, e, r)
	} else {
		s.cfg.OnRejected(e.Name, pilot.CodeOf(err))
	}
	if err == nil {
		out, err = encodeReply(enc, answer, seq)
	}
	if err == nil && int64(len(out.Data)+headerRoom/16) > s.conn.nc.MaxPayload() {
		err = pilot.Errorf(pilot.Invalid, "the answer is %d bytes, the bus carries %d: ask for less at once",
			len(out.Data), s.conn.nc.MaxPayload())
	}
	if err != nil {
		s.rejections.logRequest(err, append(r.actorFields(), zap.String("endpoint", e.Name))...)
		return encodeError(enc, err), err
	}
	return out, nil
}

// callHandler turns a panic of the handler into an error.
func (s *requestServer) callHandler(ctx context.Context, e *Endpoint, r Request) (answer any, seq uint64, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &pilot.Error{Code: pilot.Internal, Op: e.Name, Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	answer, seq, err = e.Handle(ctx, r)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = shutdownError(roleReplica)
	}
	return answer, seq, err
}

func (s *requestServer) publishReply(to string, m *nats.Msg) {
	m.Subject = to
	m.Header[api.HeaderEpoch] = []string{strconv.FormatInt(s.cfg.Epoch, 10)}
	if err := s.conn.nc.PublishMsg(m); err != nil {
		s.cfg.Logger.Warn("answer not sent", zap.Error(err))
	}
}
