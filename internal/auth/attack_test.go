package auth_test

import (
	"context"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/pilot"
)

// birthEvent is a birth as a manager writes it.
func birthEvent(k pilot.Key) *events.Event {
	return &events.Event{
		ID: "born-" + k.Resource, Class: events.ClassCommand, Key: k, Kind: events.Submit,
		Submission: &events.Submission{Description: pilot.Description{UID: k.Pilot, Resource: k.Resource, Cores: 1}},
	}
}

// TestCopiesMoveNothing: a server answers to whatever subject a request names,
// so that who reads in the account of the log can have a message of it copied to
// another subject of it. What lands there is no event.
func TestCopiesMoveNothing(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, usualUsers()...)
		m := h.connectManager(t)
		log, err := m.Log(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		mine, claim := birthEvent(pilot.Key{Resource: here, Manager: "m", Pilot: "p"}), &events.Event{}
		if _, err := log.Append(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		moved, ok := events.Moved(mine.Key, 0, pilot.Status{State: pilot.Active, FurthestState: pilot.Active}, pilot.KindAdopted, nil)
		if !ok {
			t.Fatal("no such move")
		}
		*claim = moved
		claim.ID = "claim"
		if _, err := log.Append(t.Context(), claim); err != nil {
			t.Fatal(err)
		}
		nc := h.rawConn(t, "admin")
		targets := []string{"pilots.cmd." + there + ".m.q.submit", "pilots.evt." + there + ".m.q"}
		for i, target := range targets {
			for _, ask := range []struct{ subject, body string }{
				{"$JS.API.DIRECT.GET.PILOTS", `{"seq":` + string(rune('1'+i)) + `}`},
				{"$JS.API.STREAM.MSG.GET.PILOTS", `{"seq":1}`},
				{"$JS.API.STREAM.INFO.PILOTS", ``},
			} {
				if err := nc.PublishMsg(&nats.Msg{Subject: ask.subject, Reply: target, Data: []byte(ask.body)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		// The API answers in order: once this answer is there, so are those.
		if _, err := nc.RequestWithContext(t.Context(), "$JS.API.STREAM.INFO.PILOTS", nil); err != nil {
			t.Fatal(err)
		}
		after := birthEvent(pilot.Key{Resource: here, Manager: "m", Pilot: "last"})
		after.ID = "last"
		if _, err := log.Append(t.Context(), after); err != nil {
			t.Fatal(err)
		}
		strange := 0
		for e, err := range log.Tail(t.Context(), events.Span{Past: true}) {
			switch {
			case err != nil:
				t.Fatal(err)
			case e.Mark:
			case e.ID == "last":
				if strange == 0 {
					t.Error("the server copied nothing: this test is void")
				}
				return
			case e.Resource == there && e.Broken == "":
				t.Errorf("message %d on %s counts: %+v", e.Seq, there, e.Event)
			case e.Resource == there:
				strange++
			}
		}
	})
}

// echo answers all.
var echo = bus.Endpoint{Name: "echo", Handle: func(context.Context, bus.Request) (any, uint64, error) { return struct{}{}, 0, nil }}

// TestAnswersGoToInboxes: a client has the manager answer to a subject that only
// managers may publish.
func TestAnswersGoToInboxes(t *testing.T) {
	t.Parallel()
	h := newFixture(t, auth.NKey, usualUsers()...)
	m := h.connectManager(t)
	stop, err := m.Serve(t.Context(), bus.Service{Name: "pilots", Version: "1.0.0", Endpoints: []bus.Endpoint{echo}})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	nc := h.rawConn(t, "client")
	for _, reply := range []string{"pilots.evt." + there + ".m.p", "pilots.cmd." + there + ".m.p.submit", "$KV.PILOTS_LEASES.x", "$JS.API.STREAM.DELETE.PILOTS"} {
		if err := nc.PublishMsg(&nats.Msg{Subject: "pilots.api.echo", Reply: reply, Data: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := nc.RequestWithContext(t.Context(), "pilots.api.echo", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	stop() // waits for the answers under way
	log, err := m.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if end, err := log.End(t.Context(), events.Span{}); err != nil || end != 0 {
		t.Errorf("the log ends at %d, %v", end, err)
	}
}

// TestAdminsDoNotHearAgents: who may subscribe to all gets all but what agents
// say.
func TestAdminsDoNotHearAgents(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, usualUsers()...)
		admin, agent := h.rawConn(t, "admin"), h.rawConn(t, "agent-site-a-host")
		all, err := admin.SubscribeSync(">")
		if err == nil {
			err = admin.Flush()
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := agent.Publish("pilots.agent."+here+".m.p.beat", []byte("secret")); err != nil {
			t.Fatal(err)
		}
		if err := agent.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := admin.Publish("pilots.note.x.y.m.p", nil); err != nil {
			t.Fatal(err)
		}
		if err := admin.Flush(); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := all.NextMsgWithContext(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(m.Subject, "pilots.agent.") {
				t.Fatalf("heard %s on %s", m.Data, m.Subject)
			}
			if m.Subject == "pilots.note.x.y.m.p" {
				return
			}
		}
	})
}
