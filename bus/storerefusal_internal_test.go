package bus

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
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

// TestSilenceIsTenSecondsOfAConnectedServer: one write without an answer is no reason to
// refuse others, nor are those that a server left which has been started anew since.
func TestSilenceIsTenSecondsOfAConnectedServer(t *testing.T) {
	t.Parallel()
	s, err := server.NewServer(&server.Options{Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Shutdown)
	c, err := Connect(t.Context(), Config{URL: s.ClientURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	now := time.Now()
	before := now.Add(-minSilence - time.Second)
	connected := func(at time.Time) { c.connectedAt.Store(at.UnixNano()) }

	connected(before.Add(-time.Second))
	if c.noteUnanswered(before); c.Broken() != nil || c.StoreRefusal() != nil {
		t.Errorf("one write without an answer is told as %v", c.StoreRefusal())
	}
	if c.noteUnanswered(now); c.Broken() == nil || c.StoreRefusal() == nil {
		t.Error("ten seconds without an answer are not told")
	}
	if c.noteStored(); c.Broken() != nil || c.StoreRefusal() != nil {
		t.Errorf("once one is answered, %v", c.StoreRefusal())
	}

	c.noteUnanswered(before)
	connected(now)
	if c.noteUnanswered(before); c.Broken() != nil {
		t.Errorf("a write that the connection did not outlive is told as %v", c.Broken())
	}
	if c.noteUnanswered(now.Add(time.Second)); c.Broken() != nil {
		t.Errorf("silence of an earlier connection counts: %v", c.Broken())
	}
}
