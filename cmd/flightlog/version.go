package main

import (
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/events"
)

// build is what this binary knows of itself.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Dirty   bool   `json:"dirty,omitempty"` // built from a changed tree
	Time    string `json:"time,omitempty"`  // of the commit
	Go      string `json:"go"`
	Log     int    `json:"log_version"` // the highest version of events it reads
}

func buildInfo() build {
	b := build{Version: "devel", Go: runtime.Version(), Log: events.Version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Dirty = s.Value == "true"
		case "vcs.time":
			b.Time = s.Value
		}
	}
	return b
}

// semver is the version without its v, as NATS micro services have it.
func semver() string {
	if v := buildInfo().Version; v != "devel" {
		return strings.TrimPrefix(v, "v")
	}
	return "0.0.0"
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show what this binary is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			a.begun = true
			b := buildInfo()
			return a.print(result{value: b, names: []string{b.Version}, text: func(p *page) {
				p.line("flightlog %s (%s)", b.Version, b.Go)
			}})
		},
	}
}
