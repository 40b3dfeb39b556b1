package main

import (
	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/service/build"
)

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show what this binary is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			a.begun = true
			b := build.Read()
			return a.print(result{value: b, names: []string{b.Version}, text: func(p *page) { p.line("flightlog %s", b) }})
		},
	}
}
