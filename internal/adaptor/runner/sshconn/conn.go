package sshconn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/pilot"
)

// Config is what to connect to.
type Config struct {
	Host     string                                                               // as on ssh's command line
	User     string                                                               // empty: the configuration's, or this process's
	Port     int                                                                  // 0: the configuration's, or 22
	File     string                                                               // ssh_config; empty: FLIGHTLOG_SSH_CONFIG names it, else the user's and the system's
	Sessions int                                                                  // at once; 0: 8, of the 10 that OpenSSH's MaxSessions grants a connection
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // nil: net.Dialer
	Logger   *zap.Logger                                                          // nil: silent
}

// defaultSessions leaves two to whoever shares our user's way of logging in.
const defaultSessions = 8

// Conn is a connection that is made when it is needed, and again when it broke.
type Conn struct {
	config     Config
	sessions   int
	dial       dialer
	log        *zap.Logger
	life       context.Context //nolint:containedctx // of Close: all that outlives calls ends with it
	cancelLife context.CancelFunc

	warned map[string]bool // of the configuration; whoever reads that, one at a time

	mu             sync.Mutex
	hops           []*host
	link           *link         // nil: none, or it broke
	dialing        chan struct{} // closed when the login under way has ended; nil: none is
	loginErr       error         // of the last login; nil: it was none
	failures       int           // logins in a row that failed, or whose connection broke soon
	nextLoginAt    time.Time     // when the next login may begin
	loginStartedAt time.Time     // when the last one began
}

// ErrClosed is the cause of what a closed Conn does not do.
var ErrClosed = errors.New("the connection is closed for good")

// stableAfter is how long a connection holds that was not in vain.
const stableAfter = time.Minute

// New reads the configuration and connects to nothing.
func New(c Config) (*Conn, error) {
	if c.Host == "" {
		return nil, pilot.Errorf(pilot.Invalid, "ssh to no host")
	}
	log := c.Logger
	if log == nil {
		log = zap.NewNop()
	}
	conn := &Conn{config: c, sessions: c.Sessions, dial: c.Dial, log: log, warned: map[string]bool{}}
	if err := conn.readConfig(); err != nil {
		return nil, err
	}
	if conn.sessions <= 0 {
		conn.sessions = defaultSessions
	}
	if conn.dial == nil {
		conn.dial = (&net.Dialer{KeepAlive: aliveInterval}).DialContext
	}
	conn.life, conn.cancelLife = context.WithCancel(context.Background())
	return conn, nil
}

// readConfig reads the configuration, and keeps what it says of the host. It is read again
// before each login: what keeps us out is often mended there.
func (c *Conn) readConfig() error {
	r, err := newResolver(c.config.File, func(text string) {
		if !c.warned[text] {
			c.warned[text] = true
			c.log.Warn("ssh configuration", zap.String("warning", text))
		}
	})
	if err != nil {
		return pilot.Errorf(pilot.Invalid, "ssh configuration: %w", err)
	}
	hops, err := r.resolveHops(c.config.Host, c.config.User, c.config.Port, 0)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hops = hops
	return nil
}

// currentHops gives the hosts to log in to, one through the other.
func (c *Conn) currentHops() []*host {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hops
}

// targetHost is the last of them.
func (c *Conn) targetHost() *host {
	hops := c.currentHops()
	return hops[len(hops)-1]
}

// Identity is user@host:port, as the configuration has it.
func (c *Conn) Identity() string { return c.targetHost().label() }

// Reach says why nothing can be run now; nil: as far as is known, it can. The first
// login is waited for. While logins fail the next one is begun when its time has
// come, and is not waited for. The error is that of the last login, the same until
// another one was tried.
func (c *Conn) Reach(ctx context.Context) error {
	c.mu.Lock()
	failed := c.loginErr
	c.mu.Unlock()
	if failed == nil {
		_, err := c.getLink(ctx)
		if later, ok := errors.AsType[*retryLaterError](err); ok {
			return later.error
		}
		return err
	}
	switch l, dialing, err := c.linkOrLogin(false); {
	case l != nil:
		return nil
	case dialing == nil && errors.Is(err, ErrClosed):
		return err
	default:
		return failed
	}
}

// Close ends the connection, and all that uses it.
func (c *Conn) Close() error {
	c.cancelLife()
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		l.close()
	}
	return nil
}

// getLink gives the connection. It waits for a login under way, and logs in where
// there is none, but not before its time: then whoever has no time to wait, or
// comes after a login that failed, gets that one's error.
func (c *Conn) getLink(ctx context.Context) (*link, error) {
	for waited := false; ; waited = true {
		l, dialing, err := c.linkOrLogin(waited)
		if l != nil || err != nil {
			return l, err
		}
		select {
		case <-dialing:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// linkOrLogin gives the connection, or the login to wait for.
func (c *Conn) linkOrLogin(waited bool) (*link, chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch now := time.Now(); {
	case c.life.Err() != nil:
		return nil, nil, ErrClosed
	case c.link != nil && c.link.brokenErr() == nil:
		return c.link, nil, nil
	case c.dialing != nil:
		return nil, c.dialing, nil
	case c.loginErr != nil && (waited || now.Before(c.nextLoginAt)):
		return nil, nil, &retryLaterError{c.loginErr, max(c.nextLoginAt.Sub(now), 0).Round(time.Second)}
	}
	c.dialing = make(chan struct{})
	go c.runLogin(c.nextLoginAt)
	return nil, c.dialing, nil
}

// retryLaterError is the error of a login that failed, before the next one.
type retryLaterError struct {
	error
	wait time.Duration
}

func (l *retryLaterError) Error() string {
	return fmt.Sprintf("%v (the next login may be in %v)", l.error, l.wait)
}

func (l *retryLaterError) Unwrap() error { return l.error }

// runLogin waits for its time and logs in. It belongs to no caller: their contexts
// end as they like, and the login counts either way.
func (c *Conn) runLogin(at time.Time) {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.life.Done():
	}
	start := time.Now()
	var l *link
	err := c.readConfig()
	if err == nil {
		l, err = logIn(c.life, c.dial, c.currentHops())
	}
	if err == nil {
		l.startWatching(c.sessions, c.targetHost())
	}
	host := zap.String("host", c.Identity())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link != nil && c.link.brokenAt.Sub(c.loginStartedAt) >= stableAfter {
		c.failures = 0 // what broke had held
	}
	c.failures++
	wait := loginBackoff(c.failures, isDenied(err))
	wait += time.Duration(rand.Int64N(int64(wait) / 2)) // so that not all who lost one host come back at once
	c.link, c.loginErr, c.loginStartedAt, c.nextLoginAt = l, err, start, start.Add(wait)
	close(c.dialing)
	c.dialing = nil
	switch {
	case c.life.Err() != nil && l != nil:
		l.close()
	case err != nil:
		c.log.Warn("ssh login failed", host, zap.Duration("next", wait), zap.Error(err))
	default:
		c.log.Info("ssh connected", host)
	}
}

func isDenied(err error) bool {
	_, ok := errors.AsType[keysRefusedError](err)
	return ok
}
