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
	pullBatch         = 16               // commands asked for at once
	pullExpiry        = 10 * time.Second // then it is asked again
	pullHeartbeat     = time.Second      // a server silent for twice as long is asked again
	laterVersionDelay = 30 * time.Second // a command of a later version waits for a launcher of that version
)

// queueReceiver is one Receive: two goroutines, which it owns, and what they hold.
type queueReceiver struct {
	queue   *CommandQueue
	ready   chan *events.Delivery // as many as may be held, so that it never blocks
	slots   chan struct{}         // one for each that is held or asked for
	stop    context.CancelCauseFunc
	workers sync.WaitGroup

	mu   sync.Mutex
	held map[uint64]jetstream.Msg // by position
}

func newQueueReceiver(i *CommandQueue, stop context.CancelCauseFunc) *queueReceiver {
	return &queueReceiver{
		queue: i, stop: stop, held: map[uint64]jetstream.Msg{},
		ready: make(chan *events.Delivery, i.cfg.MaxInFlight), slots: make(chan struct{}, i.cfg.MaxInFlight),
	}
}

// pullCommands asks for commands as long as there is room for them.
func (r *queueReceiver) pullCommands(ctx context.Context) {
	for delay := newBackoff(retryFirst, retryMax); ctx.Err() == nil; {
		cons, err := r.queue.openConsumer(ctx)
		if err != nil {
			r.stop(err)
			return
		}
		for err == nil {
			room := r.reserveSlots(ctx)
			if room == 0 {
				return
			}
			var got int
			got, err = r.fetchBatch(ctx, cons, room)
			for range room - got {
				<-r.slots
			}
			if got > 0 {
				delay.attempts = 0
			}
		}
		delay.wait(ctx)
		r.queue.log.conn.log.Debug("inbox opens again", zap.String("resource", r.queue.resource), zap.Error(err))
	}
}

// reserveSlots waits for room and takes what there is, up to pullBatch; 0: ctx ended.
func (r *queueReceiver) reserveSlots(ctx context.Context) int {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n := 1; n < pullBatch; n++ {
		select {
		case r.slots <- struct{}{}:
		default:
			return n
		}
	}
	return pullBatch
}

// fetchBatch asks once, and says how many of the slots are taken now.
func (r *queueReceiver) fetchBatch(ctx context.Context, cons jetstream.Consumer, room int) (taken int, err error) {
	conn := r.queue.log.conn
	fetchCtx, cancel := context.WithTimeout(ctx, pullExpiry)
	defer cancel()
	defer conn.onReconnect(cancel)() // the question was lost with the old connection
	batch, err := cons.Fetch(room, jetstream.FetchContext(fetchCtx), jetstream.FetchHeartbeat(pullHeartbeat))
	if err != nil {
		return 0, err
	}
	for m := range batch.Messages() {
		if r.deliverMessage(ctx, m) {
			taken++
		}
	}
	if err = batch.Error(); errors.Is(err, nats.ErrTimeout) || fetchCtx.Err() != nil {
		err = nil
	}
	return taken, err
}

// deliverMessage makes a delivery of a message; false: it is none, and already settled.
func (r *queueReceiver) deliverMessage(ctx context.Context, m jetstream.Msg) bool {
	meta, err := m.Metadata()
	if err != nil {
		return false
	}
	s := StoredMessage{
		Subject: m.Subject(), Data: m.Data(), Prev: expectedLastSeq(m.Headers()), Trace: traceparentOf(m.Headers()),
		Copied: directGetCount(m.Headers()) > 0,
		Seq:    meta.Sequence.Stream, Time: meta.Timestamp,
	}
	entry, err := s.DecodeEntry()
	switch {
	case err != nil:
		_ = m.NakWithDelay(laterVersionDelay)
		r.stop(err)
		return false
	case entry.Broken != "":
		r.terminatePoison(ctx, m, &entry)
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
		Done: func() error { return r.settleCommand(s.Seq, jetstream.Msg.Ack) },
		Again: func(after time.Duration) error {
			return r.settleCommand(s.Seq, func(m jetstream.Msg) error {
				if after <= 0 {
					return m.Nak()
				}
				return m.NakWithDelay(after)
			})
		},
	}
	return true
}

// terminatePoison takes a command off the queue that nobody will ever read, once the
// log says so.
func (r *queueReceiver) terminatePoison(ctx context.Context, m jetstream.Msg, entry *events.Entry) {
	log := r.queue.log.conn.log
	log.Error("command does not decode", zap.String("subject", m.Subject()), zap.Uint64("seq", entry.Seq),
		zap.String("reason", entry.Broken))
	if entry.Pilot != "" {
		note := PoisonNote(entry, time.Now())
		err := r.queue.log.conn.withTimeout(ctx, storeTimeout, func(ctx context.Context) error {
			_, err := r.queue.log.Append(ctx, &note)
			return err
		})
		if err != nil {
			_ = m.NakWithDelay(r.queue.cfg.AckWait)
			return
		}
	}
	_ = m.TermWithReason("does not decode")
}

// settleCommand ends the holding of a command.
func (r *queueReceiver) settleCommand(seq uint64, do func(jetstream.Msg) error) error {
	r.mu.Lock()
	m := r.held[seq]
	delete(r.held, seq)
	r.mu.Unlock()
	if m == nil {
		return pilot.Errorf(pilot.Conflict, "command %d is no longer held here", seq)
	}
	<-r.slots
	return classify("settle a command", do(m))
}

// heartbeatHeld tells the queue of every held command that its holder lives.
func (r *queueReceiver) heartbeatHeld(ctx context.Context) {
	ticks := time.NewTicker(r.queue.cfg.Heartbeat)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			for _, m := range r.heldMessages() {
				_ = m.InProgress() // the bus may be away; then others get the command, and the log decides
			}
		case <-ctx.Done():
			return
		}
	}
}

func (r *queueReceiver) heldMessages() []jetstream.Msg {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]jetstream.Msg, 0, len(r.held))
	for _, m := range r.held {
		all = append(all, m)
	}
	return all
}

// returnHeld gives back all that is held, so that others have it at once.
func (r *queueReceiver) returnHeld() {
	all := r.heldMessages()
	r.mu.Lock()
	clear(r.held)
	r.mu.Unlock()
	for _, m := range all {
		_ = m.Nak()
	}
	if len(all) > 0 {
		_ = r.queue.log.conn.nc.FlushTimeout(time.Second)
	}
}
