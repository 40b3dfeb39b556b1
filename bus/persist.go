package bus

import (
	"context"
	"strings"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// Pace of what is tried again.
const (
	tryFirst = 10 * time.Millisecond
	tryMost  = time.Second
	askTime  = 3 * time.Second // for one answer to a question
)

// persist asks, again while there may be an answer later, until ctx ends. What is
// denied is asked once more: the server does not say whose question it denies, and
// another one of this connection may have been meant.
func (c *Conn) persist(ctx context.Context, op string, ask func(ctx context.Context) error) error {
	denied := false
	for wait := newBackoff(tryFirst, tryMost); ; {
		err := fault(op, c.within(ctx, askTime, ask))
		if err == nil {
			return nil
		}
		once := pilot.CodeOf(err) == pilot.Denied && !denied
		if denied = once; once {
			continue
		}
		if !again(err) || !wait.pause(ctx) {
			return err
		}
	}
}

// within gives do, which asks JetStream, that much time, and less if the connection is
// replaced, or the server denies the question: it is never answered then.
func (c *Conn) within(ctx context.Context, d time.Duration, do func(ctx context.Context) error) error {
	return c.withinOn(ctx, d, ofJetStream, do)
}

// ofJetStream says whether JetStream is asked on a subject.
func ofJetStream(subject string) bool {
	return strings.HasPrefix(subject, "$JS.") || strings.HasPrefix(subject, "$KV.")
}

// withinOn is within for what is asked on other subjects.
func (c *Conn) withinOn(ctx context.Context, d time.Duration, asks func(subject string) bool, do func(ctx context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, d)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer c.onReconnect(func() { cancel(nil) })()
	defer c.onDenied(asks, cancel)()
	err := do(ctx)
	if denied := wasDenied(ctx); denied != nil && err != nil {
		return denied
	}
	return err
}
