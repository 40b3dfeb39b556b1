package app

import (
	"io"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// LossyWriter passes on what is written to it to somebody who may have gone, may have
// stopped to read, or may be a file on a full disk: a program goes on without its log.
// Write never blocks and never fails. What cannot be passed on is dropped and counted,
// and as soon as something can be, that is said first. Any goroutine may use it.
type LossyWriter struct {
	to      io.Writer     // blocks and fails as it likes; only pass uses it
	wake    chan struct{} // 1: a signal only says "look"
	midLine bool          // what arrived last has no end of line; only pass uses it

	mu           sync.Mutex
	waiting      [][]byte
	size         int                       // bytes of waiting, and of what pass has in hand
	dropped      uint64                    // writes since the last time that was said
	droppedTotal uint64                    // writes dropped since the start
	idle         chan struct{}             // closed while size is 0
	dropNotice   func(lines uint64) []byte // nil: nothing is said
}

const (
	// maxBuffered is how many bytes may wait: ten thousand lines, or some seconds of a
	// launcher that starts pilots as fast as it can.
	maxBuffered = 4 << 20
	// syncTimeout is how long Sync waits for who reads.
	syncTimeout = time.Second
)

// Stderr is the outlet to stderr, for what this process and the packages say that know
// no other log than Go's, such as net/http. From the first call on it is an error, and no
// death, that nobody reads stderr or stdout any more: Go programs die of SIGPIPE there
// unless they listen to it (package os/signal). What they start dies of it as ever.
var Stderr = sync.OnceValue(func() *LossyWriter {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // 1: never read
	o := NewLossyWriter(os.Stderr)
	log.SetOutput(o)
	return o
})

// NewLossyWriter opens an outlet to a writer, which lasts as long as the process.
func NewLossyWriter(to io.Writer) *LossyWriter {
	o := &LossyWriter{to: to, wake: make(chan struct{}, 1), idle: make(chan struct{})}
	close(o.idle)
	go o.writeLoop()
	return o
}

// SetDropNotice says how to put it that so many writes were dropped.
func (o *LossyWriter) SetDropNotice(line func(lines uint64) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropNotice = line
}

// Dropped is how many writes were dropped since the outlet was opened, those included
// of which that has been said.
func (o *LossyWriter) Dropped() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.droppedTotal
}

// countDropped counts a write that is not passed on; o.mu is held.
func (o *LossyWriter) countDropped() {
	o.dropped++
	o.droppedTotal++
}

// Write takes one or more whole lines, or drops them.
func (o *LossyWriter) Write(lines []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.size+len(lines) > maxBuffered:
		o.countDropped()
		return len(lines), nil
	case o.size == 0:
		o.idle = make(chan struct{})
	}
	o.size += len(lines)
	o.waiting = append(o.waiting, append([]byte(nil), lines...))
	select {
	case o.wake <- struct{}{}:
	default: // it will look
	}
	return len(lines), nil
}

// Sync waits until all is passed on or dropped, for a second at most. It gives nil.
func (o *LossyWriter) Sync() error {
	o.mu.Lock()
	idle := o.idle
	o.mu.Unlock()
	limit := time.NewTimer(syncTimeout)
	defer limit.Stop()
	select {
	case <-idle:
	case <-limit.C:
	}
	return nil
}

// writeLoop writes what waits, one piece after the other.
func (o *LossyWriter) writeLoop() {
	failed := false
	for range o.wake {
		o.mu.Lock()
		pieces := o.waiting
		o.waiting = nil
		o.mu.Unlock()
		for _, piece := range pieces {
			failed = failed && !o.writeDropNotice() || !o.writePiece(piece)
			o.finishPiece(len(piece), failed)
		}
		failed = failed || !o.writeDropNotice()
	}
}

// writePiece writes a piece, and says whether it arrived.
func (o *LossyWriter) writePiece(piece []byte) bool {
	n, err := o.to.Write(piece)
	if err != nil && n > 0 {
		o.midLine = piece[n-1] != '\n'
	}
	return err == nil
}

// writeDropNotice says how much was dropped, if something was and the other side takes it.
func (o *LossyWriter) writeDropNotice() bool {
	o.mu.Lock()
	lines, excuse := o.dropped, o.dropNotice
	o.mu.Unlock()
	if lines == 0 {
		return true
	}
	var text []byte
	if o.midLine {
		text = append(text, '\n')
	}
	if excuse != nil {
		text = append(text, excuse(lines)...)
	}
	if len(text) > 0 && !o.writePiece(text) {
		return false
	}
	o.midLine = false
	o.mu.Lock()
	o.dropped -= lines
	o.mu.Unlock()
	return true
}

// finishPiece lets go of a piece.
func (o *LossyWriter) finishPiece(size int, failed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if failed {
		o.countDropped()
	}
	if o.size -= size; o.size == 0 {
		close(o.idle)
	}
}
