package main

import (
	"testing"

	"github.com/flightlog/flightlog/internal/config"
)

func TestEveryFlagHasAKey(t *testing.T) {
	t.Parallel()
	for _, wrong := range config.UncoveredFlags(config.Launcher, newCommand().Flags(), "config") {
		t.Error(wrong)
	}
}
