package bus

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

const (
	maxConsumerRequest = 16 << 10
	// How long the server keeps a consumer that nobody asks or listens to, and whose name
	// a library has made up: that is the libraries' own choice (nats.go 1.55.0, ordered.go).
	unnamedIdle = 5 * time.Minute
)

// consumerRequest is what JetStream is sent to make a consumer (nats-server 2.15.2,
// jetstream_api.go: CreateConsumerRequest).
type consumerRequest struct {
	Stream   string                    `json:"stream_name"`
	Config   *jetstream.ConsumerConfig `json:"config"`
	Action   string                    `json:"action,omitempty"`
	Pedantic bool                      `json:"pedantic,omitempty"`
}

// readConsumerRequest makes of a reader's request for a consumer of the log the one that
// makes it, and the names of which it may have the first that is free: rest is the name, and
// a filter, that the subject gave, and may be empty. What comes out says nothing that was
// not understood. Code denied: the reader may have no such consumer; invalid: it is no such
// request.
func readConsumerRequest(user, rest string, data []byte) (r *consumerRequest, names []string, err error) {
	r, err = decodeConsumerRequest(data)
	if err != nil {
		return nil, nil, err
	}
	cfg := r.Config
	name, filter, _ := strings.Cut(rest, ".")
	name = cmp.Or(name, cfg.Durable, cfg.Name, nuid.Next())
	var faults []string
	wrong := func(bad bool, fault string) {
		if bad {
			faults = append(faults, fault)
		}
	}
	wrong(r.Stream != subject.Stream, "stream_name must be "+subject.Stream)
	wrong(r.Action != "" && r.Action != "create" && r.Action != "update", "action must be create or update")
	wrong(cfg.Name != "" && cfg.Name != name || cfg.Durable != "" && cfg.Durable != name, "name and durable_name must be the name in the subject")
	wrong(filter != "" && (filter != cfg.FilterSubject || len(cfg.FilterSubjects) > 0), "filter_subject must be the one in the subject")
	if len(faults) > 0 {
		return nil, nil, pilot.Errorf(pilot.Invalid, "no consumer was made: %s", strings.Join(faults, "; "))
	}
	wrong(strings.HasPrefix(name, subject.QueuePrefix), "queues named "+subject.QueuePrefix+"… take a launcher of the resource")
	wrong(!pilot.ValidToken(name), "the name of a consumer "+pilot.TokenRule)
	push := cfg.DeliverSubject != ""
	wrong(push && !isInboxOf(user, cfg.DeliverSubject), "deliver_subject must be one inbox of the user, "+subject.Inbox(user)+".…")
	if subject.IsTailConsumer(user, name) {
		names = []string{name}
	} else {
		if cfg.InactiveThreshold > 0 { // it would go by itself: as that of 'nats stream view'
			cfg.Durable = ""
		}
		wrong(cfg.Durable != "", "durable consumers are named "+subject.TailNames(user))
		if cfg.AckPolicy != jetstream.AckNonePolicy {
			name = "" // it is no ordered one
		}
		names = subject.MadeConsumers(user, name, push)
		makeUnnamed(r)
	}
	if len(faults) > 0 {
		return nil, nil, pilot.Errorf(pilot.Denied, "user %s may not make that consumer: %s", user, strings.Join(faults, "; "))
	}
	return r, names, nil
}

// named is the body of the request under one of the names.
func (r *consumerRequest) named(name string) ([]byte, error) {
	r.Config.Name = name
	if r.Config.Durable != "" {
		r.Config.Durable = name
	}
	return json.Marshal(r)
}

// makeUnnamed has a consumer whose name a library has made up cost little, go once nobody
// reads it, and be no other one's.
func makeUnnamed(r *consumerRequest) {
	r.Action = "create"
	cfg := r.Config
	cfg.Description = "tail " + nuid.Next() // equal configurations would share a consumer
	cfg.MemoryStorage, cfg.Replicas, cfg.PauseUntil = true, 1, nil
	if cfg.InactiveThreshold <= 0 || cfg.InactiveThreshold > unnamedIdle {
		cfg.InactiveThreshold = unnamedIdle
	}
}

func decodeConsumerRequest(data []byte) (*consumerRequest, error) {
	if len(data) > maxConsumerRequest {
		return nil, pilot.Errorf(pilot.Invalid, "the request for a consumer is %d bytes, at most %d are read", len(data), maxConsumerRequest)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	r := &consumerRequest{}
	err := dec.Decode(r)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			return nil, pilot.Errorf(pilot.Invalid, "something stands behind the request for a consumer")
		}
	}
	switch {
	case err != nil:
		return nil, pilot.Errorf(pilot.Invalid, "the request for a consumer cannot be read: %v", err)
	case r.Config == nil:
		return nil, pilot.Errorf(pilot.Invalid, "the request for a consumer has no config")
	}
	return r, nil
}

// isInboxOf says whether a subject is one that only the user hears.
func isInboxOf(user, inbox string) bool {
	rest, ok := strings.CutPrefix(inbox, subject.Inbox(user)+".")
	for word := range strings.SplitSeq(rest, ".") {
		ok = ok && word != "" && !strings.ContainsFunc(word, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '*' || c == '>' })
	}
	return ok
}
