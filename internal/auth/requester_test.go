package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// requester is who a service takes for the one who asks.
type requester struct{ Actor, OnBehalfOf string }

// serveRequester has a manager answer who asks.
func serveRequester(t *testing.T, m *bus.Conn) {
	t.Helper()
	stop, err := m.Serve(t.Context(), bus.Service{Name: "pilots", Version: "1.0.0", UserCheckEvery: 10 * time.Millisecond, Endpoints: []bus.Endpoint{{
		Name: "who", Handle: func(_ context.Context, r bus.Request) (any, uint64, error) {
			return requester{r.Actor, r.OnBehalfOf}, 0, nil
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

// askRequester has a connection ask who it is, with whatever headers.
func askRequester(ctx context.Context, nc *nats.Conn, h nats.Header) (requester, error) {
	var a requester
	m, err := nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: "pilots.api.who", Header: h})
	if err == nil {
		err = json.Unmarshal(m.Data, &a)
	}
	return a, err
}

// TestTheBusSaysWhoAsks: a client is who its credentials say, whatever it claims; who
// is in the account of the log, and asks as everybody does, is who he says.
func TestTheBusSaysWhoAsks(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, usualUsers()...)
		cfg := h.config("manager")
		cfg.Actor = "live page"
		m, err := bus.Connect(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		serveRequester(t, m)
		forged := `{"acc":"default","svc":"default","user":"watcher","name":"watcher"}`
		for _, c := range []struct {
			user, claim, info string
			want              requester
		}{
			{"client", "", "", requester{"client", ""}},
			{"client", "client", "", requester{"client", ""}},
			{"client", "watcher", "", requester{"client", "watcher"}},
			{"client", "anna@login", forged, requester{"client", "anna@login"}},
			{"watcher", "client", forged, requester{"watcher", "client"}},
			{"manager", "anna", "", requester{"anna", ""}},
			{"admin", "anna", forged, requester{"anna", ""}},
		} {
			said := nats.Header{bus.HeaderActor: {c.claim}}
			if c.info != "" {
				said["Nats-Request-Info"] = []string{c.info}
			}
			if got, err := askRequester(t.Context(), h.rawConn(t, c.user), said); err != nil || got != c.want {
				t.Errorf("%s, who claims to be %q, is %+v, %v; want %+v", c.user, c.claim, got, err, c.want)
			}
		}
		var page requester
		if _, err := m.Call(t.Context(), "who", 0, nil, &page); err != nil || page != (requester{"manager", "live page"}) {
			t.Errorf("the manager's page is %+v, %v", page, err)
		}
		var sdk requester
		if _, err := h.connectAs(t, "client").Call(t.Context(), "who", 0, nil, &sdk); err != nil || sdk != (requester{"client", ""}) {
			t.Errorf("our own client is %+v, %v", sdk, err)
		}
		var stats micro.Stats
		answer, err := h.rawConn(t, "admin").RequestWithContext(t.Context(), "$SRV.STATS.pilots", nil)
		if err == nil {
			err = json.Unmarshal(answer.Data, &stats)
		}
		if err != nil || len(stats.Endpoints) != 1 || stats.Endpoints[0].NumRequests != 9 || stats.Endpoints[0].Subject != "pilots.api.who" {
			t.Errorf("statistics: %+v, %v", stats.Endpoints, err)
		}
	})
}

// TestNobodyAsksAsAnother: by no subject that a user may publish, nor by an answer's.
func TestNobodyAsksAsAnother(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, append(usualUsers(), leaf)...)
		m := h.connectManager(t)
		heard, err := h.rawConn(t, "manager").SubscribeSync("pilots.user.>")
		if err == nil {
			err = heard.SetPendingLimits(-1, -1)
		}
		if err != nil {
			t.Fatal(err)
		}
		serveRequester(t, m)
		for i := range h.Users {
			u := &h.Users[i]
			if u.Role == access.Leaf || u.Tenant != "default" {
				continue
			}
			nc := h.rawConn(t, u.Name)
			for _, name := range []string{"watcher", "client", "nobody"} {
				if isAllowed(t, nc, "pub", "pilots.user."+name+".who") {
					t.Errorf("%s may ask as %s", u.Name, name)
				}
				if u.Role != access.Admin && u.Role != access.Manager && isAllowed(t, nc, "sub", "pilots.user."+name+".>") {
					t.Errorf("%s may hear what %s asks", u.Name, name)
				}
			}
		}
		for _, name := range []string{"client", "nobody"} {
			if h.linkAs(t, "leaf-site-a").publish(t, "LMSG pilots.user."+name+".who 2\r\n{}\r\n") {
				t.Errorf("a leaf may ask as %s", name)
			}
		}
		if got, err := askRequester(t.Context(), h.rawConn(t, "client"), nil); err != nil || got.Actor != "client" {
			t.Errorf("this test is void: %+v, %v", got, err)
		}
		for {
			msg, err := heard.NextMsgWithContext(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if msg.Subject == "pilots.user.client.who" {
				break // the one that was asked last
			}
			if !strings.HasPrefix(msg.Subject, "pilots.user.manager.") { // which finds out whether it may
				t.Errorf("heard on %s", msg.Subject)
			}
		}
	})
}

