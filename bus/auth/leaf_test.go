package auth_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/flightlog/flightlog/access"
	"github.com/flightlog/flightlog/bus/auth"
	"github.com/flightlog/flightlog/pilot"
)

// leafs says whether a user is let in as a leaf node's server, which need not be a
// server.
func (h *house) leafs(t *testing.T, name string) bool {
	t.Helper()
	known, err := h.server.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", known.LeafNode.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		t.Fatal(lines.Err())
	}
	var info struct {
		Nonce string `json:"nonce"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(lines.Text(), "INFO ")), &info); err != nil {
		t.Fatal(err)
	}
	seed, err := os.ReadFile(h.Credentials(name))
	if err != nil {
		t.Fatal(err)
	}
	says := map[string]any{"name": "site", "version": "2.15.2", "headers": true}
	var pair nkeys.KeyPair
	if h.Mode == auth.Operator {
		if says["jwt"], err = nkeys.ParseDecoratedJWT(seed); err == nil {
			pair, err = nkeys.ParseDecoratedNKey(seed)
		}
	} else if pair, err = nkeys.FromSeed([]byte(strings.TrimSpace(string(seed)))); err == nil {
		says["nkey"], err = pair.PublicKey()
	}
	if err != nil {
		t.Fatal(err)
	}
	signed, err := pair.Sign([]byte(info.Nonce))
	if err != nil {
		t.Fatal(err)
	}
	says["sig"] = base64.RawURLEncoding.EncodeToString(signed)
	connect, err := json.Marshal(says)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c, "CONNECT %s\r\nPING\r\n", connect); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "-ERR"):
			return false
		case line == "PONG":
			return true
		}
	}
	return false
}

// TestOnlyLeafsLink: any user could be the leaf node's, and say more than a client
// may.
func TestOnlyLeafsLink(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, mode auth.Mode) {
		h := build(t, mode, usual()...)
		for _, name := range []string{"launcher-site-a-host", "launcher-site-b-host", "agent-site-a-host", "client", "watcher", "subscriber", "manager", "admin"} {
			if h.leafs(t, name) {
				t.Errorf("%s links", name)
			}
		}
		before := read(t, h.Credentials("launcher-site-a-host"))
		for range 2 {
			if added, err := h.Add(access.User{Role: access.Launcher, Resource: here, Leaf: true}); err != nil || len(added) > 0 {
				t.Fatal(added, err)
			}
			if _, err := h.Add(usual()...); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.server.Reload(); err != nil {
			t.Fatal(err)
		}
		if !h.leafs(t, "launcher-site-a-host") || h.leafs(t, "launcher-site-b-host") || read(t, h.Credentials("launcher-site-a-host")) != before {
			t.Error("the launcher does not link, another one does, or its credentials are others")
		}
		if _, err := h.Add(access.User{Role: access.Client, Name: "x", Leaf: true}); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("a client: %v", err)
		}
	})
}
