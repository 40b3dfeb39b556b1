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

	"github.com/flightlog/flightlog/internal/auth"
)

// rawLink is a connection as a leaf node's server makes it, which need not be a server.
type rawLink struct {
	net.Conn
	lines *bufio.Scanner
}

// linkAs connects as a leaf node that is a user; nil: it is not let in.
func (h *fixture) linkAs(t *testing.T, name string) *rawLink {
	t.Helper()
	c, err := net.Dial("tcp", h.listenLeafs(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	l := &rawLink{c, bufio.NewScanner(c)}
	l.lines.Buffer(nil, 1<<20)
	if !l.lines.Scan() {
		t.Fatal(l.lines.Err())
	}
	var info struct {
		Nonce string `json:"nonce"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(l.lines.Text(), "INFO ")), &info); err != nil {
		t.Fatal(err)
	}
	seed, err := os.ReadFile(h.CredentialsPath(name))
	if err != nil {
		t.Fatal(err)
	}
	says := map[string]any{"name": "site", "version": "2.15.2", "headers": true}
	if h.Mode == auth.Operator {
		says["jwt"], err = nkeys.ParseDecoratedJWT(seed)
	}
	if err != nil {
		t.Fatal(err)
	}
	pair, err := nkeys.ParseDecoratedNKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	if h.Mode == auth.NKey {
		if says["nkey"], err = pair.PublicKey(); err != nil {
			t.Fatal(err)
		}
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
	if !l.publish(t, fmt.Sprintf("CONNECT %s\r\n", connect)) {
		return nil
	}
	return l
}

// publish says it, and whether the server has no objection.
func (l *rawLink) publish(t *testing.T, what string) bool {
	t.Helper()
	if _, err := fmt.Fprintf(l, "%sPING\r\n", what); err != nil {
		t.Fatal(err)
	}
	for l.lines.Scan() {
		switch line := l.lines.Text(); {
		case strings.HasPrefix(line, "-ERR"):
			return false
		case line == "PONG":
			return true
		}
	}
	return false
}

// subscriptions says on which subjects messages have come, of those sent before.
func (l *rawLink) subscriptions(t *testing.T) (subjects []string) {
	t.Helper()
	if _, err := fmt.Fprint(l, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	for l.lines.Scan() {
		switch verb, rest, _ := strings.Cut(l.lines.Text(), " "); verb {
		case "LMSG", "HMSG":
			subject, _, _ := strings.Cut(rest, " ")
			subjects = append(subjects, subject)
		case "PONG":
			return subjects
		}
	}
	t.Fatal("the link was cut: ", l.lines.Err())
	return nil
}

// listenLeafs is where leaf nodes connect.
func (h *fixture) listenLeafs(t *testing.T) string {
	t.Helper()
	known, err := h.server.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", known.LeafNode.Port)
}
