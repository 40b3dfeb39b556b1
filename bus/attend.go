package bus

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/pilot"
)

// attendance is a subject that this process answers.
type attendance struct {
	subject string
	queue   string // of those that share the work; empty: everybody gets everything
	limit   int    // answered at once; more are refused as unavailable
	answer  attendant
}

// attendant answers a message; nil: others do. Its errors are answers too, and logged.
type attendant func(ctx context.Context, m *nats.Msg) (*nats.Msg, error)

// attend answers what comes, each message in a goroutine of its own, until ctx
// ends; then it waits for the answers under way. They get ctx.
func (c *Conn) attend(ctx context.Context, a attendance) error {
	var running sync.WaitGroup
	slots := make(chan struct{}, a.limit)
	sub, err := c.nc.QueueSubscribe(a.subject, a.queue, func(m *nats.Msg) {
		if !answerable(m.Reply) {
			c.refusals.reply(m.Reply)
			return
		}
		select {
		case slots <- struct{}{}:
		default:
			c.respond(m, nil, pilot.Errorf(pilot.Unavailable, "this launcher answers %d at once", a.limit))
			return
		}
		running.Go(func() {
			defer func() { <-slots }()
			answer, err := guarded(ctx, m, a.answer)
			c.respond(m, answer, err)
		})
	})
	if err != nil {
		return fault("serve "+a.subject, err)
	}
	drained := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(drained) })
	<-ctx.Done()
	if sub.Drain() == nil {
		t := time.NewTimer(drainTimeout)
		defer t.Stop()
		select {
		case <-drained: // no callback comes any more
		case <-t.C:
		}
	}
	running.Wait()
	return nil
}

// guarded turns a panic into an error.
func guarded(ctx context.Context, m *nats.Msg, do attendant) (answer *nats.Msg, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &pilot.Error{Code: pilot.Internal, Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	return do(ctx, m)
}

// respond sends an answer, or the error there is instead, which it logs.
func (c *Conn) respond(m, answer *nats.Msg, err error) {
	if err != nil {
		c.refusals.request(err, zap.String("subject", oneLine(m.Subject)))
		answer = refusing(inJSON, err)
	}
	if answer == nil {
		return // others answer
	}
	if err := m.RespondMsg(answer); err != nil {
		c.log.Warn("request not answered", zap.String("subject", m.Subject), zap.Error(err))
	}
}
