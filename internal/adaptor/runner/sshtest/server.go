package sshtest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Failure is what goes wrong with a command.
type Failure int

// The faults.
const (
	None        Failure = iota
	Refuse              // the request is answered with no
	CutBefore           // the connection ends before the command was run
	CutAfter            // the command is run to its end, and then the connection ends
	CutInside           // the same, but half of its output was sent
	CutAtStatus         // the same, and its exit status too
	Garbage             // the same, and then what makes no sense
	NoStatus            // the channel is closed, and no status was sent
	Hang                // it is run, and nothing is said of it
	Freeze              // nothing on the whole connection is answered any more
)

// Server is a server. Fields are set before it serves.
type Server struct {
	Shell          []string // that runs a line; nil: /bin/sh -c
	Env            []string // what a shell sees; nil: HOME, PATH and SHELL
	Home           string
	Noise          string // what each shell prints to its output, and to its errors
	Banner         string
	MaxSessions    int                                                // of one connection; 0: 10
	Inject         func(n int, line string) Failure                   // of the n-th command, from 0; nil: None
	Handle         func(line string, in io.Reader, out io.Writer) int // in place of a shell; nil: Shell
	AuthorizedKeys []ssh.PublicKey                                    // that may log in
	HostKeys       []ssh.Signer                                       // the keys it shows

	logins     atomic.Int64
	execs      atomic.Int64
	refuseKeys atomic.Bool

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// New makes a server with a key of its own, and a key that may log in.
func New(t testing.TB) (*Server, ed25519.PrivateKey) {
	t.Helper()
	key := NewKey(t)
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	host, err := ssh.NewSignerFromKey(NewKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return &Server{Home: t.TempDir(), AuthorizedKeys: []ssh.PublicKey{signer.PublicKey()}, HostKeys: []ssh.Signer{host}, conns: map[net.Conn]bool{}}, key
}

// NewKey makes a key.
func NewKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// LoginCount is how many there were.
func (s *Server) LoginCount() int { return int(s.logins.Load()) }

// ExecCount is how many commands were asked for.
func (s *Server) ExecCount() int { return int(s.execs.Load()) }

// RefuseKeys says whether to refuse all keys from now on.
func (s *Server) RefuseKeys(refuse bool) { s.refuseKeys.Store(refuse) }

// CutConnections ends all connections.
func (s *Server) CutConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
}

// Listen serves a port of this machine until the test ends, and gives its address.
func (s *Server) Listen(t testing.TB) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	var busy sync.WaitGroup
	busy.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			busy.Go(func() { s.Serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.CutConnections()
		busy.Wait()
	})
	addr, _ := l.Addr().(*net.TCPAddr)
	return addr
}

// Serve serves one connection to its end, and to that of its commands.
func (s *Server) Serve(conn net.Conn) {
	s.mu.Lock()
	s.conns[conn] = true
	s.mu.Unlock()
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			for _, k := range s.AuthorizedKeys {
				if !s.refuseKeys.Load() && bytes.Equal(k.Marshal(), key.Marshal()) {
					return &ssh.Permissions{}, nil
				}
			}
			return nil, errors.New("no such key")
		},
		BannerCallback: func(ssh.ConnMetadata) string { return s.Banner },
	}
	for _, key := range s.HostKeys {
		config.AddHostKey(key)
	}
	s.logins.Add(1)
	c, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	(&peer{Server: s, conn: conn, ssh: c, frozen: make(chan struct{})}).serveChannels(channels, requests)
}

// peer is one client.
type peer struct {
	*Server
	conn     net.Conn
	ssh      *ssh.ServerConn
	sessions atomic.Int64
	busy     sync.WaitGroup
	frozen   chan struct{} // closed when nothing is answered any more
	freeze   sync.Once
}

func (p *peer) isFrozen() bool {
	select {
	case <-p.frozen:
		return true
	default:
		return false
	}
}

func (p *peer) serveChannels(channels <-chan ssh.NewChannel, requests <-chan *ssh.Request) {
	p.busy.Go(func() {
		for r := range requests { // as of keepalive
			if r.WantReply && !p.isFrozen() {
				_ = r.Reply(false, nil)
			}
		}
	})
	most := int64(p.MaxSessions)
	if most == 0 {
		most = 10
	}
	for c := range channels {
		switch {
		case p.isFrozen():
		case c.ChannelType() == "direct-tcpip":
			p.busy.Go(func() { p.forwardTCP(c) })
		case c.ChannelType() != "session":
			_ = c.Reject(ssh.UnknownChannelType, "unknown channel type")
		case p.sessions.Add(1) > most:
			p.sessions.Add(-1)
			_ = c.Reject(ssh.ConnectionFailed, "open failed")
		default:
			p.busy.Go(func() {
				defer p.sessions.Add(-1)
				p.serveSession(c)
			})
		}
	}
	p.busy.Wait()
}

// forwardTCP is for who jumps to another server.
func (p *peer) forwardTCP(c ssh.NewChannel) {
	var to struct {
		Host     string
		Port     uint32
		From     string
		FromPort uint32
	}
	if ssh.Unmarshal(c.ExtraData(), &to) != nil {
		_ = c.Reject(ssh.ConnectionFailed, "what?")
		return
	}
	conn, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.ParseIP(to.Host), Port: int(to.Port)})
	if err != nil {
		_ = c.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	ch, requests, err := c.Accept()
	if err != nil {
		_ = conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	var busy sync.WaitGroup
	busy.Go(func() {
		_, _ = io.Copy(conn, ch)
		_ = conn.CloseWrite()
	})
	_, _ = io.Copy(ch, conn)
	_ = ch.Close()
	busy.Wait()
	_ = conn.Close()
}
