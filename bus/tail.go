package bus

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// Tail yields the log as span says, waiting for more until ctx ends: the last
// thing it yields is an error, the cause of ctx or what broke it. Code
// unsupported: a later version wrote what comes next; invalid: the span begins
// behind the end of the log; conflict: the log was replaced by another one. An entry is yielded again by no tail; a consumer
// may take its time, nothing is lost meanwhile.
func (l *Log) Tail(ctx context.Context, span events.Span) iter.Seq2[events.Entry, error] {
	return func(yield func(events.Entry, error) bool) {
		t := tailReader{log: l, span: span, yield: yield, position: span.After}
		err := t.findEnd(ctx)
		for err == nil {
			err = t.readConsumer(ctx)
		}
		if !errors.Is(err, errStopped) {
			yield(events.Entry{}, err)
		}
	}
}

// tailReader is one tail over all the consumers it takes. The library's own
// ordered consumer is not used: while it waits for a server it listens to no
// context, and stopping it then makes it panic (nats.go 1.55.0, ordered.go:
// reset asserts the type of a consumer it did not get).
type tailReader struct {
	log          *Log
	span         events.Span
	yield        func(events.Entry, error) bool
	filter       []string
	position     uint64 // position of the last entry given, or After
	end          uint64 // of the log when the tail began: taken once the consumer stands, which then has all up to there
	emptyAnswers int    // times that the server had nothing more before the end
	marked       bool
}

// errStopped: the reader wants no more.
var errStopped = errors.New("stopped")

const (
	// prefetch is where replay is fastest over TCP (648 000 messages a second,
	// against 465 000 with the library's 500).
	prefetch = 2000
	// consumerIdleTime keeps the consumer of a reader that is busy elsewhere.
	consumerIdleTime = 5 * time.Minute
	// markCheckEvery is how long a tail waits for a message before it asks whether
	// there is any before the mark.
	markCheckEvery = 500 * time.Millisecond
	// maxEmptyAnswers is how often a server must say that there is no more before the
	// end is believed to be gone.
	maxEmptyAnswers = 10
	// serverHeartbeat is how often a silent server must say that it is there.
	serverHeartbeat = 2 * time.Second
)

// findEnd finds the end of the log.
func (t *tailReader) findEnd(ctx context.Context) (err error) {
	if err := subject.CheckSpan(t.span); err != nil {
		return err
	}
	if t.filter, err = subject.ForSpan(t.span); err != nil {
		return err
	}
	for delay := newBackoff(retryFirst, retryMax); ; {
		info, err := t.log.conn.streamInfo(ctx)
		if err != nil {
			return contextCause(ctx, err)
		}
		t.end = info.State.LastSeq
		switch {
		case t.span.After <= t.end:
			return nil
		case delay.attempts == maxUnseenConflicts: // a leader that has just changed may lag, but not for so long
			return pilot.Errorf(pilot.Invalid, "tail after %d of a log that ends at %d", t.span.After, t.end)
		case !delay.wait(ctx):
			return context.Cause(ctx)
		}
	}
}

// contextCause is why ctx ended, if it did.
func contextCause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// readConsumer makes a consumer and gives what it has until it breaks; nil asks for
// another one.
func (t *tailReader) readConsumer(ctx context.Context) error {
	cons, err := t.createConsumer(ctx)
	if err != nil {
		return err
	}
	defer t.deleteConsumer(cons)
	if !t.marked {
		if info, err := t.log.conn.streamInfo(ctx); err == nil {
			t.end = max(t.end, info.State.LastSeq)
		}
	}
	p := &pump{messages: make(chan jetstream.Msg, prefetch), broken: make(chan error, 1), done: make(chan struct{})}
	consuming, err := cons.Consume(p.putMessage, jetstream.PullMaxMessages(prefetch), jetstream.PullHeartbeat(serverHeartbeat),
		jetstream.ConsumeErrHandler(p.putError))
	if err != nil {
		return t.waitToReopen(ctx, err)
	}
	defer consuming.Stop()
	defer close(p.done)
	if cons.CachedInfo().NumPending == 0 && t.mayHaveReachedEnd() {
		if err := t.yieldMark(); err != nil {
			return err
		}
	}
	return t.yieldMessages(ctx, cons, p)
}

