package bus

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/subject"
)

// CommandQueueConfig tunes an inbox. AckWait belongs to the queue: all who share it
// must give the same.
type CommandQueueConfig struct {
	AckWait     time.Duration // a holder silent for so long has lost the command; 0: 5s
	Heartbeat   time.Duration // how often a held command is kept; 0: three tenths of AckWait
	MaxInFlight int           // commands this process holds at once, yielded or about to be; 0: 64
}

// WithDefaults gives the configuration with its defaults in place.
func (c CommandQueueConfig) WithDefaults() CommandQueueConfig {
	c.AckWait = cmp.Or(c.AckWait, 5*time.Second)
	c.Heartbeat = cmp.Or(c.Heartbeat, c.AckWait*3/10)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, 64)
	return c
}

// maxFleetInFlight is how many commands of a resource may be held by all its
// launchers together.
const maxFleetInFlight = 10_000

// CommandQueue hands out the submit commands of one resource, each to one launcher of
// its fleet at a time, oldest first. Its place in the log is kept by the
// servers, so it outlives every launcher.
type CommandQueue struct {
	log      *Log
	resource string
	cfg      CommandQueueConfig
}

// CommandQueue opens the queue of a resource, which its whole fleet shares. Code
// unavailable: there is no log yet.
func (c *Conn) CommandQueue(ctx context.Context, resource string, cfg CommandQueueConfig) (*CommandQueue, error) {
	if err := subject.CheckResource(resource); err != nil {
		return nil, err
	}
	l, err := c.Log(ctx)
	if err != nil {
		return nil, err
	}
	i := &CommandQueue{log: l, resource: resource, cfg: cfg.WithDefaults()}
	_, err = i.openConsumer(ctx)
	return i, err
}

// openConsumer makes the queue or finds it.
func (i *CommandQueue) openConsumer(ctx context.Context) (cons jetstream.Consumer, err error) {
	cfg := jetstream.ConsumerConfig{
		Durable:       subject.QueueConsumer(i.resource),
		Description:   "submit commands of " + i.resource,
		FilterSubject: subject.Submits(i.resource),
		AckPolicy:     jetstream.AckExplicitPolicy, AckWait: i.cfg.AckWait,
		MaxDeliver: -1, MaxAckPending: maxFleetInFlight,
	}
	err = i.log.conn.retry(ctx, "open the inbox of "+i.resource, func(ctx context.Context) (err error) {
		cons, err = i.log.conn.js.CreateOrUpdateConsumer(ctx, subject.Stream, cfg)
		return err
	})
	return cons, err
}

// Receive yields commands until ctx ends, which is the last error it yields.
// Every command is kept for this process until its Done or Again is called;
// when Receive ends, those that are left are handed back, and their Done and
// Again then give code conflict. A command that nobody can read is put aside
// with a remark in the log. Code unsupported: a later version wrote the next
// one.
func (i *CommandQueue) Receive(ctx context.Context) iter.Seq2[*events.Delivery, error] {
	return func(yield func(*events.Delivery, error) bool) {
		ctx, stop := context.WithCancelCause(ctx)
		r := newQueueReceiver(i, stop)
		r.workers.Go(func() { r.pullCommands(ctx) })
		r.workers.Go(func() { r.heartbeatHeld(ctx) })
		defer r.returnHeld()
		defer r.workers.Wait()
		defer stop(nil)
		for {
			select {
			case d := <-r.ready:
				if !yield(d, nil) {
					return
				}
			case <-ctx.Done():
				yield(nil, context.Cause(ctx))
				return
			}
		}
	}
}

// PoisonNote is what the log says about a command that nobody can read. Its ID
// follows from the command's position, so that it is there once.
func PoisonNote(command *events.Entry, now time.Time) events.Event {
	return events.Event{
		ID: fmt.Sprintf("poison-%d", command.Seq), Class: events.ClassNote, Key: command.Key,
		Kind: events.Logged, At: now, Actor: "bus",
		Note: &events.Note{Text: fmt.Sprintf("the command at %d does not decode and was put aside: %s",
			command.Seq, command.Broken)},
	}
}
