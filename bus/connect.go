package bus

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/pilot"
)

// Config says how to reach the bus. The zero Config is DefaultURL without
// credentials.
type Config struct {
	URL     string // comma-separated servers; empty: the context's, or DefaultURL
	Context string // a context of the nats command line: its name, or the absolute path of its file

	Creds    string // path of a credentials file
	NKey     string // path of a file with an nkey seed
	User     string
	Password string
	Token    string
	Cert     string // path of a client certificate, with Key
	Key      string
	CA       string // path of the certificates that servers are checked against

	Name        string // shown by the server; empty: "flightlog"
	InboxPrefix string // where answers come to; empty: "_INBOX"
	Actor       string // who asks, told with every Call; may be empty
	Owner       string // the only user of the bus, who is therefore whoever asks; empty: it is not known to have but one

	InProcess InProcess   // connect to this one without a socket; URL and Context are ignored, and NKey goes before its Identity
	Logger    *zap.Logger // nil: silent

	// Complete is given the configuration before each attempt of Connect, and gives what
	// that is to use: what is known only by then, such as who asks (package owner). Its
	// error ends Connect. nil: nothing is added.
	Complete func(Config) (Config, error)
}

// InProcess is a server in this process, such as an embedded.Server.
type InProcess interface {
	nats.InProcessConnProvider
	URL() string // for those in other processes
	// Identity is who this process is there: a public nkey and what signs for it;
	// an empty key where nobody is asked.
	Identity() (public string, sign func(nonce []byte) ([]byte, error))
}

// DefaultURL is where a server is looked for when nobody says where it is.
const DefaultURL = nats.DefaultURL

// ConfigFromEnv reads NATS_URL, NATS_CONTEXT, NATS_CREDS, NATS_NKEY,
// NATS_USER, NATS_PASSWORD, NATS_TOKEN, NATS_CERT, NATS_KEY, NATS_CA and
// NATS_INBOX_PREFIX through getenv, usually os.Getenv.
func ConfigFromEnv(getenv func(string) string) Config {
	return Config{
		URL: getenv("NATS_URL"), Context: getenv("NATS_CONTEXT"),
		Creds: getenv("NATS_CREDS"), NKey: getenv("NATS_NKEY"),
		User: getenv("NATS_USER"), Password: getenv("NATS_PASSWORD"), Token: getenv("NATS_TOKEN"),
		Cert: getenv("NATS_CERT"), Key: getenv("NATS_KEY"), CA: getenv("NATS_CA"),
		InboxPrefix: getenv("NATS_INBOX_PREFIX"),
	}
}

// Env gives the environment that ConfigFromEnv reads this configuration from:
// what a child process needs to reach the same bus.
func (cfg *Config) Env() []string {
	url, named := cfg.URL, cfg.Context
	if cfg.InProcess != nil {
		url, named = cfg.InProcess.URL(), ""
	}
	var env []string
	for _, v := range []struct{ name, value string }{
		{"NATS_URL", url},
		{"NATS_CONTEXT", named},
		{"NATS_CREDS", cfg.Creds},
		{"NATS_NKEY", cfg.NKey},
		{"NATS_USER", cfg.User},
		{"NATS_PASSWORD", cfg.Password},
		{"NATS_TOKEN", cfg.Token},
		{"NATS_CERT", cfg.Cert},
		{"NATS_KEY", cfg.Key},
		{"NATS_CA", cfg.CA},
		{"NATS_INBOX_PREFIX", cfg.InboxPrefix},
	} {
		if v.value != "" {
			env = append(env, v.name+"="+v.value)
		}
	}
	return env
}

// Conn is a connection to the bus. All methods may be called at the same time.
type Conn struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	log   *zap.Logger
	actor string
	owner string // Config.Owner

	hasCredentials bool                   // the server knows us by credentials, so that it may know all users
	requestUser    atomic.Pointer[string] // on whose subject Call asks; nil: on everybody's

	server      InProcess                    // nil: another process's
	lastRefusal atomic.Pointer[storeRefusal] // nil: what was written last was taken
	// unansweredSince is when the first of the writes began that the server, connected all
	// the time, left without an answer since it last took one, Unix ns; 0: there is none.
	unansweredSince atomic.Int64

	userName   string       // of the user, as the credentials tell; may be empty
	denials    denials      // what the server does not let this connection do
	rejections rejectionLog // of what this connection serves to its agents and others

	connectedAt atomic.Int64  // when it was last connected, Unix ns
	epoch       atomic.Int64  // of the last answer
	closed      chan struct{} // closed once nc is

	mu             sync.Mutex
	reconnectHooks map[*func()]struct{} // to be called when it is connected again
}

