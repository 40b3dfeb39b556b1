package auth_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/pilot"
)

// TestAcknowledgementsTakeNothingFromQueues: an acknowledgement may ask for the next message,
// so that nobody may send one to a consumer of somebody else, whatever stands behind its name.
func TestAcknowledgementsTakeNothingFromQueues(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, usualUsers()...)
		m := h.connectManager(t)
		if _, err := h.connectAs(t, "launcher-site-a-host").CommandQueue(t.Context(), here, bus.CommandQueueConfig{}); err != nil {
			t.Fatal(err)
		}
		log, err := m.Log(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := log.Append(t.Context(), birthEvent(pilot.Key{Resource: here, Manager: "m", Pilot: "p"})); err != nil {
			t.Fatal(err)
		}
		own := map[string]string{
			"manager": "tail-manager-0", "watcher": "tail-watcher-0", "subscriber": "tail-subscriber-0", "launcher-site-b-host": "launcher-site-b=host",
		}
		for name, consumer := range own {
			nc := h.rawConn(t, name)
			ask := &nats.Msg{
				Subject: "$JS.ACK.PILOTS.launcher-site-a=host.PILOTS." + consumer + ".1.1.1", Reply: "_INBOX_" + name + ".taken", Data: []byte("+NXT 1"),
			}
			if err := nc.PublishMsg(ask); err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil { // it is at the server, which knows what it does
				t.Fatal(err)
			}
		}
		admin, err := jetstream.New(h.rawConn(t, "admin"), jetstream.WithDefaultTimeout(hangs))
		if err != nil {
			t.Fatal(err)
		}
		// What asks for messages stands in line: the launcher's own request is behind theirs.
		queue, err := admin.Consumer(t.Context(), "PILOTS", "launcher-site-a=host")
		if err != nil {
			t.Fatal(err)
		}
		got, err := queue.Next(jetstream.FetchContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if about, err := got.Metadata(); err != nil || about.Sequence.Consumer != 1 {
			t.Errorf("the launcher's first message is the consumer's %+v, %v", about, err)
		}
	})
}

// TestManagersLeaveQueuesAlone: they may make consumers of other names than those of queues, and
// the body of the request names none but the subject does.
func TestManagersLeaveQueuesAlone(t *testing.T) {
	t.Parallel()
	h := newFixture(t, auth.NKey, usualUsers()...)
	h.connectManager(t)
	if _, err := h.connectAs(t, "launcher-site-a-host").CommandQueue(t.Context(), here, bus.CommandQueueConfig{}); err != nil {
		t.Fatal(err)
	}
	admin, err := jetstream.New(h.rawConn(t, "admin"), jetstream.WithDefaultTimeout(hangs))
	if err != nil {
		t.Fatal(err)
	}
	before, nc := states(t, admin), h.rawConn(t, "manager")
	for _, names := range []string{`"name":"launcher-site-a=host"`, `"durable_name":"launcher-site-a=host"`, `"name":"x","durable_name":"launcher-site-a=host"`, `"name":"launcher-site-a=host","durable_name":"x"`} {
		body := `{"stream_name":"PILOTS","config":{` + names + `,"ack_policy":"explicit","deliver_policy":"all","replay_policy":"instant","filter_subject":"pilots.cmd.x"}}`
		for _, subject := range []string{"CONSUMER.CREATE.PILOTS.x", "CONSUMER.CREATE.PILOTS.x.pilots.cmd.x", "CONSUMER.DURABLE.CREATE.PILOTS.x"} {
			refusedBy(t, nc, subject, body) // or x is made, which is the manager's
		}
	}
	if err := admin.DeleteConsumer(t.Context(), "PILOTS", "x"); err != nil {
		t.Errorf("none of them makes a consumer, this test is void: %v", err)
	}
	if after := states(t, admin); after != before {
		t.Errorf("before %s\nafter %s", before, after)
	}
}
