package launcher_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// fuzzTarget is where a launcher with an active pilot is asked, on a real server.
type fuzzTarget struct {
	*fleet
	answers *nats.Subscription
	rawConn net.Conn // of who need not keep to what a client library sends
	asked   int
}

func newFuzzTarget(f *testing.F) *fuzzTarget {
	f.Helper()
	g := &fuzzTarget{fleet: newFleet(f, adaptortest.Config{})}
	m := g.launch("a")
	g.awaitState(g.submit("p", pilot.Description{}), pilot.Active)
	server := bustest.StartServer(f)
	conn := bustest.Connect(f, server)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- conn.ServeAgents(ctx, "local.localhost", m.AnswerAgent, m.ObserveAgent) }()
	go func() { ended <- conn.ServeOrphans(ctx, "local.localhost", m.ListOrphans) }()
	f.Cleanup(func() {
		stop()
		for range cap(ended) {
			if err := <-ended; err != nil {
				f.Error(err)
			}
		}
	})
	user := bustest.Connect(f, server)
	listens := func(ask func() error) {
		for pilot.CodeOf(ask()) == pilot.Unavailable { // it begins to
		}
	}
	listens(func() error {
		_, err := user.AskLauncher(f.Context(), key("p"), api.Beat, api.AgentRequest{})
		return err
	})
	listens(func() error {
		_, err := user.AskOrphans(f.Context(), "local.localhost", api.OrphansRequest{})
		return err
	})
	var err error
	if g.answers, err = user.NATS().SubscribeSync("_INBOX.fuzz.*"); err == nil {
		err = user.NATS().Flush()
	}
	if err != nil {
		f.Fatal(err)
	}
	g.rawConn = dialRaw(f, strings.TrimPrefix(server.URL(), "nats://"))
	return g
}

