package auth_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/pilot"
)

// deniedRequests are the ways to ask for something, by name.
var deniedRequests = map[string]func(ctx context.Context, c *bus.Conn) error{
	"look at the log": func(ctx context.Context, c *bus.Conn) error { _, err := c.Log(ctx); return err },
	"ask the service": func(ctx context.Context, c *bus.Conn) error {
		_, err := c.Call(ctx, "echo", 0, struct{}{}, nil)
		return err
	},
	"find orphans": func(ctx context.Context, c *bus.Conn) error {
		_, err := c.AskOrphans(ctx, here, api.OrphansRequest{})
		return err
	},
	"see output": func(ctx context.Context, c *bus.Conn) error {
		_, err := c.AskOutput(ctx, pilot.Key{Resource: here, Manager: "m", Pilot: "p"})
		return err
	},
	"make the log": func(ctx context.Context, c *bus.Conn) error { return c.EnsureStream(ctx, bus.StreamConfig{}) },
	"take commands": func(ctx context.Context, c *bus.Conn) error {
		_, err := c.CommandQueue(ctx, there, bus.CommandQueueConfig{})
		return err
	},
	"write an event": func(ctx context.Context, c *bus.Conn) error {
		log, err := c.Log(ctx)
		if err == nil {
			_, err = log.Append(ctx, birthEvent(pilot.Key{Resource: there, Manager: "m", Pilot: "x"}))
		}
		return err
	},
}

// TestWhatIsDeniedIsSaid: what the server does not let a user ask is denied at once, and
// says who was asked as and what would give the right. Nothing ends it but that.
func TestWhatIsDeniedIsSaid(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, usualUsers()...)
		m := h.connectManager(t)
		h.serveEcho(t, m)
		for _, c := range []struct{ user, ask, remedy string }{
			{"client", "look at the log", "--watch"},
			{"client", "find orphans", "an admin"},
			{"watcher", "find orphans", "an admin"},
			{"client", "make the log", "a manager"},
			{"client", "take commands", "--watch"},
			{"watcher", "take commands", "a launcher"},
			{"watcher", "write an event", "a manager"},
			{"subscriber", "ask the service", "a client"},
			{"subscriber", "see output", "a client"},
			{"subscriber", "write an event", "a manager"},
			{"launcher-site-a-host", "ask the service", "a client"},
			{"launcher-site-a-host", "take commands", "launcher"},
			{"launcher-site-a-host", "write an event", "a manager"},
			{"agent-site-a-host", "ask the service", "a client"},
			{"agent-site-a-host", "look at the log", "--watch"},
		} {
			err := deniedRequests[c.ask](t.Context(), h.connectAs(t, c.user))
			if pilot.CodeOf(err) != pilot.Denied || !strings.Contains(err.Error(), "user "+c.user+" may not") || !strings.Contains(err.Error(), c.remedy) {
				t.Errorf("%s: %s: %s: %v", c.user, c.ask, pilot.CodeOf(err), err)
			}
		}
	})
}

// TestADenialEndsNobodyElse: who asks for what he may, on a connection that is denied
// something else all the time, is answered.
func TestADenialEndsNobodyElse(t *testing.T) {
	t.Parallel()
	h := newFixture(t, auth.NKey, usualUsers()...)
	h.serveEcho(t, h.connectManager(t))
	c := h.connectAs(t, "watcher")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = deniedRequests["find orphans"](ctx, c)
		}
	}()
	for range 100 {
		if err := deniedRequests["ask the service"](t.Context(), c); err != nil {
			t.Fatal(err)
		}
		log, err := c.Log(t.Context())
		if err == nil {
			_, err = log.End(t.Context(), events.Span{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	stop()
	<-ended
}

// TestInboxesGoWithCredentials: who says nothing of inboxes is answered, with the file of
// variables beside his credentials and without; who says another's is told.
func TestInboxesGoWithCredentials(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, usualUsers()...)
		h.serveEcho(t, h.connectManager(t))
		for _, file := range []string{"beside", "away"} {
			for user, ask := range map[string]string{"client": "ask the service", "subscriber": "look at the log", "admin": "look at the log"} {
				cfg := h.config(user)
				cfg.InboxPrefix = ""
				context := cfg
				context.URL, context.NKey, context.Creds, context.Context = "", "", "", filepath.Join(t.TempDir(), user+".json")
				said, err := json.Marshal(map[string]string{"url": cfg.URL, "nkey": cfg.NKey, "creds": cfg.Creds})
				if err == nil {
					err = os.WriteFile(context.Context, said, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
				if file == "away" {
					if err := os.Remove(strings.TrimSuffix(h.CredentialsPath(user), filepath.Ext(h.CredentialsPath(user))) + ".env"); err != nil {
						t.Fatal(err)
					}
				}
				for _, cfg := range []bus.Config{cfg, context} {
					c, err := bus.Connect(t.Context(), cfg)
					if err != nil {
						t.Fatal(err)
					}
					if err := deniedRequests[ask](t.Context(), c); err != nil {
						t.Errorf("%s, variables %s, context %q: %v", user, file, cfg.Context, err)
					}
					c.Close()
				}
			}
		}
		cfg := h.config("client")
		cfg.InboxPrefix = "_INBOX_watcher"
		c, err := bus.Connect(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 2 { // the server says it once
			if err := deniedRequests["ask the service"](t.Context(), c); pilot.CodeOf(err) != pilot.Denied || !strings.Contains(err.Error(), "NATS_INBOX_PREFIX") {
				t.Errorf("with inboxes of another user: %v", err)
			}
		}
	})
}
