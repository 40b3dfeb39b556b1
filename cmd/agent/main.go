// Command agent runs one pilot's payload. Launchers start it; it reads its
// assignment from stdin, asks launchers over NATS (NATS_URL and the like, see
// package bus) and prints nothing. Without an assignment it ends with 0.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/flightlog/flightlog/agent"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/pilot"
)

func main() {
	// An agent mostly waits: one processor costs a tenth less to start than two
	// (measured), and needs no more memory on a node of two hundred.
	runtime.GOMAXPROCS(1)
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	g, stop := agent.Connecting(ctx, dial)
	defer stop()
	return agent.Main(ctx, os.Stdin, agent.Config{Gateway: g, Alone: true})
}

func dial(ctx context.Context) (agent.Gateway, error) {
	cfg := bus.ConfigFromEnv(os.Getenv)
	cfg.Name = "flightlog-agent"
	conn, err := bus.Connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return gateway{conn}, nil
}

// gateway carries the agent's questions over the bus.
type gateway struct{ conn *bus.Conn }

// Ask asks the launchers of the pilot's resource.
func (g gateway) Ask(ctx context.Context, key pilot.Key, verb api.Verb, r api.AgentRequest) (api.AgentReply, error) {
	return g.conn.AskLauncher(ctx, key, verb, r)
}
