package bus

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// OrphansHandler answers what jobs of a resource belong to no live pilot. Its
// errors are answers too.
type OrphansHandler func(ctx context.Context, r api.OrphansRequest) (api.OrphansAnswer, error)

const (
	orphansConcurrency = 4 // answered at once: each asks batch systems and reads the log
)

// ServeOrphans answers, together with the rest of the resource's fleet, until ctx
// ends. Handlers get ctx.
func (c *Conn) ServeOrphans(ctx context.Context, resource string, handle OrphansHandler) error {
	if err := subject.CheckResource(resource); err != nil {
		return err
	}
	return c.serveSubject(ctx, responder{
		subject: subject.Orphans(resource), queue: launcherQueueGroup, limit: orphansConcurrency,
		handle: func(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
			r := Request{Data: m.Data}
			var asked api.OrphansRequest
			if err := r.Decode(&asked); err != nil {
				return nil, err
			}
			reply, err := handle(ctx, asked)
			if err != nil {
				return nil, err
			}
			return encodeReply(encodingJSON, reply, 0)
		},
	})
}

// AskOrphans asks the launchers of a resource, of which one answers. Code
// unavailable: none listens; timeout: none answered before ctx or the connection
// ended, and what was to be killed may have been.
func (c *Conn) AskOrphans(ctx context.Context, resource string, r api.OrphansRequest) (api.OrphansAnswer, error) {
	var reply api.OrphansAnswer
	if err := subject.CheckResource(resource); err != nil {
		return reply, err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return reply, invalidError("ask for orphans", err)
	}
	m, err := c.sendRequest(ctx, &nats.Msg{Subject: subject.Orphans(resource), Data: data})
	switch {
	case err != nil && notDelivered(err):
		return reply, &pilot.Error{Code: pilot.Unavailable, Err: err, Message: "no launcher of " + resource + " answers"}
	case err != nil:
		return reply, classify("ask for orphans", err)
	}
	_, err = decodeReply(m, &reply)
	return reply, err
}
