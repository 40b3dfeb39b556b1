package bus

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// createReaderConsumer makes a consumer of the log for one reader. Users of a bus with access
// control, who are known by the prefix of their inboxes, may only name consumers of
// their own; whoever is none may use any name. A slot whose
// consumer nobody asks for anything was left by a reader that died: it is taken
// over, and a reader that lives after all notices and makes another one. Code
// unavailable: all slots are in use.
func (c *Conn) createReaderConsumer(ctx context.Context, cfg jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	user, named := subject.UserOfInbox(c.nc.Opts.InboxPrefix)
	if !named {
		return c.js.CreateConsumer(ctx, subject.Stream, cfg)
	}
	cfg.Description = "tail " + nuid.Next() // equal configurations would share a consumer
	for _, force := range []bool{false, true} {
		for slot := range subject.TailSlots {
			cfg.Name = subject.TailConsumer(user, slot)
			cons, err := c.js.CreateConsumer(ctx, subject.Stream, cfg)
			if errorCode(err) != errConsumerExists {
				return cons, err
			}
			if !force || !c.isAbandoned(ctx, cfg.Name) {
				continue
			}
			if err := c.js.DeleteConsumer(ctx, subject.Stream, cfg.Name); err != nil {
				return nil, err
			}
			return c.js.CreateConsumer(ctx, subject.Stream, cfg)
		}
	}
	return nil, pilot.Errorf(pilot.Unavailable, "user %s reads the log %d times already", user, subject.TailSlots)
}

// isAbandoned says whether nobody asks a consumer for messages.
func (c *Conn) isAbandoned(ctx context.Context, name string) bool {
	cons, err := c.js.Consumer(ctx, subject.Stream, name)
	return err == nil && cons.CachedInfo().NumWaiting == 0
}
