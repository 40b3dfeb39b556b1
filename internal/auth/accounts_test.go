package auth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/pilot"
)

// targets are subjects at which an answer would do harm, and a body that would do
// it there.
var targets = map[string]string{
	"pilots.evt." + there + ".m.p":                  `{}`,
	"pilots.evt." + here[:6] + ".other.m.p":         `{}`,
	"pilots.cmd." + there + ".m.p.submit":           `{}`,
	"pilots.note." + there + ".m.p":                 `{}`,
	"pilots.mgr.x":                                  `{}`,
	"pilots.res." + there:                           `{}`,
	"pilots.api.echo":                               `{}`,
	"pilots.user.client.echo":                       `{}`,
	"$KV.PILOTS_LEASES.launcher." + there + ".x":    `{}`,
	"$KV.PILOTS_LEASES.poll.site-b.e":               `{}`,
	"$JS.API.STREAM.DELETE.PILOTS":                  ``,
	"$JS.API.STREAM.DELETE.KV_PILOTS_LEASES":        ``,
	"$JS.API.STREAM.PURGE.KV_PILOTS_LEASES":         ``,
	"$JS.API.STREAM.MSG.DELETE.PILOTS":              `{"seq":1,"no_erase":true}`,
	"$JS.API.STREAM.CREATE.OTHER":                   `{"name":"OTHER","subjects":["other"],"storage":"memory","retention":"limits","num_replicas":1}`,
	"$JS.API.CONSUMER.DELETE.PILOTS.tail-admin-0":   ``,
	"$JS.ACK.PILOTS.launcher-site-b=host.1.1.1.1.0": `+TERM`,
}

