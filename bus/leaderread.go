package bus

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/subject"
)

// messageQuery asks the leader of a stream for one message. The client library asks
// any replica instead where a stream allows it, and 16 % of such reads right
// after an own append were stale on three replicas.
// Format: ADR-1 and ADR-31 of NATS, JSApiMsgGetRequest.
type messageQuery struct {
	Seq    uint64 `json:"seq,omitempty"`
	LastBy string `json:"last_by_subj,omitempty"`
	NextBy string `json:"next_by_subj,omitempty"` // at or behind Seq
}

// readFromLeader reads one message; nil: there is none. It asks again, until ctx ends,
// while there is no leader.
func (c *Conn) readFromLeader(ctx context.Context, stream string, q messageQuery) (m *nats.Msg, s *StoredMessage, err error) {
	request, err := json.Marshal(q)
	if err != nil {
		return nil, nil, err
	}
	err = c.retry(ctx, "read the log", func(ctx context.Context) (err error) {
		m, s, err = c.requestMessage(ctx, c.apiSubject(strings.TrimPrefix(subject.MessageGet(stream), subject.JetStreamAPI)), request)
		return err
	})
	return m, s, err
}

func (c *Conn) requestMessage(ctx context.Context, at string, request []byte) (*nats.Msg, *StoredMessage, error) {
	answer, err := c.nc.RequestWithContext(ctx, at, request)
	if err != nil {
		return nil, nil, err
	}
	var a struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(answer.Data, &a); err != nil {
		return nil, nil, err
	}
	if a.Error != nil {
		if a.Error.ErrorCode == errNoMessage {
			return nil, nil, nil
		}
		return nil, nil, a.Error
	}
	m := &nats.Msg{Subject: a.Message.Subject, Data: a.Message.Data}
	if len(a.Message.Header) > 0 {
		if m.Header, err = nats.DecodeHeadersMsg(a.Message.Header); err != nil {
			return nil, nil, err
		}
	}
	return m, &StoredMessage{
		Subject: m.Subject, Data: m.Data, Prev: expectedLastSeq(m.Header), Trace: traceparentOf(m.Header), Seq: a.Message.Seq, Time: a.Message.Time,
		Copied: directGetCount(m.Header) > 0,
	}, nil
}

// apiSubject is where the JetStream API answers, wherever its prefix was moved.
func (c *Conn) apiSubject(what string) string {
	switch o := c.js.Options(); {
	case o.APIPrefix != "":
		return strings.TrimSuffix(o.APIPrefix, ".") + "." + what
	case o.Domain != "":
		return subject.InDomain(o.Domain) + what
	default:
		return subject.JetStreamAPI + what
	}
}

// directGetCount is how often a message was read from a stream by a direct get, which
// leaves its former subject in the headers: a reader by direct get sees one more.
func directGetCount(h nats.Header) int { return len(h[jetstream.SubjectHeader]) }

func expectedLastSeq(h nats.Header) uint64 {
	values := h[jetstream.ExpectedLastSubjSeqHeader]
	if len(values) == 0 {
		return 0
	}
	prev, err := strconv.ParseUint(values[0], 10, 64)
	if err != nil {
		return 0
	}
	return prev
}

func (l *Log) readAt(ctx context.Context, seq uint64) (events.Entry, bool, error) {
	return l.readEntry(ctx, messageQuery{Seq: seq})
}

// readNext reads the first message of a subject at or behind seq.
func (l *Log) readNext(ctx context.Context, at string, seq uint64) (events.Entry, bool, error) {
	return l.readEntry(ctx, messageQuery{Seq: seq, NextBy: at})
}

func (l *Log) readLast(ctx context.Context, at string) (events.Entry, bool, error) {
	return l.readEntry(ctx, messageQuery{LastBy: at})
}

func (l *Log) readEntry(ctx context.Context, q messageQuery) (events.Entry, bool, error) {
	_, s, err := l.conn.readFromLeader(ctx, subject.Stream, q)
	if err != nil || s == nil {
		return events.Entry{}, false, err
	}
	entry, err := s.DecodeEntry()
	return entry, err == nil, err
}
