package main

import (
	"testing"

	"github.com/flightlog/flightlog/service/config"
)

func TestEveryFlagHasAKey(t *testing.T) {
	t.Parallel()
	for _, wrong := range config.Uncovered(config.Manager, command().Flags(), "config") {
		t.Error(wrong)
	}
}
