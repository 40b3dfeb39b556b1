package e2e_test

import (
	"context"
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
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/pilot"
)

// runJSON runs a command of the command line as a user and reads the JSON that it prints.
func runJSON[A any](g *authFixture, user string, args ...string) (out A) {
	g.t.Helper()
	text, code := g.runCLI(append(append(args, "-o", "json"), g.userFlags(user)...)...)
	if code != 0 {
		g.t.Fatalf("%s: %v: exit %d", user, args, code)
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		g.t.Fatalf("%v prints %s: %v", args, text, err)
	}
	return out
}

// actorsOf gives who did what to a pilot, of the kinds that users cause.
func actorsOf(all []api.Event) (by []string) {
	for _, e := range all {
		if e.Kind == "submit" || e.Kind == "canceling" {
			by = append(by, fmt.Sprintf("%s %s", e.Kind, api.Who(e.Actor, e.OnBehalfOf)))
		}
	}
	return by
}

// TestE2EWhoActs: two users of the command line, one of whom the resource's owner lets
// submit. Whatever the other claims, by the SDK or as any NATS client, he is himself.
func TestE2EWhoActs(t *testing.T) {
	for _, mode := range []string{"nkey", "operator"} {
		t.Run(mode, func(t *testing.T) {
			g := newAuthFixture(t, mode)
			for _, name := range []string{"anna", "ben"} {
				if _, code := g.runCLI("auth", "add", "client", "--dir", g.auth, "--name", name); code != 0 {
					t.Fatal("auth add failed")
				}
			}
			g.reloadUsers()
			g.reloadUsers()
			g.writeLocalResource(`{"localhost": {"policy": {"users": ["anna"]}}}`)
			g.startComponents(g.listen)
			g.connectAs("anna") // and a manager that answers
			m := g.createManager(g.connectAs("ben"))
			hold := filepath.Join(g.dir, "hold")
			if err := os.WriteFile(hold, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			submits := []string{
				"submit", "-m", m.UID(), "-r", "local.localhost", "-c", "1", "-t", "10m", "--uid", "p",
				"sh", "-c", "while [ -e " + hold + " ]; do sleep 0.1; done",
			}
			if _, code := g.runCLI(append(append(submits[:1:1], g.userFlags("ben")...), submits[1:]...)...); code == 0 {
				t.Error("ben submits")
			}
			if _, code := g.runCLI(append(append(submits[:1:1], g.userFlags("anna")...), submits[1:]...)...); code != 0 {
				t.Fatal("anna does not submit")
			}
			g.expectActorIsUser(m.UID())
			awaitState(t, m.Pilot("p"), pilot.Active)
			runJSON[json.RawMessage](g, "ben", "cancel", "-m", m.UID(), "p")
			expectCanceled(t, m.Pilot("p"))
			self := owner.CurrentActor()
			want := []string{"submit anna for " + self, "canceling ben for " + self}
			if by := actorsOf(runJSON[[]api.Event](g, "anna", "history", "-m", m.UID(), "p")); fmt.Sprint(by) != fmt.Sprint(want) {
				t.Errorf("history says %q, want %q", by, want)
			}
			if out, _ := g.runCLI(append([]string{"history", "-m", m.UID(), "p"}, g.userFlags("anna")...)...); !strings.Contains(out, "anna for "+self) {
				t.Errorf("history prints\n%s", out)
			}
			runJSON[json.RawMessage](g, "anna", "session", "close", "default")
			if s := runJSON[api.Manager](g, "ben", "session", "get", "default"); s.ClosedBy != "anna" || s.ClosedFor != self {
				t.Errorf("the session is closed by %s", api.Who(s.ClosedBy, s.ClosedFor))
			}
		})
	}
}

// expectActorIsUser has ben claim that he is she.
func (g *authFixture) expectActorIsUser(manager pilot.UID) {
	g.t.Helper()
	cfg := bus.Config{URL: "nats://" + g.listen, InboxPrefix: "_INBOX_ben", Actor: "anna", NKey: g.credentials("ben")}
	if g.mode == "operator" {
		cfg.Creds, cfg.NKey = cfg.NKey, ""
	}
	ctx, stop := context.WithTimeout(g.t.Context(), time.Minute)
	defer stop()
	c, err := client.Connect(ctx, "", client.WithBus(cfg))
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	body := fmt.Sprintf(`{"manager":%q,"pilots":[{"uid":"q","resource":"local.localhost","cores":1,"runtime":"10m","executable":"true"}]}`, manager)
	var answer any
	if _, err := c.Bus().Call(ctx, "pilot.submit", 0, json.RawMessage(body), &answer); pilot.CodeOf(err) != pilot.Invalid || !strings.Contains(err.Error(), `"ben" may not`) {
		g.t.Errorf("ben, who says that he is anna, submits: %v, %v", answer, err)
	}
	for _, h := range []nats.Header{
		{bus.HeaderActor: {"anna"}},
		{bus.HeaderActor: {"anna"}, "Nats-Request-Info": {`{"acc":"default=user=anna","user":"anna"}`}},
	} {
		m, err := c.Bus().NATS().RequestMsgWithContext(ctx, &nats.Msg{Subject: "pilots.api.pilot.submit", Data: []byte(body), Header: h})
		if err != nil || !strings.Contains(string(m.Data), `\"ben\" may not`) {
			g.t.Errorf("ben, who sends %v, submits: %v, %v", h, m, err)
		}
	}
	nc := c.Bus().NATS()
	if err := nc.Publish("pilots.user.anna.pilot.submit", []byte(body)); err != nil {
		g.t.Fatal(err)
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		g.t.Fatal(err)
	}
	if err := nc.LastError(); !errors.Is(err, nats.ErrPermissionViolation) {
		g.t.Errorf("ben asks as anna: %v", err)
	}
}

// TestE2EWhoActsAlone: on the bus of an up that lets in nobody else its owner acts,
// whatever his programs claim.
func TestE2EWhoActsAlone(t *testing.T) {
	h := newFixture(t)
	h.startUp()
	cfg := bus.Config{Actor: "anna", Complete: owner.ConfigCompleter(h.getenv, nil)}
	c, err := client.Connect(t.Context(), "nats://"+h.listen, client.WithBus(cfg), client.WithTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	m := h.createManager(c)
	p := submit(t, m, shellPilot("true"))[0]
	if _, code := h.runCLI("submit", "-m", m.UID(), "-r", "local.localhost", "-c", "1", "-t", "10m", "--uid", "q", "true"); code != 0 {
		t.Fatal("submit failed")
	}
	for uid, want := range map[pilot.UID]string{p.UID(): owner.CurrentActor() + " for anna", "q": owner.CurrentActor()} {
		got, err := m.Pilot(uid).Get(t.Context())
		if err != nil || api.Who(got.SubmittedBy, got.OnBehalfOf) != want {
			t.Errorf("%s is submitted by %s, %v; want %s", uid, api.Who(got.SubmittedBy, got.OnBehalfOf), err, want)
		}
		awaitState(t, m.Pilot(uid), pilot.Done)
	}
}
