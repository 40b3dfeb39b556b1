package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
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
	"github.com/nats-io/nkeys"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
)

// natsServer builds the real server, of the version that go.mod names.
var natsServer = sync.OnceValues(func() (string, error) {
	path := filepath.Join(bin, "nats-server")
	out, err := exec.Command("go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

// hub is the bus of deploy/nats: three servers with TLS and accounts.
type hub struct {
	h     *house
	dir   string // of the certificates
	bus   bus.Config
	site  string // seed of the site's nkey
	urls  []string
	leafs []string // where sites dial in
	nodes []*process
}

// hubAuth is a tenant with the service's own user and one site, whose rights
// are those of its launchers: its resource, its inbox, the leases.
const hubAuth = `
accounts {
  SYS { users: [{user: sys, password: sys-password}] }
  LAB {
    jetstream: enabled
    users: [
      {user: service, password: service-password}
      {nkey: %s, permissions: {
        publish: [
          "pilots.evt.local.localhost.>", "pilots.note.local.localhost.>",
          "$JS.hub.API.INFO", "$JS.hub.API.STREAM.INFO.>", "$JS.hub.API.STREAM.MSG.GET.>", "$JS.hub.API.DIRECT.GET.>",
          "$JS.hub.API.CONSUMER.>", "$JS.ACK.PILOTS.>",
          "$JS.hub.API.STREAM.CREATE.KV_PILOTS_LEASES", "$JS.hub.API.$KV.PILOTS_LEASES.>"
        ]
        subscribe: ["_INBOX_site.>"]
      }}
    ]
  }
}
system_account: SYS
`

// hub starts the three servers, which the house's managers and clients use.
func (h *house) hub() *hub {
	h.t.Helper()
	b := &hub{h: h, dir: filepath.Join(h.dir, "hub"), nodes: make([]*process, 3)}
	var public string
	b.site, public = nkey(h.t)
	h.conf(b.dir, "nats.conf", map[string]string{"auth.conf": fmt.Sprintf(hubAuth, public)})
	certificates(h.t, b.dir)
	routes := make([]string, 3)
	for i := range routes {
		routes[i] = address(h.t)
		b.leafs = append(b.leafs, address(h.t))
		b.urls = append(b.urls, "tls://"+address(h.t))
	}
	quoted := `["nats://` + strings.Join(routes, `","nats://`) + `"]`
	for i := range b.nodes {
		b.nodes[i] = h.natsServer(filepath.Join(b.dir, "nats.conf"),
			fmt.Sprintf("NATS_SERVER_NAME=n%d", i), "NATS_LISTEN="+strings.TrimPrefix(b.urls[i], "tls://"),
			"NATS_CLUSTER_LISTEN="+routes[i], "NATS_LEAF_LISTEN="+b.leafs[i], "NATS_MONITOR="+address(h.t), "NATS_ROUTES="+quoted,
			"NATS_STORE="+filepath.Join(h.dir, fmt.Sprintf("store%d", i)),
			"NATS_TLS_CERT="+filepath.Join(b.dir, "server.crt"), "NATS_TLS_KEY="+filepath.Join(b.dir, "server.key"),
			"NATS_TLS_CA="+filepath.Join(b.dir, "ca.crt"))
	}
	b.bus = bus.Config{
		URL: strings.Join(b.urls, ","), User: "service", Password: "service-password", CA: filepath.Join(b.dir, "ca.crt"),
	}
	h.env = append(h.env, b.bus.Env()...)
	return b
}

// client connects to the service as a user of the tenant.
func (b *hub) client() *client.Client {
	b.h.t.Helper()
	c, err := client.Connect(b.h.t.Context(), "", client.WithBus(b.bus), client.WithTimeout(time.Minute))
	if err != nil {
		b.h.t.Fatal(err)
	}
	b.h.t.Cleanup(c.Close)
	return c
}

// conf copies a file of deploy/nats, and writes what it includes.
func (h *house) conf(dir, name string, included map[string]string) {
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

// natsServer starts a server with nothing but a configuration and its variables.
func (h *house) natsServer(conf string, env ...string) *process {
	h.t.Helper()
	path, err := natsServer()
	if err != nil {
		h.t.Fatal(err)
	}
	p := &process{h: h, name: path, args: []string{"-c", conf}, env: env}
	p.start()
	return p
}

// nkey makes a user's key.
func nkey(t *testing.T) (seed, public string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	s, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return string(s), public
}

// certificates makes an authority and a certificate for this machine.
func certificates(t *testing.T, dir string) {
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
	h := newHouse(t)
	b := h.hub()
	h.process("manager", "--replicas", "3")
	h.process("launcher", "--replicas", "3")
	m := h.manager(b.client())
	submit(t, m, shell("exit 0"))
	await(t, m)

	at := b.urls[0]
	ca := nats.RootCAs(b.bus.CA)
	for what, opts := range map[string][]nats.Option{
		"without credentials":         {ca},
		"with a wrong password":       {ca, nats.UserInfo("service", "guessed")},
		"without trust in the server": {nats.UserInfo("service", "service-password")},
	} {
		if nc, err := nats.Connect(at, opts...); err == nil {
			nc.Close()
			t.Errorf("somebody connects %s", what)
		}
	}
	nc, err := nats.Connect(at, ca, nats.UserInfo("service", "service-password"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if !nc.TLSRequired() {
		t.Error("the server takes connections without TLS")
	}
	if nc.MaxPayload() != bus.MaxPayload {
		t.Errorf("messages may have %d bytes, events need %d", nc.MaxPayload(), bus.MaxPayload)
	}
	stranger, err := nats.Connect(at, ca, nats.UserInfo("sys", "sys-password"))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Request("pilots.api.pilot.list", nil, 20*time.Second); err == nil {
		t.Error("another account reaches the service")
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
