package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/auth"
)

// natsServer builds the real server, of the version that go.mod names.
var natsServer = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binDir, "nats-server")
	out, err := exec.Command("go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

// natsHub is the bus of deploy/nats: three servers with TLS, and the users that
// 'flightlog auth init' makes.
type natsHub struct {
	h     *fixture
	dir   string // of certificates and credentials
	mode  auth.Mode
	urls  []string
	leafs []string // where sites dial in
}

// startHub starts the three servers, which the house's managers and clients use.
func (h *fixture) startHub(mode auth.Mode) *natsHub {
	h.t.Helper()
	b := &natsHub{h: h, dir: filepath.Join(h.dir, "hub"), mode: mode}
	h.runCLI("auth", "init", "--dir", b.dir, "--mode", string(mode), "--resource", "local.localhost", "--tenant", "default", "--tenant", "other")
	h.runCLI("auth", "add", "leaf", "--dir", b.dir, "--site", "local")
	h.installConf(b.dir, "nats.conf", map[string]string{})
	makeCertificates(h.t, b.dir)
	routes := make([]string, 3)
	for i := range routes {
		routes[i] = freeAddress(h.t)
		b.leafs = append(b.leafs, freeAddress(h.t))
		b.urls = append(b.urls, "tls://"+freeAddress(h.t))
	}
	quoted := `["nats://` + strings.Join(routes, `","nats://`) + `"]`
	for i := range routes {
		h.startNATSServer(filepath.Join(b.dir, "nats.conf"),
			fmt.Sprintf("NATS_SERVER_NAME=n%d", i), "NATS_LISTEN="+strings.TrimPrefix(b.urls[i], "tls://"),
			"NATS_CLUSTER_LISTEN="+routes[i], "NATS_LEAF_LISTEN="+b.leafs[i], "NATS_MONITOR="+freeAddress(h.t), "NATS_ROUTES="+quoted,
			"NATS_STORE="+filepath.Join(h.dir, fmt.Sprintf("store%d", i)),
			"NATS_TLS_CERT="+filepath.Join(b.dir, "server.crt"), "NATS_TLS_KEY="+filepath.Join(b.dir, "server.key"),
			"NATS_TLS_CA="+filepath.Join(b.dir, "ca.crt"))
	}
	h.env = append(h.env, "NATS_URL="+strings.Join(b.urls, ","), "NATS_CA="+filepath.Join(b.dir, "ca.crt"))
	return b
}

// credentialsFile is the file of a user's key.
func (b *natsHub) credentialsFile(user string) string {
	if b.mode == auth.Operator {
		return filepath.Join(b.dir, "creds", user+".creds")
	}
	return filepath.Join(b.dir, "creds", user+".nk")
}

// credentialsVariable is the variable that tells a process who it is at the bus.
func (b *natsHub) credentialsVariable() string {
	if b.mode == auth.Operator {
		return "NATS_CREDS="
	}
	return "NATS_NKEY="
}

// userEnv is the environment of a process that is a user; its agents, if it has any,
// are one too.
func (b *natsHub) userEnv(user string) []string {
	return []string{
		b.credentialsVariable() + b.credentialsFile(user), "NATS_INBOX_PREFIX=_INBOX_" + user,
		"FLIGHTLOG_LAUNCHER_AGENT_NKEY=" + b.credentialsFile(siteAgent), "FLIGHTLOG_LAUNCHER_AGENT_INBOX_PREFIX=_INBOX_" + siteAgent,
	}
}

// Users of the site.
const (
	siteLauncher = "launcher-local-localhost"
	siteAgent    = "agent-local-localhost"
)

func (b *natsHub) startAs(user, name string, args ...string) {
	b.h.t.Helper()
	p := &process{fixture: b.h, name: programIn(binDir, name), args: args, env: b.userEnv(user)}
	p.start()
}

// connectClient connects to the service as a client of the tenant.
func (b *natsHub) connectClient() *client.Client {
	b.h.t.Helper()
	cfg := bus.Config{URL: strings.Join(b.urls, ","), CA: filepath.Join(b.dir, "ca.crt"), InboxPrefix: "_INBOX_client"}
	if b.mode == auth.Operator {
		cfg.Creds = b.credentialsFile("client")
	} else {
		cfg.NKey = b.credentialsFile("client")
	}
	c, err := client.Connect(b.h.t.Context(), "", client.WithBus(cfg), client.WithTimeout(time.Minute))
	if err != nil {
		b.h.t.Fatal(err)
	}
	b.h.t.Cleanup(c.Close)
	return c
}

// installConf copies a file of deploy/nats, and writes what it includes.
func (h *fixture) installConf(dir, name string, included map[string]string) {
	h.t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		h.t.Fatal(err)
	}
	shipped, err := os.ReadFile(filepath.Join("../deploy/nats", name))
	if err != nil {
		h.t.Fatal(err)
	}
	included[name] = string(shipped)
	for name, text := range included {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

// startNATSServer starts a server with nothing but a configuration and its variables.
func (h *fixture) startNATSServer(conf string, env ...string) {
	h.t.Helper()
	path, err := natsServer()
	if err != nil {
		h.t.Fatal(err)
	}
	p := &process{fixture: h, name: path, args: []string{"-c", conf}, env: env}
	p.start()
}

// makeCertificates makes an authority and a certificate for this machine.
func makeCertificates(t *testing.T, dir string) {
	t.Helper()
	pemFile := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
			BasicConstraintsValid: true,
		}
	}
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ca, caKey := template(1, "the test's authority"), key()
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	pemFile("ca.crt", "CERTIFICATE", der)
	server, serverKey := template(2, "server"), key()
	server.IPAddresses, server.KeyUsage = []net.IP{net.IPv4(127, 0, 0, 1)}, x509.KeyUsageDigitalSignature
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if der, err = x509.CreateCertificate(rand.Reader, server, ca, serverKey.Public(), caKey); err != nil {
		t.Fatal(err)
	}
	pemFile("server.crt", "CERTIFICATE", der)
	if der, err = x509.MarshalECPrivateKey(serverKey); err != nil {
		t.Fatal(err)
	}
	pemFile("server.key", "EC PRIVATE KEY", der)
}

