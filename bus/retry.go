package bus

import (
	"context"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// Pace of what is tried again.
const (
	retryFirst     = 10 * time.Millisecond
	retryMax       = time.Second
	requestTimeout = 3 * time.Second // for one answer to a question
)

// retry asks, again while there may be an answer later, until ctx ends. What is
// denied is asked once more: the server does not say whose question it denies, and
// another one of this connection may have been meant.
func (c *Conn) retry(ctx context.Context, op string, ask func(ctx context.Context) error) error {
	denied := false
	for delay := newBackoff(retryFirst, retryMax); ; {
		err := classify(op, c.withTimeout(ctx, requestTimeout, ask))
		if err == nil {
			return nil
		}
		once := pilot.CodeOf(err) == pilot.Denied && !denied
		if denied = once; once {
			continue
		}
		if !isTransient(err) || !delay.wait(ctx) {
			return err
		}
	}
}

// withTimeout gives do, which asks JetStream, that much time, and less if the connection is
// replaced, or the server denies the question: it is never answered then.
func (c *Conn) withTimeout(ctx context.Context, d time.Duration, do func(ctx context.Context) error) error {
	return c.withTimeoutOn(ctx, d, isJetStreamSubject, do)
}

// isJetStreamSubject says whether JetStream is asked on a subject.
func isJetStreamSubject(s string) bool {
	return strings.HasPrefix(s, subject.JetStreamPrefix) || strings.HasPrefix(s, subject.KeyValuePrefix)
}

// withTimeoutOn is within for what is asked on other subjects.
func (c *Conn) withTimeoutOn(ctx context.Context, d time.Duration, matches func(string) bool, do func(ctx context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, d)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer c.onReconnect(func() { cancel(nil) })()
	defer c.onDenied(matches, cancel)()
	err := do(ctx)
	if denied := denialOf(ctx); denied != nil && err != nil {
		return denied
	}
	return err
}
