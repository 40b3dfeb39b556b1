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

	"github.com/flightlog/flightlog/access"
	"github.com/flightlog/flightlog/pilot"
)

// askersEvery is how often it is looked, where the bus does not say who asks, whether
// by now it does: 'flightlog auth' and a reload of the servers change that.
const askersEvery = 30 * time.Second

// askers hears what users ask on subjects of their own (package access), where the bus
// knows users. The goroutine that runs watch owns it, and before that Serve.
type askers struct {
	serving *serving
	takes   map[string]func(*nats.Msg) // by endpoint
	subs    []*nats.Subscription
	heard   bool // by the server we are connected to
	said    bool // that they are not
}

// hear hears users and readers, as far as the server lets us.
func (s *serving) hear() error {
	if !s.askers.heard {
		if err := s.askers.hear(); err != nil {
			s.askers.heard = false
			return err
		}
	}
	if s.readers.heard {
		return nil
	}
	return s.readers.hear()
}

// hear subscribes, unless the server denies that.
func (a *askers) hear() error {
	conn := a.serving.conn
	if a.heard = conn.may("sub", access.AnyAsks(conn.nonce())); !a.heard {
		conn.self.Store(nil)
		if !a.said {
			a.serving.service.Logger.Info("the bus does not say who asks: users are who they say they are, until " +
				"'flightlog auth init' has written its configuration anew and the servers have read it")
		}
		a.said = true
		return nil
	}
	old := a.subs
	a.subs = nil
	for name, take := range a.takes {
		sub, err := conn.nc.QueueSubscribe(access.AnyAsks(name), micro.DefaultQueueGroup, take)
		if err != nil {
			return err
		}
		a.subs = append(a.subs, sub)
	}
	drain(old)
	conn.askAsItself()
	return nil
}

// watch hears users as soon as the server lets us, until ctx ends.
func (a *askers) watch(ctx context.Context) {
	conn, every := a.serving.conn, a.serving.service.LookEvery
	if every <= 0 {
		every = askersEvery
	}
	again := make(chan struct{}, 1)
	defer conn.onReconnect(func() {
		select {
		case again <- struct{}{}:
		default:
		}
	})()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			conn.self.Store(nil)
			return
		case <-again: // another server may know another configuration
			a.heard, a.serving.readers.heard = false, false
		case <-tick.C:
			if a.heard && a.serving.readers.heard {
				continue
			}
		}
		if err := a.serving.hear(); err != nil {
			a.serving.service.Logger.Warn("users are not heard on their own subjects", zap.Error(err))
		}
	}
}

// drain ends subscriptions; what has come is still answered.
func drain(subs []*nats.Subscription) {
	for _, sub := range subs {
		_ = sub.Drain() // else the connection is gone, and they with it
	}
}

// askAsItself has calls ask on the subject of our user, where we know its name and
// the server lets us.
func (c *Conn) askAsItself() {
	name, ok := access.UserOf(c.nc.Opts.InboxPrefix)
	if !ok {
		name = c.name
	}
	self := &access.User{Name: name}
	if name == "" || !c.may("pub", self.Asks(c.nonce())) {
		self = nil
	}
	c.self.Store(self)
}

// sign writes on a request which user of the bus asks, where it says. Code denied: on
// the subject of nobody who can be a user.
func (s *serving) sign(r *Request, m *nats.Msg) error {
	if s.conn.owner != "" || strings.HasPrefix(m.Subject, group+".") {
		r.by(s.conn.owner)
		return nil
	}
	user, ok := access.Asker(m.Subject)
	if !ok {
		return pilot.Errorf(pilot.Denied, "%.100q is the subject of no user", m.Subject)
	}
	r.by(user)
	return nil
}

// by says which user of the bus asks; what he claims is then on whose behalf.
func (r *Request) by(user string) {
	if user == "" {
		return
	}
	if r.Actor != user {
		r.OnBehalfOf = r.Actor
	}
	r.Actor = user
}

// who is who asks, for the log.
func (r *Request) who() []zap.Field {
	who := []zap.Field{zap.String("actor", oneLine(r.Actor))}
	if r.OnBehalfOf != "" {
		who = append(who, zap.String("on_behalf_of", oneLine(r.OnBehalfOf)))
	}
	return who
}

// nonces make names that nothing else has.
var nonces atomic.Uint64

func (c *Conn) nonce() string { return fmt.Sprintf("-%d", nonces.Add(1)) }

// may says whether the server lets us publish or subscribe; the subject is one that
// nobody else uses, and that was not asked about before.
func (c *Conn) may(verb, subject string) bool {
	c.denials.tries(subject)
	if verb == "sub" {
		sub, err := c.nc.SubscribeSync(subject)
		if err != nil {
			return true // whatever is wrong shows when it is used
		}
		defer sub.Unsubscribe() //nolint:errcheck // the same
	} else if err := c.nc.Publish(subject, nil); err != nil {
		return true
	}
	if c.nc.FlushTimeout(askTime) != nil {
		return true
	}
	err := c.nc.LastError() // denials come before the flush's answer
	return !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), `"`+subject+`"`)
}
