// Package buildinfo tells what a binary is. It imports nothing but package events, so that
// agents may carry it.
package buildinfo

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/flightlog/flightlog/events"
)

// Info is what a binary knows of itself.
type Info struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Dirty   bool   `json:"dirty,omitempty"` // built from a changed tree
	Time    string `json:"time,omitempty"`  // of the commit
	Go      string `json:"go"`
	Log     int    `json:"log_version"` // the highest version of events it reads
}

// ReadInfo gives what is in this binary.
func ReadInfo() Info {
	b := Info{Version: "devel", Go: runtime.Version(), Log: events.Version}
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

// SemVer is the version without its v, as NATS micro services have it.
func (i Info) SemVer() string {
	if i.Version != "devel" {
		return strings.TrimPrefix(i.Version, "v")
	}
	return "0.0.0"
}

// String is one line for people, without the program's name.
func (i Info) String() string {
	s := i.Version
	if i.Commit != "" {
		s += ", commit " + i.Commit[:min(len(i.Commit), 12)]
	}
	if i.Dirty {
		s += ", changed"
	}
	return fmt.Sprintf("%s (%s)", s, i.Go)
}

// Print writes what the binary is: a line for people, or JSON.
func Print(w io.Writer, program, output string) error {
	switch i := ReadInfo(); output {
	case "", "table":
		_, err := fmt.Fprintf(w, "%s %s\n", program, i)
		return err
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(i)
	default:
		return fmt.Errorf("%q is not an output; one of table, json", output)
	}
}
