// Package embedded runs a NATS server with JetStream inside this process: the
// bus of a single machine, and of tests. It is apart from package bus so that
// who only uses a bus, agents above all, does not carry a server.
package embedded

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/pilot"
)

// Config says how to run a server inside this process.
type Config struct {
	Store    string      // directory of the log; made if it is missing
	Listen   string      // host:port; empty: 127.0.0.1:4222; port 0 or -1: any free one
	Sync     string      // "always" (or empty): on disk before it is acknowledged; else how long that may take, e.g. "1s"
	MaxStore int64       // bytes of disk; 0: all that its file system has
	Logger   *zap.Logger // nil: only what stops the start is told, in Start's error
	Cluster  *Cluster    // nil: a server alone
	Auth     string      // path of an auth.conf of mode nkey (package auth); empty: nobody is asked who he is
	Tenant   string      // whose log this process serves; empty: the default one
	Keys     *owner.Keys // without Auth: these are let in, and agents of our own user; nil: everybody
	TLS      TLS

	// Listening is called with the address for clients once the server listens, before
	// anybody is let in by Keys: who hears of the address only then finds the keys. nil:
	// nobody wants to know.
	Listening func(url string)

	effectiveMaxStore int64         // MaxStore as it is for this run
	fails             chan struct{} // of size 1: the server says that a write has failed
}

// Cluster makes a server one of several.
type Cluster struct {
	Name   string   // of this server; unique in the cluster
	Listen string   // host:port for the other servers
	Routes []string // nats://host:port of the other servers
}

// DefaultListen is where an embedded server listens unless told.
const DefaultListen = "127.0.0.1:4222"

// Server is a NATS server with JetStream in this process. All methods may be called at
// the same time.
type Server struct {
	nats atomic.Pointer[server.Server] // another one after each mend
	lock *storeLock
	cfg  Config
	self nkeys.KeyPair // nil: nobody is asked
	url  string        // where clients connect
	host string        // where it listens, over restarts
	port int

	trouble trouble // with the store

	replaceMu    sync.Mutex    // held while the server is replaced, read anew or ended
	closed       chan struct{} // closed by Shutdown
	shutdownOnce sync.Once
}

// Start starts a server and returns once it takes connections. The store is
// locked for this process. When the store could not be written and can be again, the
// server goes on by itself within seconds: its connections break then, and come again.
// Code conflict: another process has the store or the listen address; denied: others could reach it and nobody would be asked who he
// is; unavailable: ctx ended before it was ready.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	self, err := cfg.newIdentity()
	if err != nil {
		return nil, err
	}
	opts, err := cfg.serverOptions(self)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Store, 0o700); err != nil {
		return nil, invalidError("make the store", err)
	}
	cfg.effectiveMaxStore = cmp.Or(cfg.MaxStore, diskLimit(cfg.Store).Size) // the server's own default is of what is free today
	opts.JetStreamMaxStore = cfg.effectiveMaxStore
	cfg.fails = make(chan struct{}, 1)
	lock, err := lockStore(cfg.Store)
	if err != nil {
		return nil, err
	}
	n, err := cfg.startServer(ctx, opts)
	if err != nil {
		lock.unlock()
		return nil, err
	}
	s := &Server{lock: lock, cfg: cfg, self: self, url: clientURL(n, opts), host: opts.Host, port: opts.Port, closed: make(chan struct{})}
	s.nats.Store(n)
	if tcp, ok := n.Addr().(*net.TCPAddr); ok {
		s.port = tcp.Port
	}
	go s.watchStore() // ends with Shutdown
	return s, nil
}

// Reload reads users and certificate again. Who is no longer known is
// disconnected, who is new gets in, all others stay. After an error those of
// before count.
//
// A server listens for what a new account imports from the reload on that finds it
// there (nats-server 2.15.2, server.go: configureAccounts): it takes two.
func (s *Server) Reload() error {
	s.replaceMu.Lock()
	defer s.replaceMu.Unlock()
	for range 2 {
		opts, err := s.cfg.serverOptions(s.self)
		if err != nil {
			return err
		}
		if err := s.nats.Load().ReloadOptions(opts); err != nil {
			return invalidError("reload", err)
		}
	}
	return nil
}

