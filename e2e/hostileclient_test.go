package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// logState is all that the log says, folded, and where it ends.
type logState struct {
	end    uint64
	pilots string
}

func (g *authFixture) readLogState(m *client.Manager) logState {
	g.t.Helper()
	log, err := g.connectAs("admin").Bus().Log(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	end, err := log.End(g.t.Context(), events.Span{})
	if err != nil {
		g.t.Fatal(err)
	}
	var all []api.Pilot
	for p, err := range m.List(g.t.Context(), client.ListOptions{}) {
		if err != nil {
			g.t.Fatal(err)
		}
		all = append(all, p)
	}
	b, err := json.Marshal(all)
	if err != nil {
		g.t.Fatal(err)
	}
	return logState{end, string(b)}
}

// writeLocalResource gives local resources what a file of the user says.
func (g *authFixture) writeLocalResource(text string) {
	g.t.Helper()
	dir := filepath.Join(g.dir, "config", "flightlog", "resources.d")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "local.json"), []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.env = append(g.env, "XDG_CONFIG_HOME="+filepath.Join(g.dir, "config"))
}

// TestE2EAttacks: whoever holds credentials of one role, and whatever he sends,
// nothing changes that is not his to change.
func TestE2EAttacks(t *testing.T) {
	g := newAuthFixture(t, "nkey")
	if _, code := g.runCLI("auth", "add", "launcher", "--dir", g.auth, "--resource", "site-b.host"); code != 0 {
		t.Fatal("auth add failed")
	}
	g.reloadUsers()
	g.writeLocalResource(`{"localhost": {"policy": {"roots": ["/tmp/ok"]}}}`)
	g.startComponents(g.listen)
	m := g.createManager(g.connectAs("client"))
	hold := filepath.Join(g.dir, "hold")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := submit(t, m, shellPilot("while [ -e "+hold+" ]; do sleep 0.1; done"))[0]
	awaitState(t, p, pilot.Active)
	before := g.readLogState(m)
	t.Run("forged agents", func(t *testing.T) { tryForgedAgents(t, g, m, p) })
	t.Run("other subjects", func(t *testing.T) { tryOtherSubjects(t, g, m, p) })
	t.Run("hostile payloads", func(t *testing.T) { tryHostilePayloads(t, g) })
	t.Run("sandboxes and names", func(t *testing.T) { tryBadNames(t, m) })
	if after := g.readLogState(m); after != before {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	awaitState(t, p, pilot.Done)
}

// tryForgedAgents ask as an agent that has every right of one, but no secret.
func tryForgedAgents(t *testing.T, g *authFixture, m *client.Manager, p *client.Pilot) {
	conn := g.connectAs("agent-local-localhost").Bus()
	key := pilot.Key{Resource: "local.localhost", Manager: m.UID(), Pilot: p.UID()}
	for _, secret := range []string{"", "guessed", strings.Repeat("A", 26)} {
		for _, verb := range []api.Verb{api.Activate, api.Beat, api.Finish} {
			zero := 0
			reply, err := conn.AskLauncher(t.Context(), key, verb, api.AgentRequest{
				Attempt: 1, Secret: secret, Instance: "forger",
				Outcome: &api.Outcome{Kind: api.OutcomeDone, Code: pilot.PayloadFinished, ExitCode: &zero},
			})
			if err != nil || reply.Refused == "" {
				t.Errorf("%s with secret %q: %+v, %v", verb, secret, reply, err)
			}
		}
	}
	for _, body := range append(junkBodies(), `{"attempt":1,"secret":{}}`) {
		subject := fmt.Sprintf("pilots.agent.local.localhost.%s.%s.activate", m.UID(), p.UID())
		answer, err := conn.NATS().RequestWithContext(t.Context(), subject, []byte(body))
		if err != nil {
			t.Fatalf("%.40q: %v", body, err)
		}
		var reply api.AgentReply
		if answer.Header.Get("Nats-Service-Error-Code") == "" && (json.Unmarshal(answer.Data, &reply) != nil || reply.Refused == "") {
			t.Errorf("%.40q: %s", body, answer.Data)
		}
	}
}

// tryOtherSubjects publish what is another role's.
func tryOtherSubjects(t *testing.T, g *authFixture, m *client.Manager, p *client.Pilot) {
	at := fmt.Sprintf("local.localhost.%s.%s", m.UID(), p.UID())
	for user, subjects := range map[string][]string{
		"client":                {"pilots.evt." + at, "pilots.cmd." + at + ".cancel", "pilots.note." + at, "pilots.mgr." + m.UID(), "pilots.agent." + at + ".finish"},
		"subscriber":            {"pilots.evt." + at, "pilots.api.pilot.cancel", "$JS.API.STREAM.DELETE.PILOTS"},
		"agent-local-localhost": {"pilots.evt." + at, "pilots.api.pilot.cancel", "pilots.note." + at},
		"launcher-site-b-host":  {"pilots.evt." + at, "pilots.note." + at, "pilots.cmd." + at + ".cancel", "pilots.api.pilot.cancel"},
		"manager":               {"$JS.API.STREAM.DELETE.PILOTS", "$JS.API.STREAM.PURGE.PILOTS", "pilots.agent." + at + ".finish"},
	} {
		nc := g.connectAs(user).Bus().NATS()
		for _, subject := range subjects {
			before := nc.LastError()
			if err := nc.PublishMsg(&nats.Msg{Subject: subject, Data: []byte("{}")}); err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			after := nc.LastError()
			denied := after != before //nolint:errorlint // is it the same one?
			if !denied || !errors.Is(after, nats.ErrPermissionViolation) {
				t.Errorf("%s may publish %s: %v", user, subject, after)
			}
		}
	}
}

// junkBodies is what no endpoint may take.
func junkBodies() []string {
	return []string{
		"\x00", "\xff\xfe", "nul", "[]", `"x"`, `{"`, strings.Repeat("[", 100_000), strings.Repeat("x", 900_000),
		`{"manager":"a b"}`, `{"manager":"a\nb","uid":"\"","pilots":[{}]}`, `{"nobody_knows_me":1}`, "\xdd\xff\xff\xff\xff", "\x81\xa1a\xdd\xff\xff\xff\xff",
	}
}

// allEndpoints are those that ask for something; the others take an empty request.
func allEndpoints() []string {
	return []string{
		"session.create", "session.get", "session.close", "manager.create", "manager.get", "manager.close", "pilot.submit", "pilot.get",
		"pilot.wait", "pilot.cancel", "pilot.history", "pilot.explain", "pilot.logs", "resource.get", "resource.put", "resource.delete",
		"resource.check", "resource.render",
	}
}

// tryHostilePayloads sends junk to every endpoint, as JSON and as msgpack.
func tryHostilePayloads(t *testing.T, g *authFixture) {
	nc := g.connectAs("client").Bus().NATS()
	for _, endpoint := range allEndpoints() {
		for _, body := range junkBodies() {
			for _, kind := range []string{"application/json", "application/msgpack", "text/html", "a\tb"} {
				answer, err := nc.RequestMsg(&nats.Msg{
					Subject: "pilots.api." + endpoint, Data: []byte(body),
					Header: nats.Header{"Content-Type": {kind}, "Pilots-Min-Seq": {"0"}, bus.HeaderActor: {"a\tb\"'"}},
				}, 20*time.Second)
				if err != nil {
					t.Fatalf("%s with %.40q: %v", endpoint, body, err)
				}
				if code := answer.Header.Get("Nats-Service-Error-Code"); code == "" || code == "500" {
					t.Errorf("%s as %s with %.40q: code %q, %.200q", endpoint, kind, body, code, answer.Data)
				}
			}
		}
	}
	if err := nc.Publish("pilots.api.pilot.submit", make([]byte, 3<<20)); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("3 MiB: %v", err)
	}
}

