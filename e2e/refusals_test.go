package e2e_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// expectedLine is what a log is to say once, in one line.
type expectedLine struct {
	log   string
	words []string
}

// attackRun are made one after the other; each is refused, and adds what is to be said.
type attackRun struct {
	g        *authFixture
	manager  *client.Manager
	pilot    *client.Pilot
	secret   string // the true one of the pilot's attempt
	expected []expectedLine
}

func (a *attackRun) expectLine(log string, words ...string) {
	a.expected = append(a.expected, expectedLine{log, words})
}

// TestE2ERefusalsAreLogged: whatever is refused is told once, by who refused it,
// and is in no other way seen in the log of pilots.
func TestE2ERefusalsAreLogged(t *testing.T) {
	g := newAuthFixture(t, "nkey")
	if _, code := g.runCLI("auth", "add", "launcher", "--dir", g.auth, "--resource", "site-b.host"); code != 0 {
		t.Fatal("auth add failed")
	}
	g.reloadUsers()
	tap := newRecordingProxy(t, g.listen)
	g.startComponents(tap.address)
	a := &attackRun{g: g, manager: g.createManager(g.connectAs("client"))}
	hold := filepath.Join(g.dir, "hold")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.pilot = submit(t, a.manager, shellPilot("while [ -e "+hold+" ]; do sleep 0.1; done"))[0]
	awaitState(t, a.pilot, pilot.Active)
	secrets := tap.secrets()
	if len(secrets) != 1 {
		t.Fatalf("%d secrets", len(secrets))
	}
	a.secret = secrets[0]
	before := g.readLogState(a.manager)
	a.tryAgents()
	a.tryPayloads()
	a.trySubjects()
	a.tryOversize()
	if after := g.readLogState(a.manager); after != before {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	awaitState(t, a.pilot, pilot.Done)
	before = g.readLogState(a.manager)
	a.tryAgent(api.Activate, 1, a.secret, "the pilot is DONE")
	if after := g.readLogState(a.manager); after != before {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	a.expectAllLines()
}

// tryAgents ask as one that has all but the right to the attempt.
func (a *attackRun) tryAgents() {
	a.tryAgent(api.Beat, 1, "guessed", "it is not of the present attempt")
	a.tryAgent(api.Activate, 0, a.secret, "it is not of the present attempt")
	a.tryAgent(api.Finish, 0, a.secret, "it is not of the present attempt")
	a.tryAgent(api.Activate, 1, a.secret, "another agent has activated this attempt")

	nc := a.g.connectAs("agent-local-localhost").Bus().NATS()
	for i, body := range []string{"\x00", "[]", strings.Repeat("[", 100_000), strings.Repeat("x", 900_000), `{"secret":{}}`} {
		subject := fmt.Sprintf("pilots.agent.local.localhost.%s.hostile-%d.activate", a.manager.UID(), i)
		a.tryRequest(nc, &nats.Msg{Subject: subject, Data: []byte(body)}, "flightlog-launcher.log", subject)
	}
	unknown := fmt.Sprintf("pilots.agent.local.localhost.%s.nobody.beat", a.manager.UID())
	a.tryRequest(nc, &nats.Msg{Subject: unknown, Data: []byte("{}")}, "flightlog-launcher.log", unknown)
	reply := "pilots.evt.local.localhost." + a.manager.UID() + ".by-launcher"
	if err := nc.PublishMsg(&nats.Msg{Subject: unknown + ".more", Reply: reply}); err != nil { // no agent's subject
		a.g.t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		a.g.t.Fatal(err)
	}
	a.expectLine("nats.log", "Publish Violation", unknown+".more")
}

func (a *attackRun) tryAgent(verb api.Verb, attempt int, secret, why string) {
	a.g.t.Helper()
	zero := 0
	reply, err := a.g.connectAs("agent-local-localhost").Bus().AskLauncher(a.g.t.Context(),
		pilot.Key{Resource: "local.localhost", Manager: a.manager.UID(), Pilot: a.pilot.UID()}, verb, api.AgentRequest{
			Attempt: attempt, Secret: secret, Instance: "forger",
			Outcome: &api.Outcome{Kind: api.OutcomeDone, Code: pilot.PayloadFinished, ExitCode: &zero},
		})
	if err != nil || reply.Refused != why {
		a.g.t.Errorf("%s of attempt %d: %+v, %v", verb, attempt, reply, err)
	}
	a.expectLine("flightlog-launcher.log", `"agent refused"`, `"code":"denied"`, `"pilot":"`+a.pilot.UID()+`"`,
		`"verb":"`+string(verb)+`"`, fmt.Sprintf(`"attempt":%d`, attempt), `"why":"`+why+`"`)
}

// tryRequest sends what is refused with a code, which is then to be in the log too.
func (a *attackRun) tryRequest(nc *nats.Conn, m *nats.Msg, log, word string) {
	a.g.t.Helper()
	answer, err := nc.RequestMsg(m, time.Minute)
	if err != nil {
		a.g.t.Fatalf("%s: %v", word, err)
	}
	code, _, _ := strings.Cut(answer.Header.Get(micro.ErrorHeader), ":")
	if code == "" || code == string(pilot.Internal) {
		a.g.t.Errorf("%s with %.40q: %v %.200q", m.Subject, m.Data, answer.Header, answer.Data)
	}
	a.expectLine(log, `"request refused"`, `"`+word+`"`, `"code":"`+code+`"`)
}

// tryPayloads are hostile, one of them for each endpoint and some more.
func (a *attackRun) tryPayloads() {
	nc := a.g.connectAs("client").Bus().NATS()
	n := 0
	send := func(endpoint, body, content string) {
		actor := fmt.Sprintf("attacker-%d", n)
		n++
		a.tryRequest(nc, &nats.Msg{
			Subject: "pilots.api." + endpoint, Data: []byte(body),
			Header: nats.Header{"Content-Type": {content}, bus.HeaderActor: {actor}},
		}, "flightlog-manager.log", actor)
	}
	bodies := junkBodies()
	for i, endpoint := range allEndpoints() {
		send(endpoint, bodies[i%len(bodies)], "application/json")
		send(endpoint, bodies[(i+1)%len(bodies)], "application/msgpack")
		send(endpoint, "{}", "text/html")
	}
	send("pilot.get", `{"manager":"nobody","uids":["p"]}`, "")
	send("manager.create", `{"uid":"`+a.manager.UID()+`"}`, "")
	send("pilot.submit", `{"manager":"`+a.manager.UID()+`","pilots":[{"uid":"../p","resource":"local.localhost","cores":1,"runtime":1}]}`, "")
	// What asks for an answer where only managers may write gets none.
	reply := "pilots.evt.local.localhost." + a.manager.UID() + ".by-manager"
	m := &nats.Msg{Subject: "pilots.api.pilot.list", Reply: reply, Data: []byte("{}")}
	if err := a.g.connectAs("admin").Bus().NATS().PublishMsg(m); err != nil { // others name subjects of their own account
		a.g.t.Fatal(err)
	}
	a.expectLine("flightlog-manager.log", `"answer refused: its subject is no inbox"`, `"code":"denied"`, `"subject":"`+reply+`"`)
}

// trySubjects are other roles'; the servers refuse them.
func (a *attackRun) trySubjects() {
	for _, user := range []string{"client", "subscriber", "agent-local-localhost", "launcher-site-b-host"} {
		nc := a.g.connectAs(user).Bus().NATS()
		for _, tree := range []string{"evt", "note", "cmd"} {
			subject := fmt.Sprintf("pilots.%s.local.localhost.%s.by-%s", tree, a.manager.UID(), user)
			if err := nc.Publish(subject, []byte("{}")); err != nil {
				a.g.t.Fatal(err)
			}
			a.expectLine("nats.log", "Publish Violation", `"`+subject+`"`)
		}
		if err := nc.Flush(); err != nil {
			a.g.t.Fatal(err)
		}
	}
}

// largePayloadDialer lets the client believe that the server takes any size.
type largePayloadDialer struct{}

func (largePayloadDialer) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return &largePayloadConn{Conn: c}, err
}

type largePayloadConn struct{ net.Conn }

func (d *largePayloadConn) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	copy(b[:n], bytes.Replace(b[:n], []byte(`"max_payload":2097152`), []byte(`"max_payload":9097152`), 1))
	return n, err
}

