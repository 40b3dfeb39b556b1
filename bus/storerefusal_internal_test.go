package bus

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/pilot"
)

// TestWordsOfAFullStore: what JetStream says of a store that takes no more is no timeout,
// and is not asked again as if it passed.
func TestWordsOfAFullStore(t *testing.T) {
	t.Parallel()
	for code, name := range map[jetstream.ErrorCode]string{
		10002: "resource limits exceeded for account",
		10023: "insufficient resources",
		10047: "insufficient storage resources available",
		10077: "maximum bytes exceeded",
	} {
		cause := fmt.Errorf("publish: %w", &jetstream.APIError{Code: 503, ErrorCode: code, Description: name})
		if !fullCodes[errorCode(cause)] {
			t.Errorf("%d is not taken for a full store", code)
			continue
		}
		c := &Conn{}
		a := &appendOp{log: &Log{conn: c}}
		_, err := a.resolveRefusal(t.Context(), cause)
		if pilot.CodeOf(err) != pilot.Unavailable || !pilot.Lasting(err) {
			t.Errorf("%d is answered by %v", code, err)
		}
		if c.StoreRefusal() == nil {
			t.Errorf("%d: nobody is told that the log takes nothing", code)
		}
		if c.noteStored(); c.StoreRefusal() != nil {
			t.Errorf("%d: once it takes something, %v", code, c.StoreRefusal())
		}
		passed, err := decodeReply(encodeError(encodingJSON, err), nil)
		if passed != 0 || pilot.CodeOf(err) != pilot.Unavailable || !pilot.Lasting(err) {
			t.Errorf("%d over the bus is %v", code, err)
		}
	}
	if fullCodes[errWrongLast] || fullCodes[0] {
		t.Error("any error is taken for a full store")
	}
}
