package app_test

import (
	"testing"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/config"
)

func TestEveryFlagHasAKey(t *testing.T) {
	t.Parallel()
	for program, command := range map[string]*cobra.Command{
		config.Manager: app.NewManagerCommand(), config.Launcher: app.NewLauncherCommand(),
	} {
		for _, wrong := range config.UncoveredFlags(program, command.Flags(), "config") {
			t.Errorf("%s: %s", program, wrong)
		}
	}
}

func TestCommandsAreCalledAsTheirBinaries(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]*cobra.Command{
		"flightlog-manager": app.NewManagerCommand(), "flightlog-launcher": app.NewLauncherCommand(),
	} {
		if command.Name() != name {
			t.Errorf("%s is called %s", name, command.Name())
		}
	}
}
