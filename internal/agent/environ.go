package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TokenVariable tags every process of a payload with its attempt's token.
const TokenVariable = "PILOT_TOKEN"

// secretWords mark variables that hold credentials of whoever started us.
var secretWords = []string{"SECRET", "TOKEN", "PASSWORD", "PASSWD", "CREDENTIAL", "CREDS", "PRIVATE_KEY", "ACCESS_KEY", "API_KEY", "NKEY"}

// ScrubEnviron drops from an environment what a payload must not see: the bus's
// settings and our collector's, the variables of an outer pilot, and whatever is named like a
// credential.
func ScrubEnviron(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return strings.HasPrefix(name, "NATS_") || strings.HasPrefix(name, "PILOT_") ||
			strings.HasPrefix(name, "FLIGHTLOG_") || strings.HasPrefix(name, "OTEL_") ||
			slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(strings.ToUpper(name), w) })
	})
}

// payloadEnviron is the payload's environment. Ours comes first, so that who looks
// for the token finds it soon, and wins over the user's.
func (a *Assignment) payloadEnviron(own []string, nodefile, deadlineFile string, deadline time.Time) []string {
	ours := [][2]string{
		{TokenVariable, a.Token},
		{"PILOT_UID", a.Pilot},
		{"PILOT_MANAGER", a.Manager},
		{"PILOT_RESOURCE", a.Resource},
		{"PILOT_ATTEMPT", strconv.Itoa(a.Attempt)},
		{"PILOT_SANDBOX", a.Sandbox},
		{"PILOT_DEADLINE", formatTime(deadline)},
		{"PILOT_DEADLINEFILE", deadlineFile},
		{"PILOT_CORES", strconv.FormatInt(a.Cores, 10)},
		{"PILOT_GPUS", strconv.FormatInt(a.GPUs, 10)},
		{"PILOT_NODEFILE", nodefile},
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
	for _, entry := range ScrubEnviron(own) {
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