// serverOptions are the configuration in the server's terms, where this process is self.
func (cfg *Config) serverOptions(self nkeys.KeyPair) (*server.Options, error) {
	if cfg.Store == "" {
		return nil, pilot.Errorf(pilot.Invalid, "embed: no directory for the store")
	}
	listen := cmp.Or(cfg.Listen, DefaultListen)
	host, port, err := splitListen(listen)
	if err == nil {
		err = CheckListen(listen, cfg.Auth != "", cfg.TLS.Cert != "")
	}
	if err != nil {
		return nil, err
	}
	opts := &server.Options{
		Host: host, Port: port, JetStream: true, StoreDir: cfg.Store, JetStreamMaxStore: cfg.effectiveMaxStore,
		NoSigs: true, MaxPayload: bus.MaxPayload, DisableJetStreamBanner: true,
	}
	if sync := cmp.Or(cfg.Sync, "always"); sync == "always" {
		opts.SyncAlways = true
	} else if opts.SyncInterval, err = time.ParseDuration(sync); err != nil || opts.SyncInterval <= 0 {
		return nil, pilot.Errorf(pilot.Invalid, "sync %q is neither \"always\" nor a duration such as 1s", sync)
	}
	if err := cfg.Cluster.setOptions(opts); err != nil {
		return nil, err
	}
	return opts, cfg.setUsersAndTLS(opts, self)
}

func (c *Cluster) setOptions(opts *server.Options) (err error) {
	if c == nil {
		return nil
	}
	opts.ServerName, opts.Cluster.Name = c.Name, "flightlog"
	if opts.Cluster.Host, opts.Cluster.Port, err = splitListen(c.Listen); err != nil {
		return err
	}
	for _, r := range c.Routes {
		u, err := url.Parse(r)
		if err != nil {
			return invalidError("read the routes", err)
		}
		opts.Routes = append(opts.Routes, u)
	}
	return nil
}

func splitListen(listen string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(listen)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < -1 || port > 65535 {
		return "", 0, pilot.Errorf(pilot.Invalid, "listen address %q is not host:port", listen)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return cmp.Or(host, "0.0.0.0"), port, nil
}

// startServer runs the server until it takes connections, or says why it does not.
func (cfg *Config) startServer(ctx context.Context, opts *server.Options) (*server.Server, error) {
	if err := probeListen(ctx, opts); err != nil {
		return nil, err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, invalidError("embed", err)
	}
	listener := newServerLog(cfg.Logger, cfg.fails)
	s.SetLoggerV2(listener, false, false, false)
	go s.Start() // ends with Shutdown
	for !s.ReadyForConnections(50 * time.Millisecond) {
		if err = listener.fatalError(); err == nil && ctx.Err() != nil {
			err = &pilot.Error{Code: pilot.Unavailable, Op: "embed: not ready in time", Err: context.Cause(ctx)}
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = listener.fatalError()
	}
	if err == nil && !s.JetStreamEnabled() {
		err = pilot.Errorf(pilot.Internal, "embed: the server runs without JetStream")
	}
	if err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, err
	}
	if cfg.Listening != nil {
		cfg.Listening(clientURL(s, opts))
	}
	if g, ok := opts.CustomClientAuthentication.(*authenticator); ok {
		g.openAt(s.Addr())
	}
	return s, nil
}

// probeListen tells an address that is taken better than the server's log does.
func probeListen(ctx context.Context, opts *server.Options) error {
	if opts.Port == server.RANDOM_PORT {
		return nil
	}
	address := net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port))
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return &pilot.Error{Code: pilot.Conflict, Op: "embed: cannot listen on " + address, Err: err}
	}
	return l.Close()
}

// URL is where clients connect.
func (s *Server) URL() string { return s.url }

// clientURL names the address where the server listens. A localhost stands for two, and at
// the other one somebody else may listen; with TLS, it is what the certificate names.
func clientURL(s *server.Server, opts *server.Options) string {
	if opts.Host == "localhost" && opts.TLSConfig == nil {
		return "nats://" + s.Addr().String()
	}
	return s.ClientURL()
}

// Shutdown stops the server, waits for it, and unlocks the store.
func (s *Server) Shutdown() {
	s.shutdownOnce.Do(func() {
		close(s.closed)
		s.replaceMu.Lock()
		defer s.replaceMu.Unlock()
		n := s.nats.Load()
		n.Shutdown()
		n.WaitForShutdown()
		s.lock.unlock()
	})
}

// InProcessConn gives a connection without a socket (nats.InProcessConnProvider).
func (s *Server) InProcessConn() (net.Conn, error) { return s.nats.Load().InProcessConn() }

func invalidError(op string, err error) error {
	return &pilot.Error{Code: pilot.Invalid, Op: op, Err: err}
}
