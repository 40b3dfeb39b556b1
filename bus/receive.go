package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

const (
	pullMost  = 16               // commands asked for at once
	pullTime  = 10 * time.Second // then it is asked again
	pullAlive = time.Second      // a server silent for twice as long is asked again
	laterTime = 30 * time.Second // a command of a later version waits for a launcher of that version
)

// receiving is one Receive: two goroutines, which it owns, and what they hold.
type receiving struct {
	inbox *Inbox
	ready chan *events.Delivery // as many as may be held, so that it never blocks
	slots chan struct{}         // one for each that is held or asked for
	stop  context.CancelCauseFunc
	owned sync.WaitGroup

	mu   sync.Mutex
	held map[uint64]jetstream.Msg // by position
}

func newReceiving(i *Inbox, stop context.CancelCauseFunc) *receiving {
	return &receiving{
		inbox: i, stop: stop, held: map[uint64]jetstream.Msg{},
		ready: make(chan *events.Delivery, i.cfg.MaxInFlight), slots: make(chan struct{}, i.cfg.MaxInFlight),
	}
}

// pull asks for commands as long as there is room for them.
func (r *receiving) pull(ctx context.Context) {
	for wait := newBackoff(tryFirst, tryMost); ctx.Err() == nil; {
		cons, err := r.inbox.open(ctx)
		if err != nil {
			r.stop(err)
			return
		}
		for err == nil {
			room := r.reserve(ctx)
			if room == 0 {
				return
			}
			var got int
			got, err = r.fetch(ctx, cons, room)
			for range room - got {
				<-r.slots
			}
			if got > 0 {
				wait.n = 0
			}
		}
		wait.pause(ctx)
		r.inbox.log.conn.log.Debug("inbox opens again", zap.String("resource", r.inbox.resource), zap.Error(err))
	}
}

// reserve waits for room and takes what there is, up to pullMost; 0: ctx ended.
func (r *receiving) reserve(ctx context.Context) int {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n := 1; n < pullMost; n++ {
		select {
		case r.slots <- struct{}{}:
		default:
			return n
		}
	}
	return pullMost
}

// fetch asks once, and says how many of the slots are taken now.
func (r *receiving) fetch(ctx context.Context, cons jetstream.Consumer, room int) (taken int, err error) {
	conn := r.inbox.log.conn
	asking, cancel := context.WithTimeout(ctx, pullTime)
	defer cancel()
	defer conn.onReconnect(cancel)() // the question was lost with the old connection
	batch, err := cons.Fetch(room, jetstream.FetchContext(asking), jetstream.FetchHeartbeat(pullAlive))
	if err != nil {
		return 0, err
	}
	for m := range batch.Messages() {
		if r.take(ctx, m) {
			taken++
		}
	}
	if err = batch.Error(); errors.Is(err, nats.ErrTimeout) || asking.Err() != nil {
		err = nil
	}
	return taken, err
}

// take makes a delivery of a message; false: it is none, and already settled.
func (r *receiving) take(ctx context.Context, m jetstream.Msg) bool {
	meta, err := m.Metadata()
	if err != nil {
		return false
	}
	s := Stored{
		Subject: m.Subject(), Data: m.Data(), Prev: expectation(m.Headers()), Trace: traceparent(m.Headers()),
		Copied: copies(m.Headers()) > 0,
		Seq:    meta.Sequence.Stream, Time: meta.Timestamp,
	}
	entry, err := s.Entry()
	switch {
	case err != nil:
		_ = m.NakWithDelay(laterTime)
		r.stop(err)
		return false
	case entry.Broken != "":
		r.putAside(ctx, m, &entry)
		return false
	}
	r.mu.Lock()
	again := r.held[s.Seq] != nil
	r.held[s.Seq] = m
	r.mu.Unlock()
	if again {
		return false // it was not kept in time and came to us again: the holder has it under its new ack
	}
	r.ready <- &events.Delivery{
		Event: entry.Event, Count: int(meta.NumDelivered), //nolint:gosec // it takes ages to overflow
		Done: func() error { return r.settle(s.Seq, jetstream.Msg.Ack) },
		Again: func(after time.Duration) error {
			return r.settle(s.Seq, func(m jetstream.Msg) error {
				if after <= 0 {
					return m.Nak()
				}
				return m.NakWithDelay(after)
			})
		},
	}
	return true
}

// putAside takes a command off the queue that nobody will ever read, once the
// log says so.
func (r *receiving) putAside(ctx context.Context, m jetstream.Msg, entry *events.Entry) {
	log := r.inbox.log.conn.log
	log.Error("command does not decode", zap.String("subject", m.Subject()), zap.Uint64("seq", entry.Seq),
		zap.String("reason", entry.Broken))
	if entry.Pilot != "" {
		note := PoisonNote(entry, time.Now())
		err := r.inbox.log.conn.within(ctx, storeTime, func(ctx context.Context) error {
			_, err := r.inbox.log.Append(ctx, &note)
			return err
		})
		if err != nil {
			_ = m.NakWithDelay(r.inbox.cfg.AckWait)
			return
		}
	}
	_ = m.TermWithReason("does not decode")
}

// settle ends the holding of a command.
func (r *receiving) settle(seq uint64, do func(jetstream.Msg) error) error {
	r.mu.Lock()
	m := r.held[seq]
	delete(r.held, seq)
	r.mu.Unlock()
	if m == nil {
		return pilot.Errorf(pilot.Conflict, "command %d is no longer held here", seq)
	}
	<-r.slots
	return fault("settle a command", do(m))
}

// keep tells the queue of every held command that its holder lives.
func (r *receiving) keep(ctx context.Context) {
	ticks := time.NewTicker(r.inbox.cfg.Heartbeat)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			for _, m := range r.all() {
				_ = m.InProgress() // the bus may be away; then others get the command, and the log decides
			}
		case <-ctx.Done():
			return
		}
	}
}

func (r *receiving) all() []jetstream.Msg {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]jetstream.Msg, 0, len(r.held))
	for _, m := range r.held {
		all = append(all, m)
	}
	return all
}

// handBack gives back all that is held, so that others have it at once.
func (r *receiving) handBack() {
	all := r.all()
	r.mu.Lock()
	clear(r.held)
	r.mu.Unlock()
	for _, m := range all {
		_ = m.Nak()
	}
	if len(all) > 0 {
		_ = r.inbox.log.conn.nc.FlushTimeout(time.Second)
	}
}
