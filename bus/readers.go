package bus

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

const (
	makingTime = 10 * time.Second // for JetStream to make a consumer; the libraries wait no longer
	makingMost = 32               // requests of one reader that are being answered
	// settlingTime is how long a new consumer is let be that nobody asks for messages.
	settlingTime = 10 * time.Second
)

// readers asks JetStream what readers ask about consumers, each about consumers of its
// own (package access). It remembers nothing: any replica does it for any reader.
type readers struct {
	conn     *Conn
	refusals rejectionLog
	sub      *nats.Subscription
	heard    bool // by the server we are connected to

	mu     sync.Mutex
	making map[string]*makings // by user
	made   sync.WaitGroup
}

// makings are requests of one reader, of which those for a consumer are answered one after
// the other.
type makings struct {
	turn sync.Mutex
	n    int // under readers.mu
}

// hear subscribes, unless the server denies that: its users are of before.
func (r *readers) hear() error {
	if r.heard = r.conn.probePermission("sub", subject.ReaderVerb(r.conn.newProbeName()).OfAnyReader()); !r.heard {
		return nil
	}
	old := r.sub
	sub, err := r.conn.nc.QueueSubscribe(subject.AnyReader, micro.DefaultQueueGroup, r.take)
	if err != nil {
		r.heard = false
		return err
	}
	r.sub = sub
	if old != nil {
		drainSubscriptions([]*nats.Subscription{old})
	}
	return nil
}

// stop ends that; what has come is still answered.
func (r *readers) stop() {
	if r.sub != nil {
		drainSubscriptions([]*nats.Subscription{r.sub})
	}
}

// take passes on one request. It does not wait.
func (r *readers) take(m *nats.Msg) {
	user, verb, rest, ok := subject.ParseReader(m.Subject)
	switch {
	case !ok:
		return
	case verb == subject.ReaderFlow:
		r.flow(user, rest)
	case !hasReplyInbox(m.Reply):
		r.refusals.logReplySubject(m.Reply)
	default:
		r.answer(user, verb, rest, m)
	}
}

// flow says to a consumer that what it has pushed is taken. Its name stands before the last
// word, behind that of the log.
func (r *readers) flow(user, rest string) {
	words := strings.Split(rest, ".")
	if n := len(words); (n == 3 || n == 5) && words[n-3] == subject.Stream && subject.OwnsConsumer(user, words[n-2]) {
		r.publish(&nats.Msg{Subject: subject.ReaderFlow.JetStream() + "." + rest})
	}
}

// answer has a goroutine answer one request, once it is read: what waits for its turn keeps
// nothing of the bytes that came.
func (r *readers) answer(user string, verb subject.ReaderVerb, rest string, m *nats.Msg) {
	ask := func(ctx context.Context, _ *makings) ([]byte, error) { return r.about(ctx, user, verb, rest) }
	if verb == subject.ReaderCreate || verb == subject.ReaderDurable {
		req, names, err := readConsumerRequest(user, rest, m.Data)
		if err != nil {
			r.refuse(user, verb, m, err)
			return
		}
		ask = func(ctx context.Context, mine *makings) ([]byte, error) {
			mine.turn.Lock()
			defer mine.turn.Unlock()
			return r.create(ctx, user, req, names)
		}
	}
	m.Data = nil
	mine, ok := r.admit(user)
	if !ok {
		r.refuse(user, verb, m, pilot.Errorf(pilot.Unavailable, "%d requests of user %s are being answered already", makingMost, user))
		return
	}
	r.made.Go(func() {
		defer r.leave(user, mine)
		ctx, cancel := context.WithTimeout(context.Background(), makingTime)
		defer cancel()
		answer, err := ask(ctx, mine)
		if err != nil {
			r.refuse(user, verb, m, err)
			return
		}
		r.publish(&nats.Msg{Subject: m.Reply, Data: answer})
	})
}

// about asks about a consumer of the reader, or removes it.
func (r *readers) about(ctx context.Context, user string, verb subject.ReaderVerb, consumer string) ([]byte, error) {
	switch {
	case subject.OwnsConsumer(user, consumer):
	case pilot.ValidToken(consumer): // libraries look whether there is one before they make it
		return nil, errNoConsumer
	default:
		return nil, pilot.Errorf(pilot.Denied, "user %s may not ask about consumer %.100q, which is another's", user, consumer)
	}
	return r.ask(ctx, verb.JetStream()+"."+consumer, nil)
}

