package sshconn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/flightlog/flightlog/adaptor/runner/sshconn"
	"github.com/flightlog/flightlog/adaptor/runner/sshtest"
	"github.com/flightlog/flightlog/pilot"
)

func signer(t *testing.T, key any) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// login runs a command and gives the words of the error, which must be one of
// code denied and say that nothing was started.
func login(t *testing.T, c *sshconn.Conn) string {
	t.Helper()
	_, err := c.Exec(t.Context(), "x", nil, 1)
	if err == nil {
		return ""
	}
	if fails(t, err) || pilot.CodeOf(err) != pilot.Denied {
		t.Errorf("want code denied, not started; got %v", err)
	}
	return err.Error()
}

func TestHostKeys(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 2200}
	other := signer(t, sshtest.NewKey(t))
	elliptic256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	second := signer(t, elliptic256)
	authority := signer(t, sshtest.NewKey(t))
	line := func(keys ...ssh.Signer) (all string) {
		for _, k := range keys {
			all += sshtest.Known(addr, k.PublicKey())
		}
		return all
	}
	for name, law := range map[string]struct {
		known func(host ssh.Signer) string
		more  string
		says  []string // nil: it works
		hosts func(host ssh.Signer) []ssh.Signer
	}{
		"known":      {known: func(h ssh.Signer) string { return line(h) }},
		"of two":     {known: func(h ssh.Signer) string { return line(other, h) }},
		"unknown":    {known: func(ssh.Signer) string { return "" }, says: []string{"not known", "known_hosts: [192.0.2.1]:2200 ssh-ed25519 AAAA", "SHA256:"}},
		"elsewhere":  {known: func(h ssh.Signer) string { return "192.0.2.2 " + key(h) }, says: []string{"not known"}},
		"of port 22": {known: func(h ssh.Signer) string { return "192.0.2.1 " + key(h) }, says: []string{"not known"}},
		"changed":    {known: func(ssh.Signer) string { return "# one\n" + line(other) }, says: []string{"not the one in", "known_hosts:2", "in between", "[192.0.2.1]:2200 ssh-ed25519 AAAA"}},
		"revoked":    {known: func(h ssh.Signer) string { return line(h) + "@revoked * " + key(h) }, says: []string{"revoked"}},
		"no":         {known: func(ssh.Signer) string { return "" }, more: "StrictHostKeyChecking no", says: []string{"not known"}},
		"hashed":     {known: func(h ssh.Signer) string { return knownhosts.HashHostname("[192.0.2.1]:2200") + " " + key(h) }},
		"alias":      {known: func(h ssh.Signer) string { return "cluster " + key(h) }, more: "HostKeyAlias cluster"},
		"wildcard":   {known: func(h ssh.Signer) string { return "[192.0.2.*]:2200 " + key(h) }},
		"the second of two kinds": {
			known: func(ssh.Signer) string { return line(second) },
			hosts: func(h ssh.Signer) []ssh.Signer { return []ssh.Signer{h, second} },
		},
		"another kind": {known: func(ssh.Signer) string { return line(second) }, says: []string{"no key of a kind that is known", "ecdsa-sha2-nistp256", "known_hosts"}},
		"certified": {
			known: func(ssh.Signer) string { return "@cert-authority * " + key(authority) },
			hosts: func(h ssh.Signer) []ssh.Signer {
				return []ssh.Signer{certificate(t, h, authority, ssh.HostCert, "192.0.2.1")}
			},
		},
		"certified for another": {
			known: func(ssh.Signer) string { return "@cert-authority * " + key(authority) },
			hosts: func(h ssh.Signer) []ssh.Signer {
				return []ssh.Signer{certificate(t, h, authority, ssh.HostCert, "192.0.2.9")}
			},
			says: []string{"192.0.2.9"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, id := sshtest.New(t)
				server.Handle = echo
				host := server.Hosts[0]
				if law.hosts != nil {
					server.Hosts = law.hosts(host)
				}
				client := sshtest.NewClient(t)
				client.Write("known_hosts", law.known(host)+"\n")
				config := client.Config(sshtest.Block("target", addr, client.Key("id", id, ""), law.more))
				c := open(t, sshconn.Config{Host: "target", File: config, Dial: server.Dial})
				said := login(t, c)
				if (said == "") != (law.says == nil) {
					t.Errorf("it says: %s", said)
				}
				for _, word := range law.says {
					if !strings.Contains(said, word) {
						t.Errorf("%q does not say %q", said, word)
					}
				}
				if _, add, ok := strings.Cut(said, "known_hosts: "); ok && name == "unknown" { // as it is told
					client.Write("known_hosts", add[:strings.LastIndex(add, " (the next")]+"\n")
					time.Sleep(time.Minute)
					works(t, c)
				}
				_ = c.Close()
			})
		})
	}
}

func key(s ssh.Signer) string { return string(ssh.MarshalAuthorizedKey(s.PublicKey())) }

func certificate(t *testing.T, s, authority ssh.Signer, kind uint32, name string) ssh.Signer {
	t.Helper()
	cert := &ssh.Certificate{
		Key: s.PublicKey(), CertType: kind, ValidPrincipals: []string{name}, ValidBefore: ssh.CertTimeInfinity,
	}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	certified, err := ssh.NewCertSigner(cert, s)
	if err != nil {
		t.Fatal(err)
	}
	return certified
}

func TestKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, id := sshtest.New(t)
		server.Handle = echo
		addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 22}
		client := sshtest.NewClient(t)
		client.Write("known_hosts", sshtest.Known(addr, server.Hosts[0].PublicKey()))
		stranger := client.Key("stranger", sshtest.NewKey(t), "")
		locked := client.Key("locked", id, "secret")
		shared := client.Key("shared", id, "")
		if err := os.Chmod(shared, 0o644); err != nil {
			t.Fatal(err)
		}
		config := client.Config(sshtest.Block("target", addr, stranger, "IdentityFile "+locked, "IdentityFile "+shared,
			"IdentityFile "+client.Write("broken", "no key"), "IdentityFile "+filepath.Join(client.Dir, "none")))
		c := open(t, sshconn.Config{Host: "target", File: config, Dial: server.Dial})
		said := login(t, c)
		for _, word := range []string{
			"ssh to somebody@192.0.2.1:22", stranger + " SHA256:", locked + ": it is encrypted", shared + ": its mode is 644", "broken: ", "none: it is not there",
		} {
			if !strings.Contains(said, word) {
				t.Errorf("%q does not say %q", said, word)
			}
		}
		client.Config(sshtest.Block("target", addr, client.Key("good", id, "")))
		c = open(t, sshconn.Config{Host: "target", File: config, Dial: server.Dial})
		works(t, c)
		_ = c.Close()
	})
}

func TestCertifiedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, id := sshtest.New(t)
		server.Handle = echo
		cert := certificate(t, signer(t, id), signer(t, sshtest.NewKey(t)), ssh.UserCert, "somebody").PublicKey()
		server.Keys = []ssh.PublicKey{cert} // and not the key by itself
		addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 22}
		client := sshtest.NewClient(t)
		client.Write("known_hosts", sshtest.Known(addr, server.Hosts[0].PublicKey()))
		client.Write("id-cert.pub", string(ssh.MarshalAuthorizedKey(cert)))
		config := client.Config(sshtest.Block("target", addr, client.Key("id", id, "")))
		c := open(t, sshconn.Config{Host: "target", File: config, Dial: server.Dial})
		works(t, c)
		_ = c.Close()
	})
}

// TestAgent needs a socket, and so real time.
func TestAgent(t *testing.T) {
	server, id := sshtest.New(t)
	server.Handle = echo
	addr := server.Listen(t)
	ring := agent.NewKeyring()
	for range 5 { // the right one comes last: it is tried first if it is configured
		if err := ring.Add(agent.AddedKey{PrivateKey: sshtest.NewKey(t)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := ring.Add(agent.AddedKey{PrivateKey: id}); err != nil {
		t.Fatal(err)
	}
	client := sshtest.NewClient(t)
	client.Write("known_hosts", sshtest.Known(addr, server.Hosts[0].PublicKey()))
	socket := filepath.Join(client.Dir, "a")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, conn) }()
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", socket)
	for name, law := range map[string]struct {
		file  string
		more  []string
		works bool
	}{
		"any key":         {client.Key("stranger", sshtest.NewKey(t), ""), nil, true},
		"none of them":    {filepath.Join(client.Dir, "stranger"), []string{"IdentitiesOnly yes"}, false},
		"the locked one":  {client.Key("locked", id, "secret"), []string{"IdentitiesOnly yes"}, true},
		"the public part": {client.Write("id.pub", key(signer(t, id))), []string{"IdentitiesOnly yes"}, true},
	} {
		block := sshtest.Block("target", addr, law.file, append(law.more, "IdentityAgent "+socket)...)
		config := client.Write("config", block+"UserKnownHostsFile "+filepath.Join(client.Dir, "known_hosts")+"\n")
		c := open(t, sshconn.Config{Host: "target", File: config})
		if said := login(t, c); (said == "") != law.works {
			t.Errorf("%s: %s", name, said)
		}
		_ = c.Close()
	}
}

func TestJump(t *testing.T) {
	far, id := sshtest.New(t)
	far.Handle = echo
	near, _ := sshtest.New(t)
	near.Keys = far.Keys
	client := sshtest.NewClient(t)
	key := client.Key("id", id, "")
	nearAddr, farAddr := near.Listen(t), far.Listen(t)
	client.Write("known_hosts", sshtest.Known(nearAddr, near.Hosts[0].PublicKey())+sshtest.Known(farAddr, far.Hosts[0].PublicKey()))
	config := client.Config(sshtest.Block("near", nearAddr, key), sshtest.Block("far", farAddr, key, "ProxyJump near"))
	c := open(t, sshconn.Config{Host: "far", File: config})
	works(t, c)
	works(t, c)
	if near.Logins() != 1 || far.Logins() != 1 || near.Execs() != 0 {
		t.Errorf("%d and %d logins", near.Logins(), far.Logins())
	}
	if c.Identity() != "somebody@"+farAddr.String() {
		t.Error(c.Identity())
	}
	near.Cut()
	works(t, c)
	client.Write("known_hosts", sshtest.Known(farAddr, far.Hosts[0].PublicKey()))
	if said := login(t, open(t, sshconn.Config{Host: "far", File: config})); !strings.Contains(said, "hop 1 of 2") {
		t.Error(said)
	}
}
