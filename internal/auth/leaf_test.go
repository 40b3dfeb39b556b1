package auth_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/auth"
)

// TestALeafHearsNoAgents: nor what is not for launchers of its site.
func TestALeafHearsNoAgents(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, append(usualUsers(), leaf)...)
		h.connectManager(t)
		l := h.linkAs(t, "leaf-site-a")
		for _, subject := range []string{"pilots.>", "pilots.agent.>", "pilots.agent." + here + ".*.*.*", "pilots.fleet.>", "pilots.fleet." + here + ".*"} {
			l.publish(t, "LS+ "+subject+"\r\n")
		}
		for _, sent := range []struct{ by, subject string }{
			{"agent-site-a-host", "pilots.agent." + here + ".m.p.beat"},
			{"launcher-site-a-host", "pilots.evt." + here + ".m.p"},
			{"manager", "pilots.cmd." + here + ".m.p.submit"},
			{"client", "pilots.fleet." + here + ".output"},
		} {
			nc := h.rawConn(t, sent.by)
			if err := nc.Publish(sent.subject, []byte("{}")); err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if got := l.subscriptions(t); !slices.Equal(got, []string{"pilots.fleet." + here + ".output"}) {
			t.Errorf("it hears %v", got)
		}
	})
}

// leaf is the user by which site a links.
var leaf = access.User{Role: access.Leaf, Site: "site-a"}

// TestOnlyLeafsLink: any user could be the leaf node's, and say more than a client
// may.
func TestOnlyLeafsLink(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, append(usualUsers(), leaf)...)
		for i := range h.Users {
			if name := h.Users[i].Name; (h.linkAs(t, name) != nil) != (name == "leaf-site-a") {
				t.Errorf("%s links, or a leaf does not", name)
			}
		}
		cfg := h.config("leaf-site-a")
		credentials, err := nats.NkeyOptionFromSeed(cfg.NKey)
		if mode == auth.Operator {
			credentials, err = nats.UserCredentials(cfg.Creds), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if nc, err := nats.Connect(cfg.URL, credentials); err == nil || !errors.Is(err, nats.ErrAuthorization) {
			nc.Close()
			t.Errorf("a leaf is a client: %v", err)
		}
		stolen := read(t, h.CredentialsPath("leaf-site-a"))
		if err := h.Revoke("leaf-site-a"); err != nil {
			t.Fatal(err)
		}
		if err := h.server.Reload(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.CredentialsPath("leaf-site-a"), []byte(stolen), 0o600); err != nil {
			t.Fatal(err)
		}
		if h.linkAs(t, "leaf-site-a") != nil {
			t.Error("a revoked leaf links")
		}
		if _, err := os.Stat(h.SiteConfPath("leaf-site-a")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the users of the site are left: %v", err)
		}
	})
}

// TestALeafOfNobodyMayNothing: where a site has no launchers.
func TestALeafOfNobodyMayNothing(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, append(usualUsers(), leaf, access.User{Role: access.Leaf, Site: "empty"})...)
		h.connectManager(t)
		closed := func(leaf string) {
			s := h.startSite(t, leaf)
			if nc, err := nats.Connect(s.server.ClientURL()); !errors.Is(err, nats.ErrAuthorization) {
				nc.Close()
				t.Errorf("the server of %s lets anybody in: %v", leaf, err)
			}
		}
		closed("leaf-empty")
		if err := h.Revoke("launcher-site-a-host", "agent-site-a-host"); err != nil {
			t.Fatal(err)
		}
		closed("leaf-site-a")
		for target := range targets {
			// Acknowledgements servers pass on unasked; none is imported here.
			if !strings.HasPrefix(target, "$JS.ACK.") && h.linkAs(t, "leaf-empty").publish(t, "LMSG "+target+" 2\r\n{}\r\n") {
				t.Errorf("it may publish %s", target)
			}
		}
	})
}

func TestFaultsOfLeafs(t *testing.T) {
	t.Parallel()
	for _, u := range []access.User{
		{Role: access.Leaf}, {Role: access.Leaf, Site: "a.b"}, {Role: access.Leaf, Site: "a", Resource: "a.b"}, {Role: access.Launcher, Resource: "a.b", Site: "a"},
	} {
		u = u.WithDefaults()
		if len(u.Validate()) != 1 {
			t.Errorf("%+v: %v", u, u.Validate())
		}
	}
}

