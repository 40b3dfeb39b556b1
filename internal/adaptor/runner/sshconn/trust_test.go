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

	"github.com/flightlog/flightlog/internal/adaptor/runner/sshconn"
	"github.com/flightlog/flightlog/internal/adaptor/runner/sshtest"
	"github.com/flightlog/flightlog/pilot"
)

func newSigner(t *testing.T, key any) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// logIn runs a command and gives the words of the error, which must be one of
// code denied and say that nothing was started.
func logIn(t *testing.T, c *sshconn.Conn) string {
	t.Helper()
	_, err := c.Exec(t.Context(), "x", nil, 1)
	if err == nil {
		return ""
	}
	if checkError(t, err) || pilot.CodeOf(err) != pilot.Denied {
		t.Errorf("want code denied, not started; got %v", err)
	}
	return err.Error()
}

func TestHostKeys(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 2200}
	other := newSigner(t, sshtest.NewKey(t))
	elliptic256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	second := newSigner(t, elliptic256)
	authority := newSigner(t, sshtest.NewKey(t))
	line := func(keys ...ssh.Signer) (all string) {
		for _, k := range keys {
			all += sshtest.KnownHostsLine(addr, k.PublicKey())
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
		"elsewhere":  {known: func(h ssh.Signer) string { return "192.0.2.2 " + authorizedKey(h) }, says: []string{"not known"}},
		"of port 22": {known: func(h ssh.Signer) string { return "192.0.2.1 " + authorizedKey(h) }, says: []string{"not known"}},
		"changed":    {known: func(ssh.Signer) string { return "# one\n" + line(other) }, says: []string{"not the one in", "known_hosts:2", "in between", "[192.0.2.1]:2200 ssh-ed25519 AAAA"}},
		"revoked":    {known: func(h ssh.Signer) string { return line(h) + "@revoked * " + authorizedKey(h) }, says: []string{"revoked"}},
		"no":         {known: func(ssh.Signer) string { return "" }, more: "StrictHostKeyChecking no", says: []string{"not known"}},
		"hashed":     {known: func(h ssh.Signer) string { return knownhosts.HashHostname("[192.0.2.1]:2200") + " " + authorizedKey(h) }},
		"alias":      {known: func(h ssh.Signer) string { return "cluster " + authorizedKey(h) }, more: "HostKeyAlias cluster"},
		"wildcard":   {known: func(h ssh.Signer) string { return "[192.0.2.*]:2200 " + authorizedKey(h) }},
		"the second of two kinds": {
			known: func(ssh.Signer) string { return line(second) },
			hosts: func(h ssh.Signer) []ssh.Signer { return []ssh.Signer{h, second} },
		},
		"another kind": {known: func(ssh.Signer) string { return line(second) }, says: []string{"no key of a kind that is known", "ecdsa-sha2-nistp256", "known_hosts"}},
		"certified": {
			known: func(ssh.Signer) string { return "@cert-authority * " + authorizedKey(authority) },
			hosts: func(h ssh.Signer) []ssh.Signer {
				return []ssh.Signer{newCertificate(t, h, authority, ssh.HostCert, "192.0.2.1")}
			},
		},
		"certified for another": {
			known: func(ssh.Signer) string { return "@cert-authority * " + authorizedKey(authority) },
			hosts: func(h ssh.Signer) []ssh.Signer {
				return []ssh.Signer{newCertificate(t, h, authority, ssh.HostCert, "192.0.2.9")}
			},
			says: []string{"192.0.2.9"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, id := sshtest.New(t)
				server.Handle = echoHandler
				host := server.HostKeys[0]
				if law.hosts != nil {
					server.HostKeys = law.hosts(host)
				}
				client := sshtest.NewClient(t)
				client.WriteFile("known_hosts", law.known(host)+"\n")
				config := client.WriteConfig(sshtest.HostBlock("target", addr, client.WriteKey("id", id, ""), law.more))
				c := newConn(t, sshconn.Config{Host: "target", File: config, Dial: server.Dial})
				said := logIn(t, c)
				if (said == "") != (law.says == nil) {
					t.Errorf("it says: %s", said)
				}
				for _, word := range law.says {
					if !strings.Contains(said, word) {
						t.Errorf("%q does not say %q", said, word)
					}
				}
				if _, add, ok := strings.Cut(said, "known_hosts: "); ok && name == "unknown" { // as it is told
					client.WriteFile("known_hosts", add[:strings.LastIndex(add, " (the next")]+"\n")
					time.Sleep(time.Minute)
					checkWorks(t, c)
				}
				_ = c.Close()
			})
		})
	}
}

func authorizedKey(s ssh.Signer) string { return string(ssh.MarshalAuthorizedKey(s.PublicKey())) }

