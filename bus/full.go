package bus

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/pilot"
)

// refusesFor is how long it counts that the log took nothing, where nobody has written
// since.
const refusesFor = time.Minute

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

// storeFull is the error for what a full store refused.
func storeFull(cause error) error {
	return &pilot.Error{
		Code: pilot.Unavailable, Lasting: true, Err: cause,
		Message: "the store is full: the server took nothing: " + cause.Error(),
	}
}

var errSilent = pilot.Errorf(pilot.Unavailable,
	"the server does not answer what is written: where that goes on it may keep a write error, and has to be restarted")

// refused notes that the log took nothing; wrote, that it took something.
func (c *Conn) refused(err error) { c.full.Store(&storeRefusal{err, time.Now()}) }
func (c *Conn) wrote()            { c.full.Store(nil) }

// Refused is why the log took nothing of what was last written by this connection, for a
// minute; nil: it took it. Code unavailable.
func (c *Conn) Refused() error {
	if r := c.full.Load(); r != nil && time.Since(r.at) < refusesFor {
		return r.err
	}
	return nil
}
