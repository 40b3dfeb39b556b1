package bus

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// Headers of stored messages, for subscribers that do not decode payloads.
const (
	HeaderKind  = "Pilots-Kind"
	HeaderState = "Pilots-State" // the state users see, after the event
	HeaderTrace = "traceparent"  // of a birth that is traced (W3C Trace Context)
)

// storeTimeout is how long one try of an append waits: a slow disk takes its time.
const storeTimeout = 5 * time.Second

// Log is the durable log of everything. All methods may be called at the same
// time.
type Log struct {
	conn    *Conn
	epoch   int64
	patient bool
}

// Patient gives the same log for who has to write sooner or later: its appends to a store
// that cannot be written go on until it can, or ctx ends, where those of others end at once.
func (l *Log) Patient() *Log { return &Log{conn: l.conn, epoch: l.epoch, patient: true} }

// Log opens the log. Code unavailable: there is none yet.
func (c *Conn) Log(ctx context.Context) (*Log, error) {
	info, err := c.streamInfo(ctx)
	if err != nil {
		return nil, err
	}
	return &Log{conn: c, epoch: info.Created.UnixMilli()}, nil
}

// streamInfo asks for the state of the log, again until ctx ends where only an
// answer is missing.
func (c *Conn) streamInfo(ctx context.Context, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	var info *jetstream.StreamInfo
	err := c.retry(ctx, "look at the log", func(ctx context.Context) error {
		s, err := c.js.Stream(ctx, subject.Stream)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return &pilot.Error{Code: pilot.NotFound, Op: "look at the log", Err: err}
		}
		if err == nil {
			info, err = s.Info(ctx, opts...)
		}
		return err
	})
	if pilot.CodeOf(err) == pilot.NotFound {
		return nil, pilot.Errorf(pilot.Unavailable, "there is no log on this bus yet")
	}
	return info, err
}

// Epoch is when the log was created, in milliseconds: positions of another
// epoch mean nothing in this one.
func (l *Log) Epoch() int64 { return l.epoch }

// End is the position of the last message of the log that a tail of that span
// gives, as far as the server that answers knows; 0: there is none.
func (l *Log) End(ctx context.Context, span events.Span) (end uint64, err error) {
	subjects, err := subject.ForSpan(span)
	if err != nil {
		return 0, err
	}
	if len(subjects) == 0 {
		info, err := l.conn.streamInfo(ctx)
		if err != nil {
			return 0, err
		}
		return info.State.LastSeq, nil
	}
	for _, s := range subjects {
		entry, found, err := l.readLast(ctx, s)
		if err != nil {
			return 0, err
		}
		if found {
			end = max(end, entry.Seq)
		}
	}
	return end, nil
}

// Append stores one event and gives its position, trying until ctx ends. Code
// conflict: Prev is not the last of the subject, or the birth's uid is taken;
// denied: the user may not write there; unavailable: nothing is stored (the log is full or away); timeout: whether
// it is stored is not known; append the same event again to learn it.
func (l *Log) Append(ctx context.Context, e *events.Event) (uint64, error) {
	return l.AppendBatch(ctx, []*events.Event{e})
}

// AppendBatch stores all events or none, in one piece, and gives the position
// of the last. Codes as for Append; invalid: more than MaxBatch events.
func (l *Log) AppendBatch(ctx context.Context, es []*events.Event) (uint64, error) {
	outgoing, err := PrepareAppend(es)
	if err != nil {
		return 0, err
	}
	a := appendOp{log: l, es: outgoing}
	for delay := newBackoff(retryFirst, retryMax); ; {
		seq, err := a.tryOnce(ctx)
		if err == nil || !errors.Is(err, errRetry) {
			return seq, err
		}
		if !delay.wait(ctx) {
			return 0, a.giveUpError(ctx, err)
		}
	}
}

// publishOnce sends the events once.
func (a *appendOp) publishOnce(ctx context.Context) (ack *jetstream.PubAck, err error) {
	conn := a.log.conn
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if !a.log.patient {
		defer conn.onBroken(stop)() // who writes gets no answer then
	}
	err = conn.withTimeoutOn(ctx, storeTimeout, a.publishesTo, func(ctx context.Context) (err error) {
		if len(a.es) == 1 {
			ack, err = conn.js.PublishMsg(ctx, newMessage(&a.es[0]), jetstream.WithRetryAttempts(0))
			return err
		}
		ms := make([]*nats.Msg, len(a.es))
		for i := range a.es {
			ms[i] = newMessage(&a.es[i])
		}
		// An answer to the first message would come sooner with bad news, and
		// cost a round trip when there is none.
		last, err := jetstreamext.PublishMsgBatch(ctx, conn.js, ms, jetstreamext.BatchFlowControl{AckFirst: false})
		if err == nil {
			ack = &jetstream.PubAck{Stream: last.Stream, Sequence: last.Sequence}
		}
		return err
	})
	return ack, err
}

// publishesTo says whether one of the events goes to a subject.
func (a *appendOp) publishesTo(subject string) bool {
	return slices.ContainsFunc(a.es, func(e OutgoingEvent) bool { return e.Subject == subject })
}

func newMessage(e *OutgoingEvent) *nats.Msg {
	h := nats.Header{HeaderKind: {string(e.Kind)}}
	if e.Expects() {
		h[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(e.Prev, 10)}
	}
	if e.MessageID != "" {
		h[jetstream.MsgIDHeader] = []string{e.MessageID}
	}
	switch {
	case e.Class == events.ClassCommand && e.Kind == events.Submit:
		h[HeaderState] = []string{pilot.PendingLaunch.String()}
		if e.Trace != "" {
			h[HeaderTrace] = []string{oneLine(e.Trace)}
		}
	case e.Status != nil:
		h[HeaderState] = []string{e.Status.State.String()}
	}
	return &nats.Msg{Subject: e.Subject, Header: h, Data: e.Data}
}
