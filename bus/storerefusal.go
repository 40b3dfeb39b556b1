package bus

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/pilot"
)

// How long it counts that the log took nothing, where nobody has written since.
const (
	storeRefusalTTL = time.Minute
	// silentFor is as long as one try takes: then somebody is let try again.
	silentFor = storeTimeout
	// minSilence is how long a connected server leaves writes without an answer before that
	// is taken for more than a slow disk or an election of leaders, which takes 4 to 9 s.
	minSilence = 2 * storeTimeout
)

// refusal is why the log took nothing, and when.
type storeRefusal struct {
	err error
	at  time.Time
}

// fullCodes are JetStream's words for a store that takes no more: limits of the stream,
// the account and the server, and a store that fails.
var fullCodes = map[jetstream.ErrorCode]bool{
	errAccountSpent: true, errNoResources: true, errStorageSpent: true, errStoreRefuses: true,
}

// storeFullError is the error for what a full store refused.
func storeFullError(cause error) error {
	message := "the store is full: the server took nothing: " + cause.Error()
	if errorCode(cause) == errBatchIncomplete {
		message = "the server keeps no list of events until it is whole, as where it has no room: " + cause.Error() +
			"; nothing was written, ask again once there is room"
	}
	return &pilot.Error{Code: pilot.Unavailable, Lasting: true, Err: cause, Message: message}
}

// errServerSilent is said of a server that is connected and leaves writes without an answer.
var errServerSilent = &pilot.Error{
	Code: pilot.Unavailable, Lasting: true,
	Message: "the server does not answer what is written: it keeps a write error if that goes on, and has to be restarted by whoever runs it",
}

// noteStoreRefusal notes that the log took nothing; wrote, that it took something.
func (c *Conn) noteStoreRefusal(err error) { c.lastRefusal.Store(&storeRefusal{err, time.Now()}) }

func (c *Conn) noteStored() {
	c.lastRefusal.Store(nil)
	c.unansweredSince.Store(0)
}

// noteUnanswered notes that the server left a write without an answer, which was begun then. A
// server that went away meanwhile says nothing of its store by that.
func (c *Conn) noteUnanswered(begun time.Time) {
	connected, since := c.connectedAt.Load(), c.unansweredSince.Load()
	switch {
	case !c.Connected() || connected >= begun.UnixNano():
		c.unansweredSince.Store(0)
	case since <= connected: // none, or of an earlier connection
		c.unansweredSince.Store(begun.UnixNano())
	case time.Since(time.Unix(0, since)) >= minSilence:
		c.noteStoreRefusal(errServerSilent)
	}
}

// keeper is a server in this process that knows whether its store can be written.
type keeper interface {
	// Broken says why it cannot; nil: it can. Code unavailable.
	Broken() error
	// OnBroken has do called, which must be quick, once it cannot, until undo is called.
	OnBroken(do func()) (undo func())
}

// broken says why the store of the server in this process cannot be written; nil: it can,
// or the server is another process's.
func (c *Conn) broken() error {
	if k, ok := c.server.(keeper); ok {
		return k.Broken()
	}
	return nil
}

// onBroken has do called once the store of the server in this process cannot be written,
// until undo is called.
func (c *Conn) onBroken(do func()) (undo func()) {
	if k, ok := c.server.(keeper); ok {
		return k.OnBroken(do)
	}
	return func() {}
}

// Broken says why the log takes nothing now, and would leave who writes without an answer;
// nil: it takes something, or that is not known. Of a server apart it is known for a few
// seconds after it left a write of this connection without an answer. Code unavailable.
func (c *Conn) Broken() error {
	if err := c.broken(); err != nil {
		return err
	}
	if r := c.lastRefusal.Load(); r != nil && errors.Is(r.err, errServerSilent) && time.Since(r.at) < silentFor {
		return r.err
	}
	return nil
}

// StoreRefusal is why the log took nothing of what was last written by this connection, for a
// minute; nil: it took it. Code unavailable.
func (c *Conn) StoreRefusal() error {
	if err := c.broken(); err != nil {
		return err
	}
	if r := c.lastRefusal.Load(); r != nil && time.Since(r.at) < storeRefusalTTL {
		return r.err
	}
	return nil
}