// tryOversize sends more than the server takes, which ends the connection.
func (a *attackRun) tryOversize() {
	key, err := nats.NkeyOptionFromSeed(a.g.credentials("client"))
	if err != nil {
		a.g.t.Fatal(err)
	}
	closed := make(chan struct{})
	nc, err := nats.Connect("nats://"+a.g.listen, key, nats.SetCustomDialer(largePayloadDialer{}), nats.NoReconnect(),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		a.g.t.Fatal(err)
	}
	_ = nc.Publish("pilots.api.pilot.submit", make([]byte, 3<<20)) // of which the server reads no more than it takes
	<-closed
	a.expectLine("nats.log", "maximum payload exceeded")
}

// expectAllLines looks for all that was to be said.
func (a *attackRun) expectAllLines() {
	over := time.Now().Add(time.Minute)
	for _, s := range a.expected {
		if found := a.g.awaitLines(s, over); len(found) != 1 {
			a.g.t.Errorf("%s says %d times %q: %q", s.log, len(found), s.words, found)
		}
	}
}

// awaitLines gives those lines of a log that have all the words, once there is one or
// the time is over.
func (h *fixture) awaitLines(s expectedLine, over time.Time) []string {
	h.t.Helper()
	for ; ; time.Sleep(10 * time.Millisecond) { // between two looks
		b, err := os.ReadFile(filepath.Join(h.dir, s.log))
		if err != nil {
			h.t.Fatal(err)
		}
		var found []string
		for line := range strings.Lines(string(b)) {
			missing := false
			for _, w := range s.words {
				missing = missing || !strings.Contains(line, w)
			}
			if !missing {
				found = append(found, line)
			}
		}
		if len(found) > 0 || time.Now().After(over) {
			return found
		}
	}
}
