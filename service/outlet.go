package service

import (
	"io"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Outlet passes on what is written to it to somebody who may have gone, may have
// stopped to read, or may be a file on a full disk: a program goes on without its log.
// Write never blocks and never fails. What cannot be passed on is dropped and counted,
// and as soon as something can be, that is said first. Any goroutine may use it.
type Outlet struct {
	to   io.Writer     // blocks and fails as it likes; only pass uses it
	look chan struct{} // 1: a signal only says "look"
	torn bool          // what arrived last has no end of line; only pass uses it

	mu      sync.Mutex
	waiting [][]byte
	size    int                       // bytes of waiting, and of what pass has in hand
	dropped uint64                    // writes since the last time that was said
	lost    uint64                    // writes dropped since the start
	idle    chan struct{}             // closed while size is 0
	excuse  func(lines uint64) []byte // nil: nothing is said
}

const (
	// outletLimit is how many bytes may wait: ten thousand lines, or some seconds of a
	// launcher that starts pilots as fast as it can.
	outletLimit = 4 << 20
	// outletPatience is how long Sync waits for who reads.
	outletPatience = time.Second
)

// Stderr is the outlet to stderr, for what this process and the packages say that know
// no other log than Go's, such as net/http. From the first call on it is an error, and no
// death, that nobody reads stderr or stdout any more: Go programs die of SIGPIPE there
// unless they listen to it (package os/signal). What they start dies of it as ever.
var Stderr = sync.OnceValue(func() *Outlet {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // 1: never read
	o := NewOutlet(os.Stderr)
	log.SetOutput(o)
	return o
})

// NewOutlet opens an outlet to a writer, which lasts as long as the process.
func NewOutlet(to io.Writer) *Outlet {
	o := &Outlet{to: to, look: make(chan struct{}, 1), idle: make(chan struct{})}
	close(o.idle)
	go o.pass()
	return o
}

// Excuse says how to put it that so many writes were dropped.
func (o *Outlet) Excuse(line func(lines uint64) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.excuse = line
}

// Dropped is how many writes were dropped since the outlet was opened, those included
// of which that has been said.
func (o *Outlet) Dropped() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}

// drop counts a write that is not passed on; o.mu is held.
func (o *Outlet) drop() {
	o.dropped++
	o.lost++
}

// Write takes one or more whole lines, or drops them.
func (o *Outlet) Write(lines []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.size+len(lines) > outletLimit:
		o.drop()
		return len(lines), nil
	case o.size == 0:
		o.idle = make(chan struct{})
	}
	o.size += len(lines)
	o.waiting = append(o.waiting, append([]byte(nil), lines...))
	select {
	case o.look <- struct{}{}:
	default: // it will look
	}
	return len(lines), nil
}

// Sync waits until all is passed on or dropped, for a second at most. It gives nil.
func (o *Outlet) Sync() error {
	o.mu.Lock()
	idle := o.idle
	o.mu.Unlock()
	limit := time.NewTimer(outletPatience)
	defer limit.Stop()
	select {
	case <-idle:
	case <-limit.C:
	}
	return nil
}

// pass writes what waits, one piece after the other.
func (o *Outlet) pass() {
	failed := false
	for range o.look {
		o.mu.Lock()
		pieces := o.waiting
		o.waiting = nil
		o.mu.Unlock()
		for _, piece := range pieces {
			failed = failed && !o.say() || !o.put(piece)
			o.took(len(piece), failed)
		}
		failed = failed || !o.say()
	}
}

// put writes a piece, and says whether it arrived.
func (o *Outlet) put(piece []byte) bool {
	n, err := o.to.Write(piece)
	if err != nil && n > 0 {
		o.torn = piece[n-1] != '\n'
	}
	return err == nil
}

// say says how much was dropped, if something was and the other side takes it.
func (o *Outlet) say() bool {
	o.mu.Lock()
	lines, excuse := o.dropped, o.excuse
	o.mu.Unlock()
	if lines == 0 {
		return true
	}
	var text []byte
	if o.torn {
		text = append(text, '\n')
	}
	if excuse != nil {
		text = append(text, excuse(lines)...)
	}
	if len(text) > 0 && !o.put(text) {
		return false
	}
	o.torn = false
	o.mu.Lock()
	o.dropped -= lines
	o.mu.Unlock()
	return true
}

// took lets go of a piece.
func (o *Outlet) took(size int, failed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if failed {
		o.drop()
	}
	if o.size -= size; o.size == 0 {
		close(o.idle)
	}
}
