package app

import "github.com/flightlog/flightlog/internal/owner"

// StateDir is where a user's state belongs: see package owner.
func StateDir(getenv func(string) string) string { return owner.StateDir(getenv) }
