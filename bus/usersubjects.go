package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// userSubjectsCheckEvery is how often it is looked, where the bus does not say who asks, whether
// by now it does: 'flightlog auth' and a reload of the servers change that.
const userSubjectsCheckEvery = 30 * time.Second

// userSubjects hears what users ask on subjects of their own (package access), where the bus
// knows users. The goroutine that runs watch owns it, and before that Serve.
type userSubjects struct {
	server     *requestServer
	handlers   map[string]func(*nats.Msg) // by endpoint
	subs       []*nats.Subscription
	subscribed bool // by the server we are connected to
	logged     bool // that they are not
}

// hear hears users and readers, as far as the server lets us.
func (s *requestServer) hear() error {
	if !s.users.subscribed {
		if err := s.users.subscribe(); err != nil {
			s.users.subscribed = false
			return err
		}
	}
	if s.readers.heard {
		return nil
	}
	return s.readers.hear()
}

// subscribe subscribes, unless the server denies that.
func (a *userSubjects) subscribe() error {
	conn := a.server.conn
	if a.subscribed = conn.probePermission("sub", subject.UserRequest("*", conn.newProbeName())); !a.subscribed {
		conn.requestUser.Store(nil)
		if !a.logged {
			a.server.cfg.Logger.Info("the bus does not say who asks: users are who they say they are, until " +
				"'flightlog auth init' has written its configuration anew and the servers have read it")
		}
		a.logged = true
		return nil
	}
	old := a.subs
	a.subs = nil
	for name, handler := range a.handlers {
		sub, err := conn.nc.QueueSubscribe(subject.UserRequest("*", name), micro.DefaultQueueGroup, handler)
		if err != nil {
			return err
		}
		a.subs = append(a.subs, sub)
	}
	drainSubscriptions(old)
	conn.chooseRequestSubject()
	return nil
}

// watchPermission hears users as soon as the server lets us, until ctx ends.
func (a *userSubjects) watchPermission(ctx context.Context) {
	conn, every := a.server.conn, a.server.cfg.UserCheckEvery
	if every <= 0 {
		every = userSubjectsCheckEvery
	}
	reconnected := make(chan struct{}, 1)
	defer conn.onReconnect(func() {
		select {
		case reconnected <- struct{}{}:
		default:
		}
	})()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			conn.requestUser.Store(nil)
			return
		case <-reconnected: // another server may know another configuration
			a.subscribed, a.server.readers.heard = false, false
		case <-tick.C:
			if a.subscribed && a.server.readers.heard {
				continue
			}
		}
		if err := a.server.hear(); err != nil {
			a.server.cfg.Logger.Warn("users are not heard on their own subjects", zap.Error(err))
		}
	}
}

// drainSubscriptions ends subscriptions; what has come is still answered.
func drainSubscriptions(subs []*nats.Subscription) {
	for _, sub := range subs {
		_ = sub.Drain() // else the connection is gone, and they with it
	}
}

// chooseRequestSubject has calls ask on the subject of our user, where we know its name and
// the server lets us.
func (c *Conn) chooseRequestSubject() {
	name, ok := subject.UserOfInbox(c.nc.Opts.InboxPrefix)
	if !ok {
		name = c.userName
	}
	if name == "" || !c.probePermission("pub", subject.UserRequest(name, c.newProbeName())) {
		c.requestUser.Store(nil)
		return
	}
	c.requestUser.Store(&name)
}

// identifyRequester writes on a request which user of the bus asks, where it says. Code denied: on
// the subject of nobody who can be a user.
func (s *requestServer) identifyRequester(r *Request, m *nats.Msg) error {
	if s.conn.owner != "" || strings.HasPrefix(m.Subject, subject.APIPrefix) {
		r.setUser(s.conn.owner)
		return nil
	}
	user, ok := subject.UserOfRequest(m.Subject)
	if !ok {
		return pilot.Errorf(pilot.Denied, "%.100q is the subject of no user", m.Subject)
	}
	r.setUser(user)
	return nil
}

// setUser says which user of the bus asks; what he claims is then on whose behalf.
func (r *Request) setUser(user string) {
	if user == "" {
		return
	}
	if r.Actor != user {
		r.OnBehalfOf = r.Actor
	}
	r.Actor = user
}

// actorFields is who asks, for the log.
func (r *Request) actorFields() []zap.Field {
	fields := []zap.Field{zap.String("actor", oneLine(r.Actor))}
	if r.OnBehalfOf != "" {
		fields = append(fields, zap.String("on_behalf_of", oneLine(r.OnBehalfOf)))
	}
	return fields
}

// probeCounter make names that nothing else has.
var probeCounter atomic.Uint64

func (c *Conn) newProbeName() string { return fmt.Sprintf("-%d", probeCounter.Add(1)) }

// probePermission says whether the server lets us publish or subscribe; the subject is one that
// nobody else uses, and that was not asked about before.
func (c *Conn) probePermission(verb, at string) bool {
	c.denials.startProbe(at)
	if verb == "sub" {
		sub, err := c.nc.SubscribeSync(at)
		if err != nil {
			return true // whatever is wrong shows when it is used
		}
		defer sub.Unsubscribe() //nolint:errcheck // the same
	} else if err := c.nc.Publish(at, nil); err != nil {
		return true
	}
	if c.nc.FlushTimeout(requestTimeout) != nil {
		return true
	}
	err := c.nc.LastError() // denials come before the flush's answer
	return !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), `"`+at+`"`)
}
