package bus

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// OutputHandler says what a payload has printed so far; false: another launcher
// knows. Its errors are answers too, if it is to answer.
type OutputHandler func(ctx context.Context, manager, uid pilot.UID) (answer api.OutputAnswer, mine bool, err error)

const (
	outputConcurrency = 16 // answered at once: each reads files, perhaps of another machine
)

// ServeOutput answers for a resource until ctx ends. All launchers of the resource
// are asked, and the one answers that the pilot belongs to. Handlers get ctx.
func (c *Conn) ServeOutput(ctx context.Context, resource string, handle OutputHandler) error {
	if err := subject.CheckResource(resource); err != nil {
		return err
	}
	return c.serveSubject(ctx, responder{
		subject: subject.Output(resource), limit: outputConcurrency,
		handle: func(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
			ctx, cancel := context.WithTimeout(ctx, requestTimeout)
			defer cancel()
			r := Request{Data: m.Data}
			var asked api.OutputRequest
			if err := r.Decode(&asked); err != nil {
				return nil, err
			}
			reply, mine, err := handle(ctx, asked.Manager, asked.UID)
			switch {
			case !mine:
				return nil, nil //nolint:nilnil // no answer at all
			case err != nil:
				return nil, err
			}
			return encodeReply(encodingJSON, reply, 0)
		},
	})
}

// AskOutput asks what a pilot's payload has printed so far. Code closed: it has
// ended; unavailable: nobody listens, or the output cannot be read now; timeout:
// no launcher has the pilot, or none answered before ctx or the connection ended.
func (c *Conn) AskOutput(ctx context.Context, key pilot.Key) (api.OutputAnswer, error) {
	var reply api.OutputAnswer
	if err := subject.CheckResource(key.Resource); err != nil {
		return reply, err
	}
	data, err := json.Marshal(api.OutputRequest{Manager: key.Manager, UID: key.Pilot})
	if err != nil {
		return reply, invalidError("ask for output", err)
	}
	m, err := c.sendRequest(ctx, &nats.Msg{Subject: subject.Output(key.Resource), Data: data})
	if err != nil {
		return reply, classify("ask for output", err)
	}
	_, err = decodeReply(m, &reply)
	return reply, err
}
