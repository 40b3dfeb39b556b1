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
	client  *ssh.Client
	conns   []net.Conn   // below it; the first is the network's
	tracked *trackedConn // the last
	slots   chan struct{}
	once    sync.Once

	done     chan struct{} // closed when it broke; what follows is set then
	err      error         // why
	brokenAt time.Time     // when
}

// startWatching has the link watched.
func (l *link) startWatching(sessions int, h *host) {
	l.slots = make(chan struct{}, sessions)
	l.done = make(chan struct{})
	go func() {
		l.err = l.client.Wait()
		l.brokenAt = time.Now()
		close(l.done)
		l.tracked.setReading(false, true)
		l.close()
	}()
	go l.watchAlive(h.interval, h.missedMax)
}

// brokenErr gives why the link broke; nil: it holds, as far as is known.
func (l *link) brokenErr() error {
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

// watchAlive asks for signs of life. One question is open at a time; as many times
// as it may be missed it is waited for.
func (l *link) watchAlive(interval time.Duration, count int) {
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
	sessionLimitTTL = time.Minute
	minChannelWait  = 50 * time.Millisecond
	maxChannelWait  = 2 * time.Second
)

// openChannel opens a session's channel. The server may grant a connection fewer
// than we think: who is refused waits for another session's end, takes its place
// and keeps its own free for a while, until as many are left as are granted.
func (l *link) openChannel(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	for wait := minChannelWait; ; wait = min(2*wait, maxChannelWait) {
		ch, requests, err := l.client.OpenChannel("session", nil)
		switch {
		case err == nil:
			return ch, requests, nil
		case !isRefusal(err):
			l.close()
			return nil, nil, &staleLinkError{err}
		case !isFull(err):
			return nil, nil, err
		}
		t := time.NewTimer(wait/2 + time.Duration(rand.Int64N(int64(wait))))
		select {
		case l.slots <- struct{}{}:
			time.AfterFunc(sessionLimitTTL, func() { <-l.slots })
		case <-t.C:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-l.done:
			return nil, nil, &staleLinkError{l.brokenErr()}
		}
		t.Stop()
	}
}

// staleLinkError is the error of a link that turns out to have broken before anything was
// asked of it.
type staleLinkError struct{ error }

func (s *staleLinkError) Unwrap() error { return s.error }

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
