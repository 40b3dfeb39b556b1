package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/internal/buildinfo"
	"github.com/flightlog/flightlog/internal/resource"
)

// RunCommand runs the command of a part until it ends, or SIGTERM or an interrupt
// tells it to, and gives the exit code: 0, or 1 for an error, which it tells on
// stderr. The command gets a subcommand version.
func RunCommand(c *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c.SilenceErrors, c.SilenceUsage = true, true
	c.AddCommand(versionCommand(c.Name()))
	err := c.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	for _, line := range errorLines(err) {
		_, _ = fmt.Fprintln(Stderr(), c.Name()+":", line)
	}
	_ = Stderr().Sync() // it gives nil
	return 1
}

// errorLines are the lines of an error: one for each fault of a file.
func errorLines(err error) []string {
	var files *resource.FileError
	if !errors.As(err, &files) {
		return []string{err.Error()}
	}
	lines := make([]string, len(files.Diagnostics))
	for i, f := range files.Diagnostics {
		lines[i] = f.String()
	}
	return lines
}

func versionCommand(program string) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use: "version", Short: "Show what this binary is", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return buildinfo.Print(c.OutOrStdout(), program, output) },
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
}
