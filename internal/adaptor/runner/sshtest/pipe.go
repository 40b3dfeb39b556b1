package sshtest

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// Dial connects to the server within this process, and in simulated time if the
// caller lives in such. Addresses mean nothing.
func (s *Server) Dial(context.Context, string, string) (net.Conn, error) {
	there, back := newBuffer(), newBuffer()
	go s.Serve(&pipeEnd{r: there, w: back})
	return &pipeEnd{r: back, w: there}, nil
}

// buffer is one direction of a connection. It takes whatever is written, as the
// network does for a while: both sides of ssh begin by writing.
type buffer struct {
	mu     sync.Mutex
	more   *sync.Cond
	bytes  []byte
	closed bool
}

func newBuffer() *buffer {
	b := &buffer{}
	b.more = sync.NewCond(&b.mu)
	return b
}

func (b *buffer) read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.bytes) == 0 && !b.closed {
		b.more.Wait()
	}
	if len(b.bytes) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.bytes)
	b.bytes = b.bytes[n:]
	return n, nil
}

func (b *buffer) write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, io.ErrClosedPipe
	}
	b.bytes = append(b.bytes, p...)
	b.more.Broadcast()
	return len(p), nil
}

func (b *buffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.more.Broadcast()
}

// pipeEnd is one of the two of a connection.
type pipeEnd struct{ r, w *buffer }

func (e *pipeEnd) Read(p []byte) (int, error)  { return e.r.read(p) }
func (e *pipeEnd) Write(p []byte) (int, error) { return e.w.write(p) }

func (e *pipeEnd) Close() error {
	e.r.close()
	e.w.close()
	return nil
}

func (*pipeEnd) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*pipeEnd) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*pipeEnd) SetDeadline(time.Time) error      { return nil }
func (*pipeEnd) SetReadDeadline(time.Time) error  { return nil }
func (*pipeEnd) SetWriteDeadline(time.Time) error { return nil }
