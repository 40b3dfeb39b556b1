package runner

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

// notStartedError is an error of what certainly did nothing.
func notStartedError(err error) error { return &Error{Err: err} }

// noAnswerError is an error of what may have run.
func noAnswerError(err error) error { return &Error{Started: true, Err: err} }

func invalidError(format string, args ...any) error {
	return pilot.Errorf(pilot.Invalid, format, args...)
}

// validate refuses what is no command.
func (c *Command) validate() error {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return invalidError("no command")
	}
	if c.Dir != "" && !path.IsAbs(c.Dir) {
		return invalidError("directory %q is not absolute", c.Dir)
	}
	for _, words := range [][]string{{c.Dir}, c.Argv, c.Env} {
		for _, word := range words {
			if err := render.CheckWord(word); err != nil {
				return invalidError("word %.40q: %w", word, err)
			}
		}
	}
	for _, entry := range c.Env {
		if name, _, ok := strings.Cut(entry, "="); !ok || name == "" {
			return invalidError("variable %.40q has no name or no value", entry)
		}
	}
	return nil
}

// buildEnviron is what the command sees where a login sees base. Of entries of one
// name the last counts.
func (c *Command) buildEnviron(base []string) []string {
	set := map[string]bool{"PWD": c.Dir != ""}
	for _, entry := range c.Env {
		name, _, _ := strings.Cut(entry, "=")
		set[name] = true
	}
	out := make([]string, 0, len(base)+len(c.Env)+1)
	for _, entry := range base {
		name, _, _ := strings.Cut(entry, "=")
		if !set[name] && !c.isUnset(name) {
			out = append(out, entry)
		}
	}
	if c.Dir != "" {
		out = append(out, "PWD="+c.Dir)
	}
	return append(out, c.Env...)
}

func (c *Command) isUnset(name string) bool {
	unset := false
	for _, pattern := range c.Unset {
		kept, keeps := strings.CutPrefix(pattern, "!")
		start, wild := strings.CutSuffix(kept, "*")
		if name != kept && (!wild || !strings.HasPrefix(name, start)) {
			continue
		}
		if keeps {
			return false
		}
		unset = true
	}
	return unset
}

// lookupVariable gives the last value of a name.
func lookupVariable(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// checkContext says whether a call may go on.
func checkContext(ctx context.Context) error {
	if ctx.Err() != nil {
		return notStartedError(context.Cause(ctx))
	}
	return nil
}
