package bus

import (
	"context"
	"time"
)

// Pace of what is tried again.
const (
	tryFirst = 10 * time.Millisecond
	tryMost  = time.Second
	askTime  = 3 * time.Second // for one answer to a question
)

// persist asks, again while there may be an answer later, until ctx ends.
func (c *Conn) persist(ctx context.Context, op string, ask func(ctx context.Context) error) error {
	for wait := newBackoff(tryFirst, tryMost); ; {
		err := fault(op, c.within(ctx, askTime, ask))
		if err == nil {
			return nil
		}
		if !again(err) || !wait.pause(ctx) {
			return err
		}
	}
}

// within gives do that much time, and less if the connection is replaced: what
// was asked on the old one is never answered.
func (c *Conn) within(ctx context.Context, d time.Duration, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	defer c.onReconnect(cancel)()
	return do(ctx)
}
