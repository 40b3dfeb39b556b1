package main

import (
	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/service/agents"
)

// agentProcess is what launchers start where there is no agent binary.
func (a *app) agentProcess() *cobra.Command {
	return &cobra.Command{
		Use: "agent", Short: "Run as the agent of pilots, assigned on stdin", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a.begun = true
			return agents.Run(c.Context(), a.stdin, a.stdout, a.bus)
		},
	}
}
