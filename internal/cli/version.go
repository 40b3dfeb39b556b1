package cli

import (
	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/internal/buildinfo"
)

func (a *commandLine) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show what this binary is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			a.parsed = true
			b := buildinfo.ReadInfo()
			return a.printResult(result{value: b, names: []string{b.Version}, text: func(p *printer) { p.writeLine("flightlog %s", b) }})
		},
	}
}
