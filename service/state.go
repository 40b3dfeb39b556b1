package service

import "path/filepath"

// StateDir is where a user's state belongs: $XDG_STATE_HOME/flightlog, or
// ~/.local/state/flightlog (XDG Base Directory Specification).
func StateDir(getenv func(string) string) string {
	base := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		base = filepath.Join(getenv("HOME"), ".local", "state")
	}
	return filepath.Join(base, "flightlog")
}