const (
	dialTimeout   = 2 * time.Second  // one server, one attempt
	drainTimeout  = 5 * time.Second  // of Close
	pingEvery     = 10 * time.Second // three unanswered: the server is gone, though TCP has not noticed
	reconnectMax  = 2 * time.Second
	reconnectStep = 50 * time.Millisecond
)

// Connect connects to the bus and stays connected: it reconnects for ever.
// Code unavailable: nobody answered before ctx ended; denied: the credentials
// are refused; invalid: the configuration is wrong.
func Connect(ctx context.Context, cfg Config) (*Conn, error) {
	c := &Conn{log: cfg.Logger, actor: cfg.Actor, server: cfg.InProcess, closed: make(chan struct{}), reconnectHooks: map[*func()]struct{}{}}
	if c.log == nil {
		c.log = zap.NewNop()
	}
	c.rejections = newRejectionLog(c.log)
	for delay := newBackoff(reconnectStep, reconnectMax); ; {
		nc, js, err := c.dialCompleted(&cfg)
		if err == nil {
			c.nc, c.js = nc, js
			c.connectedAt.Store(time.Now().UnixNano())
			return c, nil
		}
		if pilot.CodeOf(err) != pilot.Unavailable || !delay.wait(ctx) {
			return nil, err
		}
	}
}

// dialCompleted makes one attempt, or two where who we are can be found only now: the service has
// just begun to listen.
func (c *Conn) dialCompleted(given *Config) (*nats.Conn, jetstream.JetStream, error) {
	cfg, err := given.runComplete()
	if err != nil {
		return nil, nil, err
	}
	nc, js, err := c.dialJetStream(cfg)
	if pilot.CodeOf(err) == pilot.Denied && !cfg.HasCredentials() {
		if later, e := given.runComplete(); e == nil && later.HasCredentials() {
			return c.dialJetStream(later)
		}
	}
	return nc, js, err
}

func (c *Conn) dialJetStream(cfg *Config) (*nats.Conn, jetstream.JetStream, error) {
	nc, settings, err := c.dialWithInboxPrefix(cfg)
	var already *pilot.Error
	switch {
	case errors.As(err, &already):
		return nil, nil, err
	case err == nil:
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
		return nil, nil, cfg.authorizationError(err)
	case isUnreachable(err):
		return nil, nil, &pilot.Error{Code: pilot.Unavailable, Op: "connect to " + cfg.describeServers(), Err: err}
	default:
		return nil, nil, &pilot.Error{Code: pilot.Invalid, Op: "connect", Err: err}
	}
	js, err := newJetStream(nc, settings)
	if err != nil {
		nc.Close()
		return nil, nil, &pilot.Error{Code: pilot.Invalid, Op: "connect", Err: err}
	}
	return nc, js, nil
}

// connectionHandlers are what the connection tells us.
func (c *Conn) connectionHandlers() []nats.Option {
	return []nats.Option{
		nats.ReconnectHandler(func(nc *nats.Conn) {
			c.connectedAt.Store(time.Now().UnixNano())
			c.resetDenials()
			c.runReconnectHooks()
			c.log.Info("bus reconnected", zap.String("url", nc.ConnectedUrlRedacted()))
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.log.Info("bus disconnected", zap.Error(err)) }),
		nats.ErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
			if c.handleDenial(nc, err) {
				return // it was only tried
			}
			if errors.Is(err, nats.ErrBadHeaderMsg) {
				return // it comes all the same, without its headers
			}
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			c.log.Warn("bus reports an error", zap.String("subject", subject), zap.Error(err))
		}),
		nats.ClosedHandler(func(nc *nats.Conn) { close(c.closed) }), // once: a dial that failed calls none
	}
}

// onReconnect has do called, which must be quick, whenever the connection is
// there again, until undo is called.
func (c *Conn) onReconnect(do func()) (undo func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reconnectHooks[&do] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.reconnectHooks, &do)
	}
}

func (c *Conn) runReconnectHooks() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for do := range c.reconnectHooks {
		(*do)()
	}
}

// NATS gives the connection below, for what only binaries and tests do.
func (c *Conn) NATS() *nats.Conn { return c.nc }

// Connected says whether a server is connected now.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// Close sends what is in flight and disconnects; it takes five seconds at most.
func (c *Conn) Close() {
	if err := c.nc.Drain(); err != nil {
		c.nc.Close()
		return
	}
	t := time.NewTimer(drainTimeout)
	defer t.Stop()
	select {
	case <-c.closed:
	case <-t.C:
		c.nc.Close()
	}
}

func (cfg *Config) describeServers() string {
	switch {
	case cfg.InProcess != nil:
		return "this process's server"
	case cfg.Context != "" && cfg.URL == "":
		return "context " + cfg.Context
	default:
		return cmp.Or(cfg.URL, DefaultURL)
	}
}
