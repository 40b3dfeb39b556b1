package bus

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// AgentHandler answers one agent. Its errors are answers too: they reach the
// agent with their code.
type AgentHandler func(ctx context.Context, key pilot.Key, verb api.Verb, r api.AgentRequest) (api.AgentReply, error)

const (
	launcherQueueGroup = "launchers" // queue group of a resource's launchers
	agentConcurrency   = 256         // agents answered at once; the others try again
)

// ServeAgents answers the agents of a resource, together with the rest of its
// fleet, until ctx ends; then it waits for the answers under way. Handlers run
// in their own goroutines and get ctx.
// What agents say with beat and finish, overhear is told of whoever answers; it
// must not block.
func (c *Conn) ServeAgents(
	ctx context.Context, resource string, handle AgentHandler, overhear func(pilot.Key, api.Verb, api.AgentRequest),
) error {
	if err := subject.CheckResource(resource); err != nil {
		return err
	}
	defer func() { _ = c.nc.FlushTimeout(time.Second) }() // the server has ended our subscriptions
	for _, verb := range []api.Verb{api.Beat, api.Finish} {
		sub, err := c.nc.Subscribe(subject.AnyAgent(resource, string(verb)), func(m *nats.Msg) {
			key, verb, err := subject.ParseAgent(m.Subject)
			var request api.AgentRequest
			if err == nil && json.Unmarshal(m.Data, &request) == nil {
				overhear(key, api.Verb(verb), request)
			}
		})
		if err != nil {
			return classify("overhear agents", err)
		}
		defer func() { _ = sub.Unsubscribe() }() // a connection that is gone has none
	}
	return c.serveSubject(ctx, responder{
		subject: subject.AnyAgent(resource, "*"), queue: launcherQueueGroup, limit: agentConcurrency,
		handle: func(ctx context.Context, m *nats.Msg) (*nats.Msg, error) { return c.answerAgent(ctx, m, handle) },
	})
}

// answerAgent runs the handler.
func (c *Conn) answerAgent(ctx context.Context, m *nats.Msg, handle AgentHandler) (*nats.Msg, error) {
	key, verb, err := subject.ParseAgent(m.Subject)
	if err != nil {
		return nil, err
	}
	var request api.AgentRequest
	// Fields of a later version are tolerated: agents live long.
	if err := json.Unmarshal(m.Data, &request); err != nil {
		return nil, pilot.Errorf(pilot.Invalid, "the request does not decode: %w", err)
	}
	reply, err := handle(ctx, key, api.Verb(verb), request)
	if err != nil {
		return nil, err
	}
	if reply.Refused != "" {
		c.rejections.logAgent(key, api.Verb(verb), request.Attempt, reply.Refused)
	}
	return encodeReply(encodingJSON, reply, 0)
}

// AskLauncher asks the launchers of a pilot's resource once. Code unavailable:
// none listens; timeout: none answered before ctx or the connection ended.
func (c *Conn) AskLauncher(ctx context.Context, key pilot.Key, verb api.Verb, r api.AgentRequest) (api.AgentReply, error) {
	at, err := subject.ForAgent(key, string(verb))
	if err != nil {
		return api.AgentReply{}, err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return api.AgentReply{}, invalidError("ask a launcher", err)
	}
	answer, err := c.sendRequest(ctx, &nats.Msg{Subject: at, Data: data})
	if err != nil {
		return api.AgentReply{}, classify("ask a launcher", err)
	}
	var reply api.AgentReply
	_, err = decodeReply(answer, &reply)
	return reply, err
}
