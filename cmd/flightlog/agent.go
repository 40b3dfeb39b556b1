package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/agent"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/pilot"
)

// agentProcess is what launchers start where there is no agent binary.
func (a *app) agentProcess() *cobra.Command {
	return &cobra.Command{
		Use: "agent", Short: "Run as the agent of one pilot, assigned on stdin", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a.begun = true
			cfg := a.bus
			cfg.Name = "flightlog agent"
			conn, err := bus.Connect(c.Context(), cfg)
			if err != nil {
				return err
			}
			defer conn.Close()
			return agent.Main(c.Context(), a.stdin, agent.Config{Gateway: gateway{conn}, Alone: true})
		},
	}
}

// gateway carries an agent's questions over the bus.
type gateway struct{ conn *bus.Conn }

// Ask asks the launchers of the pilot's resource.
func (g gateway) Ask(ctx context.Context, key pilot.Key, verb api.Verb, r api.AgentRequest) (api.AgentReply, error) {
	return g.conn.AskLauncher(ctx, key, verb, r)
}
