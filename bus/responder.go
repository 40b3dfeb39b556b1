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

// responder is a subject that this process answers as a launcher.
type responder struct {
	subject string
	queue   string // of those that share the work; empty: everybody gets everything
	limit   int    // answered at once; more wait for their turn
	handle  handler
}

// handler answers a message; nil: others do. Its errors are answers too, and logged.
type handler func(ctx context.Context, m *nats.Msg) (*nats.Msg, error)

// serveSubject answers what comes until ctx ends; then it waits for the answers under
// way. They get ctx. What waits is bounded as by Serve.
func (c *Conn) serveSubject(ctx context.Context, r responder) error {
	q := newRequestLimiter(r.limit, roleLauncher)
	sub, err := c.nc.QueueSubscribe(r.subject, r.queue, func(m *nats.Msg) {
		if !hasReplyInbox(m.Reply) {
			c.rejections.logReplySubject(m.Reply)
			return
		}
		timeout, _ := callerTimeout(m.Header) // of what is wrong with it there is nobody who would tell
		q.handleOrQueue(queuedRequest{
			size: requestSize(m.Header, m.Data), timeout: timeout,
			handle: func() {
				answer, err := handleSafely(ctx, m, r.handle)
				c.sendReply(m, answer, err)
			},
			reject: func(err error) { c.sendReply(m, nil, err) },
		})
	})
	if err != nil {
		return classify("serve "+r.subject, err)
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

// handleSafely turns a panic into an error.
func handleSafely(ctx context.Context, m *nats.Msg, handle handler) (answer *nats.Msg, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &pilot.Error{Code: pilot.Internal, Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	return handle(ctx, m)
}

// sendReply sends an answer, or the error there is instead, which it logs.
func (c *Conn) sendReply(m, answer *nats.Msg, err error) {
	if err != nil {
		c.rejections.logRequest(err, zap.String("subject", oneLine(m.Subject)))
		answer = encodeError(encodingJSON, err)
	}
	if answer == nil {
		return // others answer
	}
	if err := m.RespondMsg(answer); err != nil {
		c.log.Warn("request not answered", zap.String("subject", m.Subject), zap.Error(err))
	}
}