// tryBadNames are descriptions that mean to leave their place.
func tryBadNames(t *testing.T, m *client.Manager) {
	for _, change := range []func(*pilot.Description){
		func(d *pilot.Description) { d.Sandbox = "../../etc" },
		func(d *pilot.Description) { d.Sandbox = "/tmp/../etc" },
		func(d *pilot.Description) { d.Sandbox = "relative" },
		func(d *pilot.Description) { d.Sandbox = "/tmp/okay" },
		func(d *pilot.Description) { d.Sandbox = "/tmp/ok/../../etc" },
		func(d *pilot.Description) { d.Sandbox = "/tmp/a\nb" },
		func(d *pilot.Description) { d.Sandbox = "/tmp/a\x00b" },
		func(d *pilot.Description) { d.UID = "../p" },
		func(d *pilot.Description) { d.UID = "a b" },
		func(d *pilot.Description) { d.UID = "a.b" },
		func(d *pilot.Description) { d.UID = `a"b` },
		func(d *pilot.Description) { d.UID = "a\nb" },
		func(d *pilot.Description) { d.UID = "*" },
		func(d *pilot.Description) { d.Resource = "local.localhost.>" },
		func(d *pilot.Description) { d.Resource = "../localhost" },
		func(d *pilot.Description) { d.JobName = "a\nb" },
		func(d *pilot.Description) { d.Queue = "a\nb" },
		func(d *pilot.Description) { d.Project = "a\nb" },
		func(d *pilot.Description) { d.Executable = "a\x00b" },
		func(d *pilot.Description) { d.Arguments = []string{"a\x00b"} },
		func(d *pilot.Description) { d.Environment = map[string]string{"A=B": "c"} },
		func(d *pilot.Description) { d.Environment = map[string]string{"A\nB": "c"} },
	} {
		d := shellPilot("true")
		change(&d)
		if _, err := m.Submit(t.Context(), d); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%+v: %v", d, err)
		}
	}
}
