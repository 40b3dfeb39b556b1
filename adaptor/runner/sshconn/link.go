package sshconn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// link is a connection that holds until it breaks.
type link struct {
	client *ssh.Client
	conns  []net.Conn // below it; the first is the network's
	wire   *wire      // the last
	slots  chan struct{}
	once   sync.Once

	done chan struct{} // closed when it broke; what follows is set then
	err  error         // why
	over time.Time     // when
}

// open has the link watched.
func (l *link) open(sessions int, h *host) {
	l.slots = make(chan struct{}, sessions)
	l.done = make(chan struct{})
	go func() {
		l.err = l.client.Wait()
		l.over = time.Now()
		close(l.done)
		l.wire.set(false, true)
		l.close()
	}()
	go l.watch(h.interval, h.count)
}

// broken gives why the link broke; nil: it holds, as far as is known.
func (l *link) broken() error {
	select {
	case <-l.done:
		return fmt.Errorf("the connection broke: %w", l.err)
	default:
		return nil
	}
}

// close breaks it, from the network up: what is above could wait for the network.
func (l *link) close() {
	l.once.Do(func() {
		for _, conn := range l.conns {
			_ = conn.Close()
		}
	})
}

// watch asks for signs of life. One question is open at a time; as many times
// as it may be missed it is waited for.
func (l *link) watch(interval time.Duration, count int) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	answered := make(chan struct{}, 1)
	for missed := -1; ; { // -1: nothing was asked
		select {
		case <-l.done:
			return
		case <-answered:
			missed = -1
		case <-tick.C:
			missed++
			switch {
			case missed >= count:
				l.close()
				return
			case missed == 0:
				go func() {
					// It is an answer, whatever it says.
					if _, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil); err == nil {
						answered <- struct{}{}
					}
				}()
			}
		}
	}
}

// How long a server's limit is kept in mind, and how long the last session of
// ours waits for somebody else's to end.
const (
	limitLasts = time.Minute
	firstWait  = 50 * time.Millisecond
	longWait   = 2 * time.Second
)

// channel opens a session's channel. The server may grant a connection fewer
// than we think: who is refused waits for another session's end, takes its place
// and keeps its own free for a while, until as many are left as are granted.
func (l *link) channel(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		ch, requests, err := l.client.OpenChannel("session", nil)
		switch {
		case err == nil:
			return ch, requests, nil
		case !isRefusal(err):
			l.close()
			return nil, nil, &stale{err}
		case !isFull(err):
			return nil, nil, err
		}
		t := time.NewTimer(wait/2 + time.Duration(rand.Int64N(int64(wait))))
		select {
		case l.slots <- struct{}{}:
			time.AfterFunc(limitLasts, func() { <-l.slots })
		case <-t.C:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-l.done:
			return nil, nil, &stale{l.broken()}
		}
		t.Stop()
	}
}

// stale is the error of a link that turns out to have broken before anything was
// asked of it.
type stale struct{ error }

func (s *stale) Unwrap() error { return s.error }

// isRefusal tells an answer from a failure to ask.
func isRefusal(err error) bool {
	_, ok := errors.AsType[*ssh.OpenChannelError](err)
	return ok
}

// isFull says whether a channel was refused in the way that OpenSSH refuses one
// beyond MaxSessions: for that, and for what passes as well.
func isFull(err error) bool {
	e, ok := errors.AsType[*ssh.OpenChannelError](err)
	return ok && (e.Reason == ssh.ConnectionFailed || e.Reason == ssh.ResourceShortage)
}
