package embedded_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/pilot"
)

// certificate makes one for this machine, which is its own authority.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &pair.PublicKey, pair)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestAGuardedServer lets in those it knows, over TLS, and its own process.
func TestAGuardedServer(t *testing.T) {
	t.Parallel()
	users, err := auth.Init(filepath.Join(t.TempDir(), "auth"), auth.NKey)
	if err == nil {
		_, err = users.Add(access.User{Role: access.Manager}, access.User{Role: access.Launcher, Resource: "a.b", Name: "link"})
	}
	if err != nil {
		t.Fatal(err)
	}
	cert, key := certificate(t)
	s, err := embedded.Start(t.Context(), embedded.Config{
		Store: t.TempDir(), Listen: "127.0.0.1:0", Auth: users.ConfPath(), TLS: embedded.TLS{Cert: cert, Key: key},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	known := bus.Config{URL: s.URL(), CA: cert, NKey: users.CredentialsPath("manager"), InboxPrefix: "_INBOX_manager"}
	for name, cfg := range map[string]bus.Config{"its own process": {InProcess: s}, "a manager": known} {
		c, err := bus.Connect(t.Context(), cfg)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Cleanup(c.Close)
		if err := c.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	limited, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	inside, err := bus.Connect(limited, bus.Config{InProcess: s, NKey: users.CredentialsPath("link"), InboxPrefix: "_INBOX_link"})
	if err != nil {
		t.Fatalf("a launcher, in this process: %v", err)
	}
	inside.Close()
	url := s.URL()
	if err := s.Reload(); err != nil || s.URL() != url {
		t.Errorf("read again: %v, %s became %s", err, url, s.URL())
	}
	if _, err := users.Add(access.User{Role: access.Subscriber}); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	added := known
	added.NKey, added.InboxPrefix = users.CredentialsPath("subscriber"), "_INBOX_subscriber"
	reader, err := bus.Connect(t.Context(), added)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	if _, err := reader.Log(t.Context()); err != nil {
		t.Errorf("a user that was added: %v", err)
	}
	stranger, doubter := known, known
	stranger.NKey, doubter.CA = "", ""
	if _, err := bus.Connect(t.Context(), stranger); pilot.CodeOf(err) != pilot.Denied {
		t.Errorf("without a key: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := bus.Connect(ctx, doubter); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("without its authority: %v", err)
	}
}

// TestRefusalsOfTheServerAreToldOnce, as such and not as its own errors.
func TestRefusalsOfTheServerAreToldOnce(t *testing.T) {
	t.Parallel()
	users, err := auth.Init(filepath.Join(t.TempDir(), "auth"), auth.NKey)
	if err == nil {
		_, err = users.Add(access.User{Role: access.Subscriber})
	}
	if err != nil {
		t.Fatal(err)
	}
	core, seen := observer.New(zap.WarnLevel)
	s, err := embedded.Start(t.Context(), embedded.Config{
		Store: t.TempDir(), Listen: "127.0.0.1:0", Auth: users.ConfPath(), Logger: zap.New(core),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	c, err := bus.Connect(t.Context(), bus.Config{URL: s.URL(), NKey: users.CredentialsPath("subscriber"), InboxPrefix: "_INBOX_subscriber"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.NATS().Publish("pilots.evt.a.b.m.p", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.NATS().Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Connect(t.Context(), bus.Config{URL: s.URL()}); pilot.CodeOf(err) != pilot.Denied {
		t.Errorf("a stranger: %v", err)
	}
	lines := seen.FilterMessage("server refuses").FilterField(zap.String("code", "denied"))
	for _, text := range []string{`"pilots.evt.a.b.m.p"`, "authentication error"} {
		said := lines.Filter(func(e observer.LoggedEntry) bool { return strings.Contains(fmt.Sprint(e.ContextMap()), text) })
		if said.Len() != 1 {
			t.Errorf("%s is told %d times: %+v", text, said.Len(), seen.All())
		}
	}
}

func TestNobodyElseIsLetInUnasked(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:4222", "example.org:4222"} {
		for _, cfg := range []embedded.Config{{}, {Auth: "auth.conf"}, {TLS: embedded.TLS{Cert: "cert.pem"}}} {
			cfg.Store, cfg.Listen = t.TempDir(), listen
			if _, err := embedded.Start(t.Context(), cfg); pilot.CodeOf(err) != pilot.Denied {
				t.Errorf("%s: %v", listen, err)
			}
		}
	}
	for _, listen := range []string{"127.0.0.1:0", "localhost:0", "[::1]:0", "127.0.0.9:1"} {
		if err := embedded.CheckListen(listen, false, false); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
	}
	if err := embedded.CheckListen("0.0.0.0:4222", true, true); err != nil {
		t.Error(err)
	}
}

// TestUsersOfAnOperatorNeedAServer: what an embedded server cannot do it says.
func TestUsersOfAnOperatorNeedAServer(t *testing.T) {
	t.Parallel()
	for mode, want := range map[auth.Mode]pilot.Code{auth.Operator: pilot.Unsupported, auth.NKey: pilot.Invalid} {
		users, err := auth.Init(filepath.Join(t.TempDir(), "auth"), mode)
		if err != nil {
			t.Fatal(err)
		}
		_, err = embedded.Start(t.Context(), embedded.Config{Store: t.TempDir(), Listen: "127.0.0.1:0", Auth: users.ConfPath()})
		if pilot.CodeOf(err) != want {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
