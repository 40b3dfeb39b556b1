package bus

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/pilot"
)

// attendance is a subject that this process answers as a launcher.
type attendance struct {
	subject string
	queue   string // of those that share the work; empty: everybody gets everything
	limit   int    // answered at once; more wait for their turn
	answer  attendant
}

// attendant answers a message; nil: others do. Its errors are answers too, and logged.
type attendant func(ctx context.Context, m *nats.Msg) (*nats.Msg, error)

// attend answers what comes until ctx ends; then it waits for the answers under
// way. They get ctx. What waits is bounded as by Serve.
func (c *Conn) attend(ctx context.Context, a attendance) error {
	q := newTurns(a.limit, launcher)
	sub, err := c.nc.QueueSubscribe(a.subject, a.queue, func(m *nats.Msg) {
		if !answerable(m.Reply) {
			c.refusals.reply(m.Reply)
			return
		}
		patience, _ := patienceOf(m.Header) // of what is wrong with it there is nobody who would tell
		q.take(turn{
			size: sizeOf(m.Header, m.Data), patience: patience,
			answer: func() {
				answer, err := guarded(ctx, m, a.answer)
				c.respond(m, answer, err)
			},
			refuse: func(err error) { c.respond(m, nil, err) },
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
	q.close()
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
