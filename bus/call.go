package bus

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// Call asks an endpoint once and reads its answer into out, which may be nil;
// seq is the position that the answer reflects. minSeq, if not 0, is the
// position that it must at least reflect. An error of the service comes as the
// service's *pilot.Error. Code unavailable: no replica serves, and nothing
// happened; denied: the user may not ask; timeout: ctx or the connection ended before the answer came.
func (c *Conn) Call(ctx context.Context, endpoint string, minSeq uint64, in, out any) (seq uint64, err error) {
	data, err := json.Marshal(in)
	if err != nil {
		return 0, invalidError("call "+endpoint, err)
	}
	at := subject.API(endpoint)
	if self := c.requestUser.Load(); self != nil {
		at = subject.UserRequest(*self, endpoint)
	}
	m := &nats.Msg{Subject: at, Data: data, Header: nats.Header{headerContent: {string(encodingJSON)}}}
	if minSeq > 0 {
		m.Header[api.HeaderMinSeq] = []string{strconv.FormatUint(minSeq, 10)}
		if epoch := c.Epoch(); epoch != 0 {
			m.Header[api.HeaderEpoch] = []string{strconv.FormatInt(epoch, 10)}
		}
	}
	if c.actor != "" {
		m.Header[HeaderActor] = []string{oneLine(c.actor)}
	}
	if trace := traceFrom(ctx); trace != "" {
		m.Header[HeaderTrace] = []string{oneLine(trace)}
	}
	answer, err := c.sendRequest(ctx, m)
	if err != nil {
		return 0, classify("call "+endpoint, err)
	}
	if epoch, err := strconv.ParseInt(answer.Header.Get(api.HeaderEpoch), 10, 64); err == nil {
		c.epoch.Store(epoch)
	}
	return decodeReply(answer, out)
}

// Epoch is that of the log that the last answer to a Call told of; 0: none
// yet. Positions of another epoch must not be given to Call.
func (c *Conn) Epoch() int64 { return c.epoch.Load() }

// sendRequest waits for an answer, but no longer than the connection lives that it
// would come by. It says how long it waits, so that whoever answers does not do
// it later.
func (c *Conn) sendRequest(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
	if m.Header == nil {
		m.Header = nats.Header{}
	}
	m.Header[api.HeaderTimeout] = []string{maxCallerTimeout.String()}
	if end, has := ctx.Deadline(); has {
		left := max(time.Until(end), time.Millisecond)
		m.Header[api.HeaderTimeout] = []string{left.Round(time.Millisecond).String()}
	}
	requestCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer c.onReconnect(func() { cancel(errConnectionLost) })()
	defer c.onDenied(func(subject string) bool { return subject == m.Subject }, cancel)()
	answer, err := c.nc.RequestMsgWithContext(requestCtx, m)
	if err != nil && context.Cause(requestCtx) == errConnectionLost { //nolint:errorlint // our own value, never wrapped
		return nil, errConnectionLost
	}
	if denied := denialOf(requestCtx); denied != nil && err != nil {
		return nil, denied
	}
	return answer, err
}

// errConnectionLost: the connection was replaced while an answer was due.
var errConnectionLost = pilot.Errorf(pilot.Timeout, "the connection broke before the answer came")
