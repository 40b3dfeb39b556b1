package sshconn

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// Error says that it is not known how a command ended.
type Error struct {
	Started bool // it may have run; false: it certainly did not
	Err     error
}

// Error gives the cause's words.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Output is how a command ended, and what it wrote.
type Output struct {
	Stdout, Stderr []byte
	Truncated      bool // there was more
	Code           int  // exit code; -1 if a signal ended it
	Signal         string
}

// Exec has the account's shell there run a line, and keeps of its output at most
// limit bytes each. An error is an *Error, and then there is no Output.
func (c *Conn) Exec(ctx context.Context, line string, stdin []byte, limit int64) (Output, error) {
	for again := true; ; again = false {
		l, err := c.getLink(ctx)
		if err != nil {
			return Output{}, &Error{Err: err}
		}
		out, err := l.execSession(ctx, &session{line: line, stdin: stdin, limit: limit})
		if _, ok := errors.AsType[*staleLinkError](err); !ok || !again {
			return out, err
		}
		select {
		case <-l.done: // at once, for it is closed
		case <-ctx.Done():
			return out, err
		}
	}
}

// execSession runs a session and ends with ctx, also if the link does not answer.
func (l *link) execSession(ctx context.Context, s *session) (Output, error) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return Output{}, &Error{Err: context.Cause(ctx)}
	case <-l.done:
		return Output{}, &Error{Err: &staleLinkError{l.brokenErr()}}
	}
	s.done = make(chan struct{})
	go func() {
		defer func() { <-l.slots }()
		defer close(s.done)
		s.runCommand(ctx, l)
	}()
	select {
	case <-s.done:
		if s.err != nil {
			return Output{}, s.err
		}
		return s.out, nil
	case <-ctx.Done():
	}
	started := !s.state.CompareAndSwap(stateFresh, stateAbandoned)
	if started {
		go s.killRemote()
	}
	return Output{}, &Error{Started: started, Err: context.Cause(ctx)}
}

// session is one command.
type session struct {
	line  string
	stdin []byte
	limit int64

	state atomic.Int32 // fresh, then sent or given: who comes first decides
	ch    ssh.Channel  // once it is sent
	done  chan struct{}
	out   Output // once done is closed
	err   error
}

const (
	stateFresh     int32 = iota
	stateSent            // the server is being asked to run it
	stateAbandoned       // up: the caller was told that it did not start
)

func (s *session) runCommand(ctx context.Context, l *link) {
	ch, requests, err := l.openChannel(ctx)
	if err != nil {
		s.err = &Error{Err: fmt.Errorf("open a session: %w", err)}
		return
	}
	defer func() { _ = ch.Close() }()
	var end exitStatus
	var busy sync.WaitGroup
	busy.Go(func() { end = readExitStatus(requests) })
	s.ch = ch
	if !s.state.CompareAndSwap(stateFresh, stateSent) {
		return
	}
	ok, err := ch.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{s.line}))
	if err != nil {
		s.err = &Error{Started: true, Err: l.brokenCause(err)}
		return
	}
	if !ok {
		s.err = &Error{Err: errors.New("the server refuses to run commands")}
		return
	}
	busy.Go(func() {
		_, _ = ch.Write(s.stdin) // what it does not read is its own affair
		_ = ch.CloseWrite()
	})
	var cut [2]bool
	busy.Go(func() { s.out.Stderr, cut[1] = readLimited(ch.Stderr(), s.limit) })
	s.out.Stdout, cut[0] = readLimited(ch, s.limit)
	busy.Wait()
	switch {
	case !l.tracked.awaitNextRead():
		s.err = &Error{Started: true, Err: l.brokenCause(errCut)}
	case !end.known:
		s.err = &Error{Started: true, Err: errors.New("the server does not say how the command ended")}
	default:
		s.out.Truncated, s.out.Code, s.out.Signal = cut[0] || cut[1], end.code, end.signal
	}
}

// brokenCause prefers what broke the link to what was noticed of it.
func (l *link) brokenCause(err error) error {
	if broken := l.brokenErr(); broken != nil {
		return broken
	}
	return fmt.Errorf("the connection broke: %w", err)
}

// killRemote ends what runs there, as far as the server is willing.
func (s *session) killRemote() {
	_, _ = s.ch.SendRequest("signal", false, ssh.Marshal(struct{ Name string }{"KILL"}))
	_ = s.ch.Close()
}

// exitStatus is what a server says of a command's end.
type exitStatus struct {
	known  bool
	code   int
	signal string
}

// readExitStatus reads a session's requests to their end (RFC 4254, 6.10).
func readExitStatus(requests <-chan *ssh.Request) (end exitStatus) {
	for r := range requests {
		switch {
		case end.known:
		case r.Type == "exit-status" && len(r.Payload) >= 4:
			end = exitStatus{known: true, code: int(binary.BigEndian.Uint32(r.Payload))}
		case r.Type == "exit-signal":
			var body struct {
				Name    string
				Dumped  bool
				Message string
				Lang    string
			}
			if ssh.Unmarshal(r.Payload, &body) == nil {
				end = exitStatus{known: true, code: -1, signal: body.Name}
			}
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
	return end
}

// readLimited reads all and keeps the first bytes.
func readLimited(r io.Reader, limit int64) (kept []byte, cut bool) {
	var b bytes.Buffer
	_, _ = b.ReadFrom(io.LimitReader(r, limit)) // an error is the end
	n, _ := io.Copy(io.Discard, r)
	return b.Bytes(), n > 0
}