// streamContents is all that there is of streams and consumers.
func streamContents(t *testing.T, js jetstream.JetStream) string {
	t.Helper()
	var all string
	streams := js.ListStreams(t.Context())
	for s := range streams.Info() {
		all += fmt.Sprintf("%s %+v %d messages to %d\n", s.Config.Name, s.Config.Subjects, s.State.Msgs, s.State.LastSeq)
		held, err := js.Stream(t.Context(), s.Config.Name)
		if err != nil {
			t.Fatal(err)
		}
		for name := range held.ConsumerNames(t.Context()).Name() {
			all += " read by " + name + "\n"
		}
	}
	if err := streams.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAnswersStayWithWhoAsks: whoever may read the log names the place for the
// answer. It is one in his own account, and reaches the log's by what he may publish
// himself, and no other way.
func TestAnswersStayWithWhoAsks(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h, js, echoed := newServingFixture(t, mode)
		if _, err := js.CreateConsumer(t.Context(), "PILOTS", jetstream.ConsumerConfig{Name: "tail-admin-0", AckPolicy: jetstream.AckNonePolicy, InactiveThreshold: time.Hour}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"launcher-site-a-host", "watcher", "subscriber"} {
			tail := "tail-" + name + "-0"
			nc := h.rawConn(t, name)
			own, err := jetstream.New(nc, jetstream.WithDefaultTimeout(hangs))
			if err != nil {
				t.Fatal(err)
			}
			for target, body := range targets {
				first := write(t, js, body)
				if _, err := own.CreateConsumer(t.Context(), "PILOTS", jetstream.ConsumerConfig{
					Name: tail, AckPolicy: jetstream.AckNonePolicy, InactiveThreshold: time.Hour, MemoryStorage: true, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: first,
				}); err != nil {
					t.Fatal(err)
				}
				write(t, js, body)
				before := streamContents(t, js)
				for _, ask := range []struct{ subject, body string }{
					{"$JS.API.DIRECT.GET.PILOTS", fmt.Sprintf(`{"seq":%d}`, first)},
					{"$JS.API.DIRECT.GET.PILOTS", `{"seq":1000000}`}, // its answer has no body
					{"$JS.API.STREAM.MSG.GET.PILOTS", fmt.Sprintf(`{"seq":%d}`, first)},
					{"$JS.API.STREAM.INFO.PILOTS", ``},
					{"$JS.API.CONSUMER.INFO.PILOTS." + tail, ``},
					{"$JS.API.CONSUMER.CREATE.PILOTS." + tail, `{`},
					{"$JS.API.CONSUMER.MSG.NEXT.PILOTS." + tail, `1`},
				} {
					if err := nc.PublishMsg(&nats.Msg{Subject: ask.subject, Reply: target, Data: []byte(ask.body)}); err != nil {
						t.Fatal(err)
					}
					// Who is asked answers in order: once this answer is there, so is that one.
					if _, err := nc.Request(ask.subject, []byte(ask.body), time.Minute/2); err != nil {
						t.Fatalf("%s as %s, after an answer to %s: %v", ask.subject, name, target, err)
					}
				}
				if after := streamContents(t, js); after != before {
					t.Errorf("%s had an answer sent to %s:\nbefore %s\nafter  %s", name, target, before, after)
				}
				if err := own.DeleteConsumer(t.Context(), "PILOTS", tail); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := echoed.Load(); n > 0 {
			t.Errorf("%d answers were taken for requests", n)
		}
	})
}

// write puts a body into the log, where a launcher may, and gives its position.
func write(t *testing.T, js jetstream.JetStream, body string) uint64 {
	t.Helper()
	ack, err := js.Publish(t.Context(), "pilots.note."+here+".m.p", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

// newServingFixture is a house with log and leases, whose manager answers and counts, and its
// admin; more are users beside the usual ones.
func newServingFixture(t *testing.T, mode auth.Mode, more ...access.User) (*fixture, jetstream.JetStream, *atomic.Int64) {
	t.Helper()
	h := newFixture(t, mode, append(usualUsers(), more...)...)
	m := h.connectManager(t)
	if _, err := m.Leases(t.Context(), time.Minute, 1); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(h.rawConn(t, "admin"), jetstream.WithDefaultTimeout(hangs))
	if err != nil {
		t.Fatal(err)
	}
	return h, js, h.serveEcho(t, m)
}

// serveEcho has a manager answer, and counts.
func (h *fixture) serveEcho(t *testing.T, m *bus.Conn) *atomic.Int64 {
	t.Helper()
	n := new(atomic.Int64)
	stop, err := m.Serve(t.Context(), bus.Service{Name: "pilots", Version: "1.0.0", Endpoints: []bus.Endpoint{{
		Name: "echo", Handle: func(context.Context, bus.Request) (any, uint64, error) { n.Add(1); return struct{}{}, 0, nil },
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return n
}

// TestAConsumerAsksNothing: a consumer that pushes does so in the account of the log,
// to a subject that somebody listens to by that very name: endpoints of managers. To
// them it is no request.
func TestAConsumerAsksNothing(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h, js, echoed := newServingFixture(t, mode)
		write(t, js, `{}`)
		nc := h.rawConn(t, "launcher-site-a-host")
		push := func(slot int, target string) (uint64, error) {
			name := fmt.Sprintf("tail-launcher-site-a-host-%d", slot)
			config := fmt.Sprintf(`{"stream_name":"PILOTS","config":{"name":%q,"deliver_policy":"all","ack_policy":"none","replay_policy":"instant","deliver_subject":%q,"deliver_group":"q"}}`, name, target)
			answer, err := nc.RequestWithContext(t.Context(), "$JS.API.CONSUMER.CREATE.PILOTS."+name, []byte(config))
			for err == nil {
				var said struct {
					Error     *jetstream.APIError    `json:"error"`
					Bound     bool                   `json:"push_bound"`
					Delivered jetstream.SequenceInfo `json:"delivered"`
				}
				if err = json.Unmarshal(answer.Data, &said); err != nil || said.Error != nil {
					return 0, said.Error
				}
				if !said.Bound || said.Delivered.Stream > 0 {
					return said.Delivered.Stream, nil
				}
				answer, err = nc.RequestWithContext(t.Context(), "$JS.API.CONSUMER.INFO.PILOTS."+name, nil)
			}
			return 0, err
		}
		for i, target := range []string{"$KV.PILOTS_LEASES.launcher." + there + ".x", "$JS.API.STREAM.DELETE.KV_PILOTS_LEASES", "pilots.agent." + there + ".m.p.finish", "pilots.user.client.echo"} {
			if n, err := push(i, target); n > 0 || err != nil {
				t.Errorf("%s: %d delivered, %v", target, n, err)
			}
		}
		if n, err := push(7, "pilots.evt."+there+".m.p"); err == nil {
			t.Errorf("into the log: %d delivered", n)
		}
		if n, err := push(6, "pilots.api.echo"); n == 0 || err != nil {
			t.Errorf("to an endpoint: %d delivered, %v: this test is void", n, err)
		}
		if _, err := h.rawConn(t, "client").RequestWithContext(t.Context(), "pilots.api.echo", nil); err != nil {
			t.Fatal(err)
		}
		if n := echoed.Load(); n != 1 {
			t.Errorf("the manager answered %d times", n)
		}
	})
}

// TestEmptyMessagesEndNoTail: servers take one for the end of what they answer to
// another account.
func TestEmptyMessagesEndNoTail(t *testing.T) {
	t.Parallel()
	h := newFixture(t, auth.NKey, usualUsers()...)
	m := h.connectManager(t)
	js, err := jetstream.New(h.rawConn(t, "admin"), jetstream.WithDefaultTimeout(hangs))
	if err != nil {
		t.Fatal(err)
	}
	const n = 40
	for range n {
		write(t, js, "")
	}
	log, err := m.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Append(t.Context(), birthEvent(pilot.Key{Resource: here, Manager: "m", Pilot: "p"})); err != nil {
		t.Fatal(err)
	}
	reader, err := h.connectAs(t, "subscriber").Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(1)
	for e, err := range reader.Tail(t.Context(), events.Span{Past: true}) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Mark && next == n+2:
			return
		case e.Mark || e.Seq != next:
			t.Fatalf("%+v comes where %d should", e, next)
		}
		next++
	}
}

// TestWhoIsNewIsAnswered, in an account that is new, once the server has read it.
func TestWhoIsNewIsAnswered(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, usualUsers()...)
		h.serveEcho(t, h.connectAs(t, "manager"))
		if _, err := h.Add(access.User{Role: access.Client, Name: "new"}); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second one has it listen to what the account imports
			if err := h.server.Reload(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.rawConn(t, "new").RequestWithContext(t.Context(), "pilots.api.echo", nil); err != nil {
			t.Error(err)
		}
	})
}
