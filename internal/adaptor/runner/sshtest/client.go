package sshtest

import (
	"crypto"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Client is a directory with what a client's configuration is made of.
type Client struct {
	t   testing.TB
	Dir string
}

// NewClient makes an empty one.
func NewClient(t testing.TB) *Client { return &Client{t, t.TempDir()} }

// WriteFile writes a file there and gives its path.
func (c *Client) WriteFile(name, content string) string {
	c.t.Helper()
	path := filepath.Join(c.Dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// WriteKey writes a private key, encrypted if there is a passphrase.
func (c *Client) WriteKey(name string, key crypto.PrivateKey, passphrase string) string {
	c.t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return c.WriteFile(name, string(pem.EncodeToMemory(block)))
}

// KnownHostsLine gives a line of known_hosts.
func KnownHostsLine(addr *net.TCPAddr, key ssh.PublicKey) string {
	return knownhosts.Line([]string{addr.String()}, key) + "\n"
}

// WriteConfig writes a configuration of these blocks, and of what keeps it from
// reading what this user has, and gives its path.
func (c *Client) WriteConfig(blocks ...string) string {
	all := "IdentityAgent none\nGlobalKnownHostsFile none\nUserKnownHostsFile " + filepath.Join(c.Dir, "known_hosts") + "\n"
	return c.WriteFile("config", all+strings.Join(blocks, ""))
}

// HostBlock gives a Host block for a server.
func HostBlock(name string, addr *net.TCPAddr, key string, more ...string) string {
	block := fmt.Sprintf("Host %s\nHostName %s\nPort %d\nUser somebody\nIdentityFile %s\n", name, addr.IP, addr.Port, key)
	return block + strings.Join(more, "\n") + "\n"
}

// ListenAndConfigure serves, and gives the path of a configuration in which host "target"
// is this server.
func ListenAndConfigure(t testing.TB, s *Server, key crypto.PrivateKey, more ...string) string {
	t.Helper()
	return s.writeTargetConfig(t, s.Listen(t), key, more)
}

// ConfigureForDial gives such a configuration for who dials by Dial.
func ConfigureForDial(t testing.TB, s *Server, key crypto.PrivateKey, more ...string) string {
	t.Helper()
	return s.writeTargetConfig(t, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 22}, key, more)
}

func (s *Server) writeTargetConfig(t testing.TB, addr *net.TCPAddr, key crypto.PrivateKey, more []string) string {
	t.Helper()
	c := NewClient(t)
	c.WriteFile("known_hosts", KnownHostsLine(addr, s.HostKeys[0].PublicKey()))
	return c.WriteConfig(HostBlock("target", addr, c.WriteKey("id", key, ""), more...))
}
