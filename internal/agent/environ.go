package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/sandbox"
)

// payloadEnviron is the payload's environment. Flightlog's variables come first, so that a search
// for the token is short, and win over the user's; those win over the agent's own.
func payloadEnviron(a *sandbox.Assignment, own []string, nodefile, deadlineFile string, deadline time.Time) []string {
	ours := [][2]string{
		{sandbox.TokenVariable, a.Token},
		{sandbox.PilotVariable, a.Pilot},
		{sandbox.ManagerVariable, a.Manager},
		{sandbox.ResourceVariable, a.Resource},
		{sandbox.AttemptVariable, strconv.Itoa(a.Attempt)},
		{sandbox.SandboxVariable, a.Sandbox},
		{sandbox.DeadlineVariable, formatTime(deadline)},
		{sandbox.DeadlineFileVariable, deadlineFile},
		{sandbox.CoresVariable, strconv.FormatInt(a.Cores, 10)},
		{sandbox.GPUsVariable, strconv.FormatInt(a.GPUs, 10)},
		{sandbox.NodefileVariable, nodefile},
		{"PWD", a.Sandbox},
	}
	set := map[string]bool{}
	var out []string
	add := func(name, value string) {
		if !set[name] {
			set[name] = true
			out = append(out, name+"="+value)
		}
	}
	for _, v := range ours {
		add(v[0], v[1])
	}
	for name, value := range a.Environment {
		add(name, value)
	}
	for _, entry := range sandbox.ScrubEnviron(own) {
		name, value, _ := strings.Cut(entry, "=")
		add(name, value)
	}
	return out
}

// formatTime is a time as payloads read it.
func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// lookPath finds an executable as execvp(3) would in that environment and
// directory; a relative PATH entry is not searched.
func lookPath(name string, environ []string, dir string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, checkExecutable(name)
	}
	var path string
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, "PATH="); ok {
			path = value
		}
	}
	err := error(&fs.PathError{Op: "find", Path: name, Err: errors.New("not in PATH")})
	for _, entry := range filepath.SplitList(path) {
		if !filepath.IsAbs(entry) {
			continue
		}
		candidate := filepath.Join(entry, name)
		switch found := checkExecutable(candidate); {
		case found == nil:
			return candidate, nil
		case errors.Is(found, fs.ErrPermission):
			err = found // as a shell does: say this, unless a later one can be run
		}
	}
	return "", err
}

func checkExecutable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return &fs.PathError{Op: "exec", Path: path, Err: errors.New("is a directory")}
	case info.Mode()&0o111 == 0:
		return execFailed(path, fs.ErrPermission)
	default:
		return nil
	}
}