// dialRaw connects without a client library.
func dialRaw(t testing.TB, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	lines := bufio.NewReader(c)
	if _, err = lines.ReadString('\n'); err == nil {
		_, err = c.Write([]byte(`CONNECT {"headers":true,"verbose":false,"pedantic":false}` + "\r\nPING\r\n"))
	}
	for line := ""; err == nil && line != "PONG\r\n"; {
		line, err = lines.ReadString('\n')
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sendRaw sends what need be no request, and gives its answer.
func (g *fuzzTarget) sendRaw(t *testing.T, subject string, header, body []byte) *nats.Msg {
	t.Helper()
	g.asked++
	inbox := fmt.Sprintf("_INBOX.fuzz.%d", g.asked)
	if len(header) > 0 {
		header = fmt.Appendf(nil, "NATS/1.0\r\n%s\r\n\r\n", header)
	}
	frame := fmt.Appendf(nil, "HPUB %s %s %d %d\r\n%s%s\r\n", subject, inbox, len(header), len(header)+len(body), header, body)
	if len(header) == 0 {
		frame = fmt.Appendf(nil, "PUB %s %s %d\r\n%s\r\n", subject, inbox, len(body), body)
	}
	if _, err := g.rawConn.Write(frame); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := g.answers.NextMsgWithContext(ctx)
	if err != nil {
		t.Fatalf("%s, %.200q, %.200q: %v", subject, header, body, err)
	}
	if answer.Subject != inbox {
		t.Fatalf("%s was answered twice", answer.Subject)
	}
	return answer
}

// lastSeq is how many events the log has.
func (g *fuzzTarget) lastSeq(t *testing.T) uint64 {
	t.Helper()
	for e, err := range g.log.Tail(context.Background(), events.Span{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Mark {
			return e.Seq
		}
	}
	return 0
}

// refusalCode is the code of an answer that refuses, which must be one of ours; empty:
// it does not.
func refusalCode(t *testing.T, answer *nats.Msg) pilot.Code {
	t.Helper()
	number := answer.Header.Get(micro.ErrorCodeHeader)
	if number == "" {
		return ""
	}
	var said api.ErrorAnswer
	if err := json.Unmarshal(answer.Data, &said); err != nil || said.Error.Code == "" || said.Error.Code == pilot.Internal {
		t.Errorf("code %s, %v: %s", number, err, answer.Data)
	}
	return said.Error.Code
}

// FuzzOrphans asks as an admin may: there is one answer, nothing is written, and the
// pilot's job goes on whatever is to be killed.
func FuzzOrphans(f *testing.F) {
	for _, body := range []string{
		"", "{}", "null", "[]", "{", "\x00\xff", strings.Repeat("[", 10_000), `{"kill":{}}`, `{"kill":[null]}`, `{"kill":[{"id":"1"}],"foreign":true}`,
		`{"kill":[{"system":"fork://localhost","id":"1","token":"p"}]}`, `{"unknown":1}`,
	} {
		f.Add([]byte{}, []byte(body))
		f.Add([]byte("A:\xff\xfe"), []byte(body))
	}
	g := newFuzzTarget(f)
	f.Fuzz(func(t *testing.T, header, body []byte) {
		if len(header)+len(body) > 1<<19 {
			t.Skip("the server lets no such message through")
		}
		before := g.lastSeq(t)
		if answer := g.sendRaw(t, "pilots.fleet.local.localhost.orphans", header, body); refusalCode(t, answer) == "" {
			var said api.OrphansAnswer
			if err := json.Unmarshal(answer.Data, &said); err != nil || len(said.Orphans) > 0 {
				t.Errorf("%v: %s", err, answer.Data)
			}
		}
		if after := g.lastSeq(t); after != before {
			t.Errorf("the log went from %d to %d", before, after)
		}
	})
}

// FuzzAgents asks as an agent's user may, who has no secret: there is one answer,
// which refuses, and nothing is written.
func FuzzAgents(f *testing.F) {
	for _, header := range []string{
		"", "Nats-Msg-Id: 1", "Nats-Expected-Last-Sequence: 9", "no header at all", ": :\r\n\x00", "A:\xff\xfe", strings.Repeat("A: b\r\n", 500),
		"Nats-Service-Error-Code: 200\r\nNats-Service-Error: fine", "Content-Type: application/msgpack",
	} {
		f.Add("p", "activate", []byte(header), []byte(`{"attempt":1,"secret":"guessed","instance":"forger"}`))
	}
	for _, body := range []string{
		"", "null", "[]", `"x"`, "{", "\x00\xff", strings.Repeat("[", 10_000), `{"attempt":1e400}`, `{"attempt":-1,"secret":{}}`, `{"secret":null}`,
		`{"attempt":1,"outcome":{"kind":"done","code":"payload_completed","exit_code":0}}`, `{"attempt":1,"outcome":{"at":"9999-99-99"}}`,
	} {
		for _, verb := range []string{"activate", "beat", "finish", "release"} {
			f.Add("p", verb, []byte{}, []byte(body))
		}
	}
	f.Add("nobody", "beat", []byte{}, []byte("{}"))
	f.Add("\u202e", "\u00e9", []byte{}, []byte("{}"))
	g := newFuzzTarget(f)
	f.Fuzz(func(t *testing.T, name, verb string, header, body []byte) {
		if name == "" || verb == "" || strings.ContainsAny(name+verb, ".*> \t\r\n\x00") || len(name)+len(verb) > 512 || len(header)+len(body) > 1<<19 {
			t.Skip("the server lets no such message through")
		}
		before := g.lastSeq(t)
		answer := g.sendRaw(t, "pilots.agent.local.localhost.m."+name+"."+verb, header, body)
		if refusalCode(t, answer) == "" {
			var said api.AgentReply
			if err := json.Unmarshal(answer.Data, &said); err != nil || said.Refused == "" {
				t.Errorf("%v: %s", err, answer.Data)
			}
		}
		if after := g.lastSeq(t); after != before {
			t.Errorf("the log went from %d to %d", before, after)
		}
	})
}