// startSite starts a server that links to the house, as deploy/nats/leaf.conf does, and
// gives the house as those see it that connect there.
func (h *fixture) startSite(t *testing.T, leaf string) *fixture {
	t.Helper()
	link := "credentials: " + h.CredentialsPath(leaf)
	if h.Mode == auth.NKey {
		link = "nkey: " + strings.TrimSpace(read(t, h.CredentialsPath(leaf)))
	}
	conf := fmt.Sprintf(`listen: 127.0.0.1:-1
leafnodes { reconnect: 1s, remotes: [{ urls: ["nats://%s"], deny_imports: ["pilots.agent.>"], deny_exports: ["pilots.agent.>"], %s }] }
mappings: { "$JS.API.>": "$JS.hub.API.>", "$KV.>": "$JS.hub.API.$KV.>" }
include site.conf
`, h.listenLeafs(t), link)
	dir := t.TempDir()
	for name, text := range map[string]string{"leaf.conf": conf, "site.conf": read(t, h.SiteConfPath(leaf))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := startServer(t, filepath.Join(dir, "leaf.conf"))
	// Sites know users by their keys, which files with tokens hold too.
	return &fixture{Set: h.Set, server: s, keys: true}
}

// TestASiteSaysWhatItsLaunchersMay: who connects to the server of a site may there
// what he may at the bus, and nothing more by way of the link. Only the link's own
// key may: what it sends as an acknowledgement the server of the bus takes for a
// message on any subject.
func TestASiteSaysWhatItsLaunchersMay(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		second := access.User{Role: access.Launcher, Resource: here, Name: "second"}
		h, log, _ := newServingFixture(t, mode, leaf, second)
		site := h.startSite(t, "leaf-site-a")
		for _, name := range []string{"launcher-site-a-host", "second"} {
			nc := site.rawConn(t, name)
			js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(hangs))
			if err != nil {
				t.Fatal(err)
			}
			awaitLink(t, nc)
			first, err := js.Publish(t.Context(), "pilots.evt."+here+".m."+name, []byte("{}"))
			if err != nil {
				t.Fatal(name, err)
			}
			if _, err := js.CreateConsumer(t.Context(), "PILOTS", jetstream.ConsumerConfig{
				Name: "tail-" + name + "-0", AckPolicy: jetstream.AckNonePolicy, InactiveThreshold: time.Hour, MemoryStorage: true,
			}); err != nil {
				t.Fatal(name, err)
			}
			before := streamContents(t, log)
			for target := range targets {
				if isAllowed(t, nc, "pub", target) {
					t.Errorf("%s may publish %s at the site", name, target)
				}
				forged := &nats.Msg{Subject: "pilots.evt." + here + ".m.p", Reply: "$JS.ACK.a.b.1.1.1.1.0@" + target, Data: []byte("{}")}
				if err := nc.PublishMsg(forged); err != nil {
					t.Fatal(err)
				}
			}
			for _, subject := range []string{"pilots.agent." + there + ".m.p.beat", "pilots.evt.>", "$JS.ACK.>", "_INBOX_client.>"} {
				if isAllowed(t, nc, "sub", subject) {
					t.Errorf("%s may subscribe to %s at the site", name, subject)
				}
			}
			if _, err := nc.RequestWithContext(t.Context(), "$JS.API.STREAM.INFO.PILOTS", nil); err != nil { // after all of that
				t.Fatal(err)
			}
			if after := streamContents(t, log); after != before {
				t.Errorf("%s changed\nbefore %s\nafter  %s", name, before, after)
			}
			last, err := js.Publish(t.Context(), "pilots.evt."+here+".m."+name, []byte("{}"))
			if err != nil || last.Sequence != first.Sequence+1 {
				t.Errorf("%s wrote what it may not, before %+v, %v", name, last, err)
			}
		}
		third := access.User{Role: access.Launcher, Resource: "site-a.other"}.WithDefaults()
		if _, err := h.Add(third); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := h.server.Reload(); err != nil {
				t.Fatal(err)
			}
		}
		nc := h.startSite(t, "leaf-site-a").rawConn(t, third.Name) // as if it were restarted
		awaitLink(t, nc)
		js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(hangs))
		if err == nil {
			_, err = js.Publish(t.Context(), "pilots.evt.site-a.other.m.p", []byte("{}"))
		}
		if err != nil {
			t.Errorf("a launcher that was added later: %v", err)
		}
		agent := site.rawConn(t, "agent-site-a-host")
		if !isAllowed(t, agent, "pub", "pilots.agent."+here+".m.p.beat") || isAllowed(t, agent, "pub", "pilots.evt."+here+".m.p") || isAllowed(t, agent, "sub", "pilots.agent.>") {
			t.Error("an agent may more or less at the site")
		}

		forged := "pilots.evt." + there + ".m.p"
		if h.linkAs(t, "leaf-site-a").publish(t, "LMSG "+forged+" 2\r\n{}\r\n") {
			t.Error("the link may write for another site")
		}
		h.linkAs(t, "leaf-site-a").publish(t, "LMSG pilots.evt."+here+".m.p $JS.ACK.a.b.1.1.1.1.0@"+forged+" 2\r\n{}\r\n")
		stream, err := log.Stream(t.Context(), "PILOTS")
		if err != nil {
			t.Fatal(err)
		}
		for over := time.Now().Add(hangs); ; {
			if _, err := stream.GetLastMsgForSubject(t.Context(), forged); err == nil {
				break
			}
			if time.Now().After(over) {
				t.Fatal("the link's key forges no more, which docs/security.md says it does")
			}
		}
	})
}

// awaitLink waits until the site's server has its link.
func awaitLink(t *testing.T, nc *nats.Conn) {
	t.Helper()
	for over := time.Now().Add(hangs); ; {
		_, err := nc.Request("$JS.API.STREAM.INFO.PILOTS", nil, time.Second) // lost, if the link comes meanwhile
		switch {
		case err == nil:
			return
		case !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, nats.ErrTimeout), time.Now().After(over):
			t.Fatal(err)
		}
	}
}