// yieldMessages gives the messages of one consumer until it breaks.
func (t *tailReader) yieldMessages(ctx context.Context, cons jetstream.Consumer, p *pump) error {
	var due <-chan time.Time
	if !t.marked {
		ticks := time.NewTicker(markCheckEvery)
		defer ticks.Stop()
		due = ticks.C
	}
	for delivered := uint64(0); ; {
		select {
		case m := <-p.messages:
			ok, err := t.yieldMessage(m, &delivered)
			if err != nil || !ok {
				return err
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		case err := <-p.broken:
			return t.waitToReopen(ctx, err)
		case <-due:
			if t.marked {
				due = nil
			} else if err := t.checkMark(ctx, cons, delivered); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// yieldMessage yields one message; false: one before it is missing.
func (t *tailReader) yieldMessage(m jetstream.Msg, delivered *uint64) (bool, error) {
	meta, err := m.Metadata()
	if err != nil {
		return false, classify("tail", err)
	}
	if meta.Sequence.Consumer != *delivered+1 {
		return false, nil
	}
	*delivered++
	if meta.Sequence.Stream > t.end {
		if err := t.yieldMark(); err != nil {
			return false, err
		}
	}
	s := StoredMessage{
		Subject: m.Subject(), Data: m.Data(), Prev: expectedLastSeq(m.Headers()), Trace: traceparentOf(m.Headers()),
		Copied: directGetCount(m.Headers()) > 0,
		Seq:    meta.Sequence.Stream, Time: meta.Timestamp,
	}
	entry, err := s.DecodeEntry()
	if err != nil {
		return false, err
	}
	if !t.yield(entry, nil) {
		return false, errStopped
	}
	t.position = meta.Sequence.Stream
	if len(m.Data()) == 0 && len(m.Headers()) == 0 {
		// Through an import nothing comes behind it: servers take it for the end of
		// the answer (nats-server 2.15.2, client.go: processServiceImport).
		return false, nil
	}
	if t.position == t.end || meta.NumPending == 0 && t.mayHaveReachedEnd() {
		return true, t.yieldMark()
	}
	return true, nil
}

// mayHaveReachedEnd says whether nothing more before the end is a reason to believe that
// it was reached. A narrowed tail has no other; one of everything may be fed by
// a server that is itself behind.
func (t *tailReader) mayHaveReachedEnd() bool { return t.position >= t.end || len(t.filter) > 0 }

// yieldMark says, once, that the present has been given.
func (t *tailReader) yieldMark() error {
	if t.marked {
		return nil
	}
	t.marked = true
	if !t.yield(events.Entry{Mark: true, Event: events.Event{Seq: t.end}}, nil) {
		return errStopped
	}
	return nil
}

// checkMark marks if the server has nothing more for us.
func (t *tailReader) checkMark(ctx context.Context, cons jetstream.Consumer, delivered uint64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := cons.Info(ctx)
	if err == nil && info.NumPending == 0 && info.Delivered.Consumer == delivered {
		if t.emptyAnswers++; t.mayHaveReachedEnd() || t.emptyAnswers >= maxEmptyAnswers { // the end itself may have been removed from the log
			return t.yieldMark()
		}
	}
	return nil // whatever is wrong shows when it is read
}

// createConsumer makes one that goes on where the last one broke.
func (t *tailReader) createConsumer(ctx context.Context) (jetstream.Consumer, error) {
	cfg := jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: consumerIdleTime,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: t.position + 1, FilterSubjects: t.filter,
	}
	if t.position == 0 && !t.span.Past {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverLastPerSubjectPolicy, 0
		if len(t.filter) == 0 {
			cfg.FilterSubjects = []string{subject.All} // the policy demands a filter
		}
	}
	if len(cfg.FilterSubjects) == 1 { // named in the request's subject, so that permissions can tell
		cfg.FilterSubject, cfg.FilterSubjects = cfg.FilterSubjects[0], nil
	}
	var cons jetstream.Consumer
	err := t.log.conn.retry(ctx, "tail", func(ctx context.Context) (err error) {
		if cons, err = t.log.conn.createReaderConsumer(ctx, cfg); err != nil {
			return err
		}
		return t.checkEpoch(ctx)
	})
	return cons, contextCause(ctx, err)
}

// checkEpoch says whether the log is still the one that was opened: in one that
// was made anew, after a loss or from a copy, our position means nothing.
func (t *tailReader) checkEpoch(ctx context.Context) error {
	s, err := t.log.conn.js.Stream(ctx, subject.Stream)
	if err != nil {
		return err
	}
	if epoch := s.CachedInfo().Created.UnixMilli(); epoch != t.log.epoch {
		return pilot.Errorf(pilot.Conflict, "tail: the log of epoch %d was replaced by one of epoch %d: open it anew", t.log.epoch, epoch)
	}
	return nil
}

// waitToReopen waits a moment before the next consumer; the reason is for the log.
func (t *tailReader) waitToReopen(ctx context.Context, reason error) error {
	t.log.conn.log.Debug("tail goes on with another consumer", zap.Uint64("seq", t.position), zap.Error(reason))
	if t.log.conn.nc.IsClosed() {
		return &pilot.Error{Code: pilot.Unavailable, Op: "tail", Err: reason}
	}
	if !sleepContext(ctx, retryFirst) {
		return context.Cause(ctx)
	}
	return nil
}

// deleteConsumer removes a consumer if that is quickly done; the server forgets it
// anyway.
func (t *tailReader) deleteConsumer(cons jetstream.Consumer) {
	if !t.log.conn.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = t.log.conn.js.DeleteConsumer(ctx, subject.Stream, cons.CachedInfo().Name)
}

// pump carries messages from the client's goroutine to the reader's.
type pump struct {
	messages chan jetstream.Msg // as many as may be asked for
	broken   chan error         // the first reason is enough
	done     chan struct{}      // closed by the reader
}

func (p *pump) putMessage(m jetstream.Msg) {
	select {
	case p.messages <- m:
	case <-p.done:
	}
}

func (p *pump) putError(_ jetstream.ConsumeContext, err error) {
	select {
	case p.broken <- err:
	default:
	}
}
