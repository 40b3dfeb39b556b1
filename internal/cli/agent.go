package cli

import (
	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/internal/app/agents"
)

// agentCommand is what launchers start where there is no agent binary.
func (a *commandLine) agentCommand() *cobra.Command {
	return &cobra.Command{
		Use: "agent", Short: "Run as the agent of pilots, assigned on stdin", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a.parsed = true
			return agents.Run(c.Context(), a.stdin, a.stdout, a.bus)
		},
	}
}