func newCertificate(t *testing.T, s, authority ssh.Signer, kind uint32, name string) ssh.Signer {
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
		server.Handle = echoHandler
		addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 22}
		client := sshtest.NewClient(t)
		client.WriteFile("known_hosts", sshtest.KnownHostsLine(addr, server.HostKeys[0].PublicKey()))
		stranger := client.WriteKey("stranger", sshtest.NewKey(t), "")
		locked := client.WriteKey("locked", id, "secret")
		shared := client.WriteKey("shared", id, "")
		if err := os.Chmod(shared, 0o644); err != nil {
			t.Fatal(err)
		}
		config := client.WriteConfig(sshtest.HostBlock("target", addr, stranger, "IdentityFile "+locked, "IdentityFile "+shared,
			"IdentityFile "+client.WriteFile("broken", "no key"), "IdentityFile "+filepath.Join(client.Dir, "none")))
		c := newConn(t, sshconn.Config{Host: "target", File: config, Dial: server.Dial})
		said := logIn(t, c)
		for _, word := range []string{
			"ssh to somebody@192.0.2.1:22", stranger + " SHA256:", locked + ": it is encrypted", shared + ": its mode is 644", "broken: ", "none: it is not there",
		} {
			if !strings.Contains(said, word) {
				t.Errorf("%q does not say %q", said, word)
			}
		}
		client.WriteConfig(sshtest.HostBlock("target", addr, client.WriteKey("good", id, "")))
		c = newConn(t, sshconn.Config{Host: "target", File: config, Dial: server.Dial})
		checkWorks(t, c)
		_ = c.Close()
	})
}

func TestCertifiedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, id := sshtest.New(t)
		server.Handle = echoHandler
		cert := newCertificate(t, newSigner(t, id), newSigner(t, sshtest.NewKey(t)), ssh.UserCert, "somebody").PublicKey()
		server.AuthorizedKeys = []ssh.PublicKey{cert} // and not the key by itself
		addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 22}
		client := sshtest.NewClient(t)
		client.WriteFile("known_hosts", sshtest.KnownHostsLine(addr, server.HostKeys[0].PublicKey()))
		client.WriteFile("id-cert.pub", string(ssh.MarshalAuthorizedKey(cert)))
		config := client.WriteConfig(sshtest.HostBlock("target", addr, client.WriteKey("id", id, "")))
		c := newConn(t, sshconn.Config{Host: "target", File: config, Dial: server.Dial})
		checkWorks(t, c)
		_ = c.Close()
	})
}

// TestAgent needs a socket, and so real time.
func TestAgent(t *testing.T) {
	server, id := sshtest.New(t)
	server.Handle = echoHandler
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
	client.WriteFile("known_hosts", sshtest.KnownHostsLine(addr, server.HostKeys[0].PublicKey()))
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
		"any key":         {client.WriteKey("stranger", sshtest.NewKey(t), ""), nil, true},
		"none of them":    {filepath.Join(client.Dir, "stranger"), []string{"IdentitiesOnly yes"}, false},
		"the locked one":  {client.WriteKey("locked", id, "secret"), []string{"IdentitiesOnly yes"}, true},
		"the public part": {client.WriteFile("id.pub", authorizedKey(newSigner(t, id))), []string{"IdentitiesOnly yes"}, true},
	} {
		block := sshtest.HostBlock("target", addr, law.file, append(law.more, "IdentityAgent "+socket)...)
		config := client.WriteFile("config", block+"UserKnownHostsFile "+filepath.Join(client.Dir, "known_hosts")+"\n")
		c := newConn(t, sshconn.Config{Host: "target", File: config})
		if said := logIn(t, c); (said == "") != law.works {
			t.Errorf("%s: %s", name, said)
		}
		_ = c.Close()
	}
}

func TestJump(t *testing.T) {
	far, id := sshtest.New(t)
	far.Handle = echoHandler
	near, _ := sshtest.New(t)
	near.AuthorizedKeys = far.AuthorizedKeys
	client := sshtest.NewClient(t)
	key := client.WriteKey("id", id, "")
	nearAddr, farAddr := near.Listen(t), far.Listen(t)
	client.WriteFile("known_hosts", sshtest.KnownHostsLine(nearAddr, near.HostKeys[0].PublicKey())+sshtest.KnownHostsLine(farAddr, far.HostKeys[0].PublicKey()))
	config := client.WriteConfig(sshtest.HostBlock("near", nearAddr, key), sshtest.HostBlock("far", farAddr, key, "ProxyJump near"))
	c := newConn(t, sshconn.Config{Host: "far", File: config})
	checkWorks(t, c)
	checkWorks(t, c)
	if near.LoginCount() != 1 || far.LoginCount() != 1 || near.ExecCount() != 0 {
		t.Errorf("%d and %d logins", near.LoginCount(), far.LoginCount())
	}
	if c.Identity() != "somebody@"+farAddr.String() {
		t.Error(c.Identity())
	}
	near.CutConnections()
	checkWorks(t, c)
	client.WriteFile("known_hosts", sshtest.KnownHostsLine(farAddr, far.HostKeys[0].PublicKey()))
	if said := logIn(t, newConn(t, sshconn.Config{Host: "far", File: config})); !strings.Contains(said, "hop 1 of 2") {
		t.Error(said)
	}
}
