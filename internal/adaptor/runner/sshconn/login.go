package sshconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/flightlog/flightlog/pilot"
)

// errCut is the end of a connection that nobody here ended.
var errCut = errors.New("the connection was cut")

// trackedConn is a connection of which it can be told whether somebody still reads it.
// Package ssh reads it to the end of what it understands, by one goroutine; when
// that ends, all channels are made to look as if the server had closed them, and
// nothing else tells the one from the other.
type trackedConn struct {
	net.Conn

	mu         sync.Mutex
	change     *sync.Cond
	reading    bool // a Read is under way
	readsEnded bool // there will be no other
}

func newTrackedConn(conn net.Conn) *trackedConn {
	w := &trackedConn{Conn: conn}
	w.change = sync.NewCond(&w.mu)
	return w
}

func (w *trackedConn) Read(b []byte) (int, error) {
	w.setReading(true, false)
	n, err := w.Conn.Read(b)
	w.setReading(false, err != nil)
	if errors.Is(err, io.EOF) {
		err = errCut
	}
	return n, err
}

func (w *trackedConn) setReading(reading, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reading, w.readsEnded = reading, w.readsEnded || over
	w.change.Broadcast()
}

// awaitNextRead waits for the next Read, and says whether there is one: then whatever
// was seen to end before was ended by the server.
func (w *trackedConn) awaitNextRead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.reading && !w.readsEnded {
		w.change.Wait()
	}
	return !w.readsEnded
}

// keysRefusedError is the error of a server that took none of our keys.
type keysRefusedError struct{ error }

func (r keysRefusedError) Unwrap() error { return r.error }

// dialer opens network connections, as net.Dialer does.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// logIn goes from host to host to the last and makes a link of it.
func logIn(ctx context.Context, dial dialer, hops []*host) (*link, error) {
	l := &link{}
	for i, h := range hops {
		client, err := logInToHop(ctx, dial, h, l)
		if err != nil {
			l.close()
			if len(hops) > 1 {
				err = fmt.Errorf("hop %d of %d: %w", i+1, len(hops), err)
			}
			return nil, fmt.Errorf("ssh to %s: %w", h.label(), err)
		}
		l.client = client
		dial = client.DialContext
	}
	return l, nil
}

// logInToHop logs in to one host.
func logInToHop(ctx context.Context, dial dialer, h *host, l *link) (*ssh.Client, error) {
	known, err := h.readKnownHosts()
	if err != nil {
		return nil, err
	}
	keys := h.gatherKeys()
	defer keys.close()
	ctx, cancel := context.WithTimeoutCause(ctx, h.timeout, pilot.Errorf(pilot.Unavailable, "no login within %v", h.timeout))
	defer cancel()
	conn, err := dial(ctx, "tcp", h.address())
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, pilot.Errorf(pilot.Unavailable, "%w", err)
	}
	l.conns = append(l.conns, conn)
	shown := false // the host has a key that is known
	var hostErr error
	config := &ssh.ClientConfig{
		User:              h.user,
		HostKeyAlgorithms: known.keyAlgorithms(),
		HostKeyCallback: func(name string, addr net.Addr, key ssh.PublicKey) error {
			hostErr = known.checkHostKey(name, addr, key)
			shown = hostErr == nil
			return hostErr
		},
		Auth: []ssh.AuthMethod{ssh.PublicKeys(keys.signers...)},
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	l.tracked = newTrackedConn(conn)
	c, channels, requests, err := ssh.NewClientConn(l.tracked, h.address(), config)
	switch {
	case err == nil:
		return ssh.NewClient(c, channels, requests), nil
	case ctx.Err() != nil:
		return nil, pilot.Errorf(pilot.Unavailable, "%w", context.Cause(ctx))
	case hostErr != nil:
		return nil, hostErr
	case shown && !isCutOff(err):
		return nil, keysRefusedError{pilot.Errorf(pilot.Denied, "%w; keys: %v", err, keys)}
	}
	if why := known.explainMismatch(err); why != nil {
		return nil, why
	}
	return nil, pilot.Errorf(pilot.Unavailable, "%w", err)
}

// isCutOff tells a connection that broke from one over which we were refused.
func isCutOff(err error) bool {
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, errCut) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe)
}

// loginBackoff is how long after a login the next may begin: the more of them were in
// vain, the longer.
func loginBackoff(vain int, denied bool) time.Duration {
	base, most := time.Second, time.Minute
	if denied {
		base, most = 10*time.Second, 5*time.Minute
	}
	return min(base<<min(max(vain-1, 0), 10), most)
}
