// Package agents joins an agent to the bus. It stands apart from package
// service so that an agent process carries nothing of a launcher.
package agents

import (
	"context"
	"io"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/agent"
	"github.com/flightlog/flightlog/pilot"
)

// Run is an agent process (agent.RunProcess) that asks its launchers over the bus.
// It connects meanwhile: that the bus is away does not keep it from hearing
// that its stdin ended. It is called once in a process, which must end then: it waits for
// no attempt to connect.
func Run(ctx context.Context, stdin io.Reader, stdout io.Writer, cfg bus.Config) error {
	cfg.Name = "flightlog agent"
	asks, _ := agent.ConnectInBackground(ctx, func(ctx context.Context) (agent.Gateway, error) {
		conn, err := bus.Connect(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return gateway{conn}, nil
	})
	return agent.RunProcess(ctx, stdin, stdout, agent.Config{Gateway: asks, OwnProcess: true})
}

// gateway carries an agent's questions over the bus.
type gateway struct{ conn *bus.Conn }

// Ask asks the launchers of the pilot's resource.
func (g gateway) Ask(ctx context.Context, key pilot.Key, verb api.Verb, r api.AgentRequest) (api.AgentReply, error) {
	return g.conn.AskLauncher(ctx, key, verb, r)
}
