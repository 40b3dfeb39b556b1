package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// AgentHandler answers one agent. Its errors are answers too: they reach the
// agent with their code.
type AgentHandler func(ctx context.Context, key pilot.Key, verb api.Verb, r api.AgentRequest) (api.AgentReply, error)

const (
	fleetQueue = "launchers" // queue group of a resource's launchers
	agentLimit = 256         // agents answered at once; the others try again
)

// ServeAgents answers the agents of a resource, together with the rest of its
// fleet, until ctx ends; then it waits for the answers under way. Handlers run
// in their own goroutines and get ctx.
// What agents say with beat and finish, overhear is told of whoever answers; it
// must not block.
func (c *Conn) ServeAgents(
	ctx context.Context, resource string, handle AgentHandler, overhear func(pilot.Key, api.Verb, api.AgentRequest),
) error {
	if err := resourceToken(resource); err != nil {
		return err
	}
	for _, verb := range []api.Verb{api.Beat, api.Finish} {
		sub, err := c.nc.Subscribe(treeAgent+resource+".*.*."+string(verb), func(m *nats.Msg) {
			key, verb, err := parseAgentSubject(m.Subject)
			var request api.AgentRequest
			if err == nil && json.Unmarshal(m.Data, &request) == nil {
				overhear(key, verb, request)
			}
		})
		if err != nil {
			return fault("overhear agents", err)
		}
		defer func() { _ = sub.Unsubscribe() }() // a connection that is gone has none
	}
	var running sync.WaitGroup
	slots := make(chan struct{}, agentLimit)
	sub, err := c.nc.QueueSubscribe(treeAgent+resource+".*.*.*", fleetQueue, func(m *nats.Msg) {
		select {
		case slots <- struct{}{}:
		default:
			c.respond(m, refusing(inJSON, pilot.Errorf(pilot.Unavailable, "this launcher answers %d agents at once", agentLimit)))
			return
		}
		running.Go(func() {
			defer func() { <-slots }()
			c.respond(m, c.answerAgent(ctx, m, handle))
		})
	})
	if err != nil {
		return fault("serve agents", err)
	}
	drained := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(drained) })
	<-ctx.Done()
	if sub.Drain() == nil {
		t := time.NewTimer(drainTimeout)
		defer t.Stop()
		select {
		case <-drained: // no callback comes any more
		case <-t.C:
		}
	}
	running.Wait()
	return nil
}

// answerAgent runs the handler and turns a panic into an error.
func (c *Conn) answerAgent(ctx context.Context, m *nats.Msg, handle AgentHandler) (out *nats.Msg) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("agent request failed", zap.String("subject", m.Subject), zap.Error(fmt.Errorf("panic: %v\n%s", p, debug.Stack())))
			out = refusing(inJSON, pilot.Errorf(pilot.Internal, "panic"))
		}
	}()
	key, verb, err := parseAgentSubject(m.Subject)
	var request api.AgentRequest
	if err == nil {
		// Fields of a later version are tolerated: agents live long.
		if err = json.Unmarshal(m.Data, &request); err != nil {
			err = pilot.Errorf(pilot.Invalid, "the request does not decode: %w", err)
		}
	}
	var reply api.AgentReply
	if err == nil {
		reply, err = handle(ctx, key, verb, request)
	}
	if err == nil {
		out, err = answering(inJSON, reply, 0)
	}
	if err != nil {
		return refusing(inJSON, err)
	}
	return out
}

func (c *Conn) respond(m, answer *nats.Msg) {
	if m.Reply == "" {
		return
	}
	if err := m.RespondMsg(answer); err != nil {
		c.log.Warn("agent not answered", zap.String("subject", m.Subject), zap.Error(err))
	}
}

func parseAgentSubject(subject string) (pilot.Key, api.Verb, error) {
	path, ours := strings.CutPrefix(subject, treeAgent)
	at := max(strings.LastIndexByte(path, '.'), 0)
	key, err := parseKeyPath(path[:at])
	if !ours || err != nil {
		return pilot.Key{}, "", pilot.Errorf(pilot.Invalid, "%.300q is no subject of an agent", subject)
	}
	verb := strings.TrimPrefix(path[at:], ".")
	return key, api.Verb(verb), token("verb", verb)
}

// AskLauncher asks the launchers of a pilot's resource once. Code unavailable:
// none listens; timeout: none answered before ctx or the connection ended.
func (c *Conn) AskLauncher(ctx context.Context, key pilot.Key, verb api.Verb, r api.AgentRequest) (api.AgentReply, error) {
	path, err := keyPath(key)
	if err == nil {
		err = token("verb", string(verb))
	}
	if err != nil {
		return api.AgentReply{}, err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return api.AgentReply{}, invalid("ask a launcher", err)
	}
	answer, err := c.ask(ctx, &nats.Msg{Subject: treeAgent + path + "." + string(verb), Data: data})
	if err != nil {
		return api.AgentReply{}, fault("ask a launcher", err)
	}
	var reply api.AgentReply
	_, err = answered(answer, &reply)
	return reply, err
}