// TestE2EDeployedBus runs a pilot over the three servers of deploy/nats, and
// tries to come in where nobody should.
func TestE2EDeployedBus(t *testing.T) {
	h := newFixture(t)
	b := h.startHub(auth.NKey)
	b.startAs("manager", "manager", "--replicas", "3")
	b.startAs(siteLauncher, "launcher", "--replicas", "3")
	m := h.createManager(b.connectClient())
	submit(t, m, shellPilot("exit 0"))
	awaitAll(t, m)

	at := b.urls[0]
	ca := nats.RootCAs(filepath.Join(b.dir, "ca.crt"))
	key := func(user string) nats.Option {
		o, err := nats.NkeyOptionFromSeed(b.credentialsFile(user))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for what, opts := range map[string][]nats.Option{
		"without credentials":         {ca},
		"without trust in the server": {key("client")},
	} {
		if nc, err := nats.Connect(at, opts...); err == nil {
			nc.Close()
			t.Errorf("somebody connects %s", what)
		}
	}
	stranger, err := nats.Connect(at, ca, key("other-client"), nats.CustomInboxPrefix("_INBOX_other-client"))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if !stranger.TLSRequired() {
		t.Error("the server takes connections without TLS")
	}
	if stranger.MaxPayload() != bus.MaxPayload {
		t.Errorf("messages may have %d bytes, events need %d", stranger.MaxPayload(), bus.MaxPayload)
	}
	if _, err := stranger.Request("pilots.api.pilot.list", nil, 20*time.Second); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("another tenant asks the service: %v", err)
	}
}

// TestShippedLimits: none of the shipped configurations may acknowledge what
// is not on disk, and all take an event of full length.
func TestShippedLimits(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nats.conf", "leaf.conf"} {
		b, err := os.ReadFile(filepath.Join("../deploy/nats", name))
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`(?m)^max_payload: (\d+)$`).FindSubmatch(b)
		if m == nil || string(m[1]) != strconv.Itoa(bus.MaxPayload) {
			t.Errorf("%s: max_payload is %q, must be %d", name, m, bus.MaxPayload)
		}
		if name == "nats.conf" && !regexp.MustCompile(`(?m)^  sync_interval: always$`).Match(b) {
			t.Errorf("%s acknowledges what is not on disk", name)
		}
	}
}
