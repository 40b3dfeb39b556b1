package bus

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// orderedRequest is what nats.go asks for an ordered consumer with.
const orderedRequest = `{"stream_name":"PILOTS","config":{"name":"n_3","deliver_policy":"all","ack_policy":"none","replay_policy":"instant","num_replicas":1,"mem_storage":true},"action":""}`

// TestWhatReadersMayAskFor: consumers of any name that go by themselves, and durable ones of
// the user's names.
func TestWhatReadersMayAskFor(t *testing.T) {
	t.Parallel()
	config := func(fields string) string {
		return `{"stream_name":"PILOTS","config":{` + fields + `"deliver_policy":"all","ack_policy":"none","replay_policy":"instant","num_replicas":0}}`
	}
	for _, c := range []struct {
		rest, data, name string
		code             pilot.Code
	}{
		{"n_3", orderedRequest, "tail=u=0_3", ""},
		{"", config(``), "tail=u=0", ""},
		{"x_99", config(``), "tail=u=0_35", ""},
		{"x_-1", config(``), "tail=u=0", ""},
		{"x.pilots.evt.>", config(`"filter_subject":"pilots.evt.>",`), "tail=u=0", ""},
		{"x", config(`"deliver_subject":"_INBOX_u.a.b",`), "tail=u=0-push", ""},
		{"tail-u-3", strings.Replace(config(`"durable_name":"tail-u-3",`), "none", "explicit", 1), "tail-u-3", ""},
		{"x", config(`"durable_name":"x","inactive_threshold":300000000000,`), "tail=u=0", ""},
		{"tail-u-8", config(``), "tail=u=0", ""},
		{"n_3", strings.Replace(orderedRequest, "PILOTS", "KV_PILOTS_LEASES", 1), "", pilot.Invalid},
		{"other", orderedRequest, "", pilot.Invalid},
		{"x", config(`"durable_name":"y",`), "", pilot.Invalid},
		{"x.pilots.evt.>", config(`"filter_subject":"pilots.cmd.>",`), "", pilot.Invalid},
		{"x", config(`"direct":true,`), "", pilot.Invalid},
		{"x", config(``) + config(``), "", pilot.Invalid},
		{"x", `{"stream_name":"PILOTS"}`, "", pilot.Invalid},
		{"x", ``, "", pilot.Invalid},
		{"x", config(`"description":"` + strings.Repeat("x", maxConsumerRequest) + `",`), "", pilot.Invalid},
		{"x", config(`"durable_name":"x",`), "", pilot.Denied},
		{"x_5", strings.Replace(config(``), "none", "explicit", 1), "tail=u=0", ""},
		{"launcher-a=b", config(``), "", pilot.Denied},
		{"tail=v=0", config(``), "", pilot.Denied},
		{"x", config(`"deliver_subject":"_INBOX_v.a",`), "", pilot.Denied},
		{"x", config(`"deliver_subject":"_INBOX_u.*",`), "", pilot.Denied},
		{"x", config(`"deliver_subject":"_INBOX_u.",`), "", pilot.Denied},
		{"tail-u-3", config(`"deliver_subject":"pilots.api.pilot.cancel",`), "", pilot.Denied},
	} {
		r, names, err := readConsumerRequest("u", c.rest, []byte(c.data))
		switch {
		case pilot.CodeOf(err) != c.code:
			t.Errorf("%s %.200s: %v, want code %q", c.rest, c.data, err, c.code)
		case err == nil && names[0] != c.name:
			t.Errorf("%s %.200s: named %s, want %s", c.rest, c.data, names[0], c.name)
		case err == nil && !subject.IsTailConsumer("u", c.name) && (!r.Config.MemoryStorage || r.Config.InactiveThreshold != unnamedIdle || r.Action != "create"):
			t.Errorf("%s stays: %+v", c.name, r.Config)
		}
	}
}

// FuzzConsumerRequest: whatever a reader sends, a consumer of its own comes out, which is
// durable only under a name that is kept for it and pushes to its inboxes only.
func FuzzConsumerRequest(f *testing.F) {
	f.Add("n_3", []byte(orderedRequest))
	f.Add("tail-u-1.pilots.>", []byte(`{"stream_name":"PILOTS","config":{"durable_name":"tail-u-1","filter_subject":"pilots.>","deliver_subject":"_INBOX_u.x"}}`))
	f.Add("", []byte(`{"stream_name":"PILOTS","config":{"name":"launcher-a=b","Name":"x"}}`))
	f.Fuzz(func(t *testing.T, rest string, data []byte) {
		r, names, err := readConsumerRequest("u", rest, data)
		if err != nil {
			if code := pilot.CodeOf(err); code != pilot.Invalid && code != pilot.Denied {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		for _, name := range names {
			body, err := r.named(name)
			if err != nil {
				t.Fatal(err)
			}
			var sent struct {
				Stream string                   `json:"stream_name"`
				Config jetstream.ConsumerConfig `json:"config"`
			}
			if err := json.Unmarshal(body, &sent); err != nil {
				t.Fatal(err)
			}
			cfg := sent.Config
			kept := subject.IsTailConsumer("u", name)
			switch {
			case sent.Stream != subject.Stream, cfg.Name != name, !subject.OwnsConsumer("u", name), !pilot.ValidToken(strings.ReplaceAll(name, "=", "-")):
				t.Fatalf("%q makes %s", data, body)
			case cfg.Durable != "" && cfg.Durable != name, !kept && (cfg.Durable != "" || cfg.AckPolicy != jetstream.AckNonePolicy && strings.Contains(name, "_")):
				t.Fatalf("%q makes %s", data, body)
			case cfg.DeliverSubject != "" && !strings.HasPrefix(cfg.DeliverSubject, "_INBOX_u."), strings.ContainsAny(cfg.DeliverSubject, "*> "):
				t.Fatalf("%q pushes to %q", data, cfg.DeliverSubject)
			}
		}
	})
}
