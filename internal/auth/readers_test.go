package auth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/internal/subject"
)

// change has the launcher write one change.
func change(t *testing.T, js jetstream.JetStream, pilot string) uint64 {
	t.Helper()
	ack, err := js.Publish(t.Context(), "pilots.evt."+here+".m."+pilot, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

// TestOrderedConsumersGoOn: those of nats.go, which make up their names, lose nothing and give
// nothing twice when they are removed, and when the connection is.
func TestOrderedConsumersGoOn(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, usualUsers()...)
		h.connectManager(t)
		writer, err := jetstream.New(h.rawConn(t, "launcher-site-a-host"), jetstream.WithDefaultTimeout(hangs))
		if err != nil {
			t.Fatal(err)
		}
		admin, err := jetstream.New(h.rawConn(t, "admin"), jetstream.WithDefaultTimeout(hangs))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"manager", "watcher", "subscriber"} {
			about := "ordered-" + name
			nc := h.rawConn(t, name)
			next := pulls(t, nc, about)
			pushed := pushes(t, h.rawConn(t, name), about)
			for round := range 4 {
				for range storedPilots {
					want := change(t, writer, about)
					if seq, err := next(); err != nil || seq != want {
						t.Fatalf("%s, round %d: %d, %v; want %d", name, round, seq, err, want)
					}
					if seq, err := pushed(); err != nil || seq != want {
						t.Fatalf("%s, round %d, pushed: %d, %v; want %d", name, round, seq, err, want)
					}
				}
				if round%2 == 0 {
					removeOrdered(t, admin)
				} else if err := nc.ForceReconnect(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestReadingGoesOnWithoutAManager, which it takes to begin, also anew.
func TestReadingGoesOnWithoutAManager(t *testing.T) {
	t.Parallel()
	h := newFixture(t, auth.NKey, usualUsers()...)
	m := h.connectAs(t, "manager")
	if err := m.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	stop, err := m.Serve(t.Context(), bus.Service{Name: "readers", Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	writer, err := jetstream.New(h.rawConn(t, "launcher-site-a-host"), jetstream.WithDefaultTimeout(hangs))
	if err != nil {
		t.Fatal(err)
	}
	nc := h.rawConn(t, "subscriber")
	next := pulls(t, nc, "alone")
	stop()
	want := change(t, writer, "alone")
	if seq, err := next(); err != nil || seq != want {
		t.Fatalf("without a manager: %d, %v; want %d", seq, err, want)
	}
	if _, err := nc.RequestWithContext(t.Context(), "$JS.API.CONSUMER.CREATE.PILOTS.x_1", nil); !errors.Is(err, nats.ErrNoResponders) {
		t.Fatalf("a consumer is made without a manager: %v", err)
	}
	if err := nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	h.serve(t, m)
	want = change(t, writer, "alone")
	if seq, err := next(); err != nil || seq != want {
		t.Fatalf("with one again: %d, %v; want %d", seq, err, want)
	}
}

// removeOrdered removes all consumers that are pulled from.
func removeOrdered(t *testing.T, admin jetstream.JetStream) {
	t.Helper()
	s, err := admin.Stream(t.Context(), "PILOTS")
	if err != nil {
		t.Fatal(err)
	}
	all := s.ListConsumers(t.Context())
	for info := range all.Info() {
		if info.Config.DeliverSubject != "" {
			continue
		}
		if err := s.DeleteConsumer(t.Context(), info.Name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			t.Fatal(err)
		}
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
}

// pulls reads a pilot's changes by an ordered consumer, and gives the position of the next.
func pulls(t *testing.T, nc *nats.Conn, about string) func() (uint64, error) {
	t.Helper()
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(hangs))
	if err != nil {
		t.Fatal(err)
	}
	cons, err := js.OrderedConsumer(t.Context(), "PILOTS", jetstream.OrderedConsumerConfig{FilterSubjects: []string{"pilots.evt.*.*.m." + about}})
	if err != nil {
		t.Fatal(err)
	}
	it, err := cons.Messages()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(it.Stop)
	return func() (uint64, error) {
		m, err := it.Next(jetstream.NextContext(t.Context()))
		if err != nil {
			return 0, err
		}
		meta, err := m.Metadata()
		if err != nil {
			return 0, err
		}
		return meta.Sequence.Stream, nil
	}
}

// pushes does the same by the older kind.
func pushes(t *testing.T, nc *nats.Conn, about string) func() (uint64, error) {
	t.Helper()
	js, err := nc.JetStream(nats.MaxWait(hangs))
	if err != nil {
		t.Fatal(err)
	}
	sub, err := js.SubscribeSync("pilots.evt.*.*.m."+about, nats.OrderedConsumer())
	if err != nil {
		t.Fatal(err)
	}
	return func() (uint64, error) {
		m, err := sub.NextMsgWithContext(t.Context())
		if err != nil {
			return 0, err
		}
		meta, err := m.Metadata()
		if err != nil {
			return 0, err
		}
		return meta.Sequence.Stream, nil
	}
}

// TestWhatIsPushedFlows: more than a server pushes before it is told that it arrives.
func TestWhatIsPushedFlows(t *testing.T) {
	t.Parallel()
	h := newFixture(t, auth.NKey, usualUsers()...)
	h.connectManager(t)
	writer, err := jetstream.New(h.rawConn(t, "launcher-site-a-host"), jetstream.WithDefaultTimeout(hangs))
	if err != nil {
		t.Fatal(err)
	}
	const many = 600
	body := []byte(strings.Repeat("x", 16<<10))
	for range many {
		if _, err := writer.PublishAsync("pilots.evt."+here+".m.flow", body); err != nil {
			t.Fatal(err)
		}
	}
	<-writer.PublishAsyncComplete()
	pushed := pushes(t, h.rawConn(t, "subscriber"), "flow")
	for i := range uint64(many) {
		if seq, err := pushed(); err != nil || seq != i+1 {
			t.Fatalf("%d, %v comes where %d should", seq, err, i+1)
		}
	}
}

// TestAnEmbeddedServerLetsRead by ordered consumers of any name, whose managers are in its own
// process.
func TestAnEmbeddedServerLetsRead(t *testing.T) {
	t.Parallel()
	set, s := startEmbedded(t)
	m, err := bus.Connect(t.Context(), bus.Config{InProcess: s})
	if err == nil {
		err = m.EnsureStream(t.Context(), bus.StreamConfig{})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	(&fixture{Set: set}).serve(t, m)
	connect := func(name string) *nats.Conn {
		key, err := nats.NkeyOptionFromSeed(set.CredentialsPath(name))
		if err != nil {
			t.Fatal(err)
		}
		nc, err := nats.Connect(s.URL(), key, nats.CustomInboxPrefix("_INBOX_"+name), nats.Timeout(hangs))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	writer, err := jetstream.New(connect("launcher-site-a-host"), jetstream.WithDefaultTimeout(hangs))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"admin", "manager", "watcher", "subscriber"} {
		next, pushed, want := pulls(t, connect(name), name), pushes(t, connect(name), name), change(t, writer, name)
		if seq, err := next(); err != nil || seq != want {
			t.Errorf("%s: %d, %v; want %d", name, seq, err, want)
		}
		if seq, err := pushed(); err != nil || seq != want {
			t.Errorf("%s, pushed: %d, %v; want %d", name, seq, err, want)
		}
	}
}

// TestReadersOfBeforeReadOn: with the configuration of an earlier version they read as they
// did, and once it is made anew, and read, by any name, without a restart of the manager.
func TestReadersOfBeforeReadOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	set := newDirectory(t, filepath.Join(dir, "auth"), auth.NKey, usualUsers()...)
	now := read(t, set.ConfPath())
	before := strings.ReplaceAll(now, `"pilots.reader.>"`, `"pilots.none.>"`)
	for verb, ask := range map[string]string{"create": "CONSUMER.CREATE", "info": "CONSUMER.INFO", "delete": "CONSUMER.DELETE"} {
		before = strings.ReplaceAll(before, `"pilots.reader.`+verb+`.subscriber.>" }, to: "$JS.API.`+ask+`.PILOTS.>"`, `"$JS.API.`+ask+`.PILOTS.tail-subscriber-0" }, to: "$JS.API.`+ask+`.PILOTS.tail-subscriber-0"`)
	}
	if strings.Count(before, `to: "$JS.API.CONSUMER.CREATE.PILOTS.tail-subscriber-0"`) != 1 {
		t.Fatal("this test is void")
	}
	conf := filepath.Join(dir, "nats.conf")
	text := "listen: 127.0.0.1:-1\njetstream { store_dir: " + filepath.Join(dir, "store") + " }\nmax_payload: 2MB\ninclude auth/auth.conf\n"
	if err := errors.Join(os.WriteFile(conf, []byte(text), 0o600), os.WriteFile(set.ConfPath(), []byte(before), 0o600)); err != nil {
		t.Fatal(err)
	}
	h := &fixture{Set: set, server: startServer(t, conf)}
	h.connectManager(t)
	nc := h.rawConn(t, "subscriber")
	const config = `{"stream_name":"PILOTS","config":{"deliver_policy":"all","ack_policy":"none","replay_policy":"instant"}}`
	if said := refusedBy(t, nc, "CONSUMER.CREATE.PILOTS.tail-subscriber-0", config); said != "" {
		t.Errorf("before: %s", said)
	}
	if err := os.WriteFile(set.ConfPath(), []byte(now), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.server.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	for {
		_, err := h.rawConn(t, "subscriber").RequestWithContext(t.Context(), "$JS.API.CONSUMER.CREATE.PILOTS.any_1", []byte(config))
		if err == nil {
			break
		}
		if !errors.Is(err, nats.ErrNoResponders) {
			t.Fatal(err)
		}
	}
}

// TestReadersHaveNoOthersConsumers: whatever name, place or subject a reader gives, queues of
// launchers and consumers of other users stay as they are, and nothing is pushed elsewhere.
func TestReadersHaveNoOthersConsumers(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, append(usualUsers(), access.User{Role: access.Subscriber, Name: "subscriber-0"})...)
		h.connectManager(t)
		launcher := h.connectAs(t, "launcher-site-a-host")
		if _, err := launcher.CommandQueue(t.Context(), here, bus.CommandQueueConfig{}); err != nil {
			t.Fatal(err)
		}
		admin, err := jetstream.New(h.rawConn(t, "admin"), jetstream.WithDefaultTimeout(hangs))
		if err != nil {
			t.Fatal(err)
		}
		others := []string{"launcher-site-a=host", "tail-watcher-0", "tail=watcher=0", "tail=watcher=0_1", "tail-subscriber-0-0", "tail-admin"}
		for _, name := range others[1:] {
			if _, err := admin.CreateConsumer(t.Context(), "PILOTS", jetstream.ConsumerConfig{Name: name, AckPolicy: jetstream.AckNonePolicy}); err != nil {
				t.Fatal(err)
			}
		}
		before := states(t, admin)
		nc := h.rawConn(t, "subscriber")
		for _, name := range others {
			config := fmt.Sprintf(`{"stream_name":"PILOTS","config":{"name":%q,"durable_name":%[1]q,"deliver_policy":"all","ack_policy":"explicit","replay_policy":"instant","filter_subject":"pilots.cmd.x"}}`, name)
			for _, ask := range []struct{ subject, body string }{
				{"CONSUMER.CREATE.PILOTS." + name, config},
				{"CONSUMER.CREATE.PILOTS." + name + ".pilots.cmd.x", config},
				{"CONSUMER.CREATE.PILOTS", config},
				{"CONSUMER.DURABLE.CREATE.PILOTS." + name, config},
				{"CONSUMER.DURABLE.CREATE.PILOTS.tail-subscriber-0", config},
				{"CONSUMER.INFO.PILOTS." + name, ""},
				{"CONSUMER.DELETE.PILOTS." + name, ""},
			} {
				if said := refusedBy(t, nc, ask.subject, ask.body); said == "" {
					t.Errorf("%s is done", ask.subject)
				}
			}
			if isAllowed(t, nc, "pub", "$JS.API.CONSUMER.MSG.NEXT.PILOTS."+name) {
				t.Errorf("messages of %s may be asked for", name)
			}
		}
		for _, to := range []string{"pilots.api.echo", "_INBOX_watcher.x", "_INBOX_subscriber.>", "pilots.evt." + here + ".m.p", "$JS.API.STREAM.DELETE.PILOTS"} {
			config := fmt.Sprintf(`{"stream_name":"PILOTS","config":{"name":"tail-subscriber-1","deliver_policy":"all","ack_policy":"none","replay_policy":"instant","deliver_subject":%q}}`, to)
			if said := refusedBy(t, nc, "CONSUMER.CREATE.PILOTS.tail-subscriber-1", config); !strings.Contains(said, "denied: ") {
				t.Errorf("a push to %s: %q", to, said)
			}
		}
		if after := states(t, admin); after != before {
			t.Errorf("before %s\nafter %s", before, after)
		}
	})
}

// states are the configurations of all consumers.
func states(t *testing.T, js jetstream.JetStream) string {
	t.Helper()
	s, err := js.Stream(t.Context(), "PILOTS")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	list := s.ListConsumers(t.Context())
	for info := range list.Info() {
		all = append(all, fmt.Sprintf("%s %+v\n", info.Name, info.Config))
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "")
}

// refusedBy asks JetStream, and gives the error of its answer; empty: it has none.
func refusedBy(t *testing.T, nc *nats.Conn, subject, body string) string {
	t.Helper()
	answer, err := nc.RequestWithContext(t.Context(), "$JS.API."+subject, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	var said struct {
		Type  string              `json:"type"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &said); err != nil || !strings.HasPrefix(said.Type, "io.nats.jetstream.api.v1.consumer_") {
		t.Fatalf("%s: %s, %v", subject, answer.Data, err)
	}
	if said.Error == nil {
		return ""
	}
	return said.Error.Description
}

// TestAReaderHasSoManyConsumers: one more is refused, and what can be done is said.
func TestAReaderHasSoManyConsumers(t *testing.T) {
	t.Parallel()
	h := newFixture(t, auth.NKey, usualUsers()...)
	h.connectManager(t)
	nc := h.rawConn(t, "subscriber")
	const config = `{"stream_name":"PILOTS","config":{"deliver_policy":"all","ack_policy":"none","replay_policy":"instant"}}`
	for i := range subject.MadeSlots {
		if said := refusedBy(t, nc, fmt.Sprintf("CONSUMER.CREATE.PILOTS.x%d_7", i), config); said != "" {
			t.Fatal(said)
		}
	}
	if said := refusedBy(t, nc, "CONSUMER.CREATE.PILOTS.more_7", config); !strings.Contains(said, "a user of its own") {
		t.Errorf("one more: %q", said)
	}
	if said := refusedBy(t, nc, "CONSUMER.CREATE.PILOTS.more_8", config); said != "" {
		t.Errorf("after an interruption: %q", said)
	}
}