// TestAnEmbeddedServerSaysWhoAsks: its own process, which has no name there, is who it
// says.
func TestAnEmbeddedServerSaysWhoAsks(t *testing.T) {
	t.Parallel()
	set, s := startEmbedded(t)
	m, err := bus.Connect(t.Context(), bus.Config{InProcess: s, Actor: "live page"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	serveRequester(t, m)
	var page, user requester
	if _, err := m.Call(t.Context(), "who", 0, nil, &page); err != nil || page != (requester{"live page", ""}) {
		t.Errorf("the page is %+v, %v", page, err)
	}
	c, err := bus.Connect(t.Context(), bus.Config{URL: s.URL(), NKey: set.CredentialsPath("client"), Actor: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.Call(t.Context(), "who", 0, nil, &user); err != nil || user != (requester{"client", "anna"}) {
		t.Errorf("a client is %+v, %v", user, err)
	}
}

// TestUsersOfBeforeAreKnownOnceWrittenAnew: with the configuration of an earlier version
// all are answered, and are who they say; once it is made anew, and read, they are known,
// without a restart of the manager.
func TestUsersOfBeforeAreKnownOnceWrittenAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	set := newDirectory(t, filepath.Join(dir, "auth"), auth.NKey, usualUsers()...)
	now := read(t, set.ConfPath())
	before := regexp.MustCompile(`pilots\.user\.[^"]*`).ReplaceAllString(now, "pilots.api.>")
	if before == now {
		t.Fatal("this test is void")
	}
	conf := filepath.Join(dir, "nats.conf")
	text := "listen: 127.0.0.1:-1\njetstream { store_dir: " + filepath.Join(dir, "store") + " }\ninclude auth/auth.conf\n"
	if err := errors.Join(os.WriteFile(conf, []byte(text), 0o600), os.WriteFile(set.ConfPath(), []byte(before), 0o600)); err != nil {
		t.Fatal(err)
	}
	h := &fixture{Set: set, server: startServer(t, conf)}
	serveRequester(t, h.connectAs(t, "manager"))
	nc, claim := h.rawConn(t, "client"), nats.Header{bus.HeaderActor: {"anna"}}
	if got, err := askRequester(t.Context(), nc, claim); err != nil || got != (requester{"anna", ""}) {
		t.Errorf("before: %+v, %v", got, err)
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
		got, err := askRequester(t.Context(), nc, claim)
		switch {
		case err == nil && got == requester{"client", "anna"}:
			return
		case err == nil || !errors.Is(err, nats.ErrNoResponders):
			t.Fatalf("after: %+v, %v", got, err)
		}
	}
}

// TestUsersHaveNamesThatAreSubjects: all others are refused when they are added, and no
// subject says that they ask.
func TestUsersHaveNamesThatAreSubjects(t *testing.T) {
	t.Parallel()
	set := newDirectory(t, filepath.Join(t.TempDir(), "auth"), auth.NKey)
	for _, name := range []string{"a.b", "a b", "*", ">", "a>", "ü", "a\tb", strings.Repeat("x", 65), "=u"} {
		if _, err := set.Add(access.User{Role: access.Client, Name: name}); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("a user is named %q: %v", name, err)
		}
		if got, ok := subject.UserOfRequest("pilots.user." + name + ".who"); ok && got == name {
			t.Errorf("a subject says that %q asks", name)
		}
	}
	for at, want := range map[string]string{
		"pilots.user.anna.pilot.submit": "anna", "pilots.user.a-b_C9.who": "a-b_C9", "pilots.user.anna": "", "pilots.user..who": "",
		"pilots.api.pilot.submit": "", "pilots.users.anna.who": "", "": "",
	} {
		if got, ok := subject.UserOfRequest(at); ok != (want != "") || ok && got != want {
			t.Errorf("on %q %q asks, %v", at, got, ok)
		}
	}
}