func (r *readers) admit(user string) (*makings, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	mine := r.making[user]
	if mine == nil {
		mine = &makings{}
		r.making[user] = mine
	}
	if mine.n == makingMost {
		return nil, false
	}
	mine.n++
	return mine, true
}

func (r *readers) leave(user string, mine *makings) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if mine.n--; mine.n == 0 {
		delete(r.making, user)
	}
}

// create makes a consumer, under the first of its names that is free or was left by a reader
// that died. A reader that lives after all notices and has another one made.
func (r *readers) create(ctx context.Context, user string, req *consumerRequest, names []string) ([]byte, error) {
	for _, force := range []bool{false, true} {
		for _, name := range names {
			if force && !r.abandoned(ctx, name) {
				continue
			}
			body, err := req.named(name)
			if err != nil {
				return nil, invalidError("make a consumer", err)
			}
			answer, err := r.ask(ctx, subject.ReaderCreate.JetStream()+"."+name, body)
			if err != nil || len(names) == 1 || jsError(answer) != errConsumerExists {
				return answer, err
			}
		}
	}
	return nil, pilot.Errorf(pilot.Unavailable, "no consumer was made: user %s has %d of this kind, which are all read from; give the program a user of its own", user, len(names))
}

// abandoned says whether nobody asks a consumer for messages or listens to it, and removes
// it then.
func (r *readers) abandoned(ctx context.Context, consumer string) bool {
	var info struct {
		jetstream.ConsumerInfo
		Error *jetstream.APIError `json:"error"`
	}
	answer, err := r.ask(ctx, subject.ReaderInfo.JetStream()+"."+consumer, nil)
	if err == nil {
		err = json.Unmarshal(answer, &info)
	}
	if err != nil || info.Error != nil || info.NumWaiting > 0 || info.PushBound || info.TimeStamp.Sub(info.Created) < settlingTime {
		return false
	}
	_, err = r.ask(ctx, subject.ReaderDelete.JetStream()+"."+consumer, nil)
	return err == nil
}

// errNoConsumer: the reader has none of that name, whoever else may have one.
var errNoConsumer = pilot.Errorf(pilot.NotFound, "consumer not found")

// ask asks JetStream.
func (r *readers) ask(ctx context.Context, at string, data []byte) ([]byte, error) {
	answer, err := r.conn.nc.RequestWithContext(ctx, at, data)
	if err != nil {
		return nil, classify("ask JetStream for a reader", err)
	}
	return answer.Data, nil
}

// jsError is JetStream's code of an answer; 0: it is none.
func jsError(answer []byte) jetstream.ErrorCode {
	var said struct {
		Error jetstream.APIError `json:"error"`
	}
	_ = json.Unmarshal(answer, &said) // what cannot be read is the reader's to judge
	return said.Error.ErrorCode
}

// refuse answers as JetStream does.
func (r *readers) refuse(user string, verb subject.ReaderVerb, m *nats.Msg, err error) {
	if err != errNoConsumer { //nolint:errorlint // our own value, never wrapped
		r.refusals.logRequest(err, zap.String("actor", user), zap.String("endpoint", "consumer."+string(verb)))
	}
	why := oneLine(err.Error())
	kind := string(verb)
	if verb == subject.ReaderDurable {
		kind = string(subject.ReaderCreate)
	}
	data, _ := json.Marshal(map[string]any{ // texts and numbers always encode
		"type": "io.nats.jetstream.api.v1.consumer_" + kind + "_response", "error": apiError(err, why),
	})
	r.publish(&nats.Msg{Subject: m.Reply, Data: data})
}

// apiError is an error as JetStream has them. What may work later has a code after which
// libraries try again (nats.go 1.55.0, js.go: resetOrderedConsumer).
func apiError(err error, why string) jetstream.APIError {
	switch pilot.CodeOf(err) {
	case pilot.Denied:
		return jetstream.APIError{Code: http.StatusForbidden, ErrorCode: errBadRequest, Description: "denied: " + why}
	case pilot.NotFound:
		return jetstream.APIError{Code: http.StatusNotFound, ErrorCode: errConsumerGone, Description: why}
	case pilot.Invalid:
		return jetstream.APIError{Code: http.StatusBadRequest, ErrorCode: errBadRequest, Description: why}
	default:
		return jetstream.APIError{Code: http.StatusServiceUnavailable, ErrorCode: errNoResources, Description: why}
	}
}

// publish sends, or the reader asks again.
func (r *readers) publish(m *nats.Msg) {
	if err := r.conn.nc.PublishMsg(m); err != nil {
		r.refusals.log.Warn("a reader was not answered", zap.Error(err))
	}
}
