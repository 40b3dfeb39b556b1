package runner

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flightlog/flightlog/internal/sandbox"
)

// Local is this machine as this process's user.
type Local struct {
	environ  []string // what commands see of this process's environment
	home     string
	identity string
	expander expander
	hashes   hashCache
	verified verifiedFiles
}

var _ Runner = (*Local)(nil)

// NewLocal opens this machine. Commands see this process's environment as it is
// now, without settings of the bus and credentials.
func NewLocal() *Local {
	environ := sandbox.ScrubEnviron(os.Environ())
	l := &Local{environ: environ, home: lookupVariable(environ, "HOME"), identity: localIdentity()}
	if l.home == "" {
		l.home = "/"
		if u, err := user.Current(); err == nil {
			l.home = cmp.Or(u.HomeDir, l.home)
		}
	}
	logins := newLoginEnviron(func(ctx context.Context, script string) (Result, error) {
		return l.Run(ctx, Command{Argv: []string{"sh", "-c", loginLine}, Env: []string{scriptVariable + "=" + script}})
	})
	l.expander.run = func(ctx context.Context, script string) (Result, error) {
		environ, err := logins.getEnviron(ctx)
		if err != nil {
			return Result{}, err
		}
		return l.runWithEnviron(ctx, &Command{Argv: []string{"sh", "-c", script}}, environ)
	}
	return l
}

// localIdentity: machines of one name are common, and so are images that give all
// their machines one id (man machine-id).
func localIdentity() string {
	host, _ := os.Hostname()
	if id, err := os.ReadFile("/etc/machine-id"); err == nil && len(id) >= 32 {
		host += "." + strings.TrimSpace(string(id))[:8]
	}
	return "local:" + strconv.Itoa(os.Geteuid()) + "@" + host
}

// Identity is local:<uid>@<host>.<beginning of its machine-id>.
func (l *Local) Identity() string { return l.identity }

// Close has nothing to end.
func (l *Local) Close() error { return nil }

// lookPath finds a command as a shell does that has this environment.
func lookPath(name, dir string, environ []string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, checkExecutable(name)
	}
	var denied error
	search := cmp.Or(lookupVariable(environ, "PATH"), "/usr/local/bin:/usr/bin:/bin")
	for _, place := range filepath.SplitList(search) {
		path := filepath.Join(place, name)
		if !filepath.IsAbs(place) {
			continue // of whatever directory a command is run in
		}
		err := checkExecutable(path)
		if err == nil {
			return path, nil
		}
		if errors.Is(err, fs.ErrPermission) {
			denied = cmp.Or(denied, err)
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
}

func checkExecutable(path string) error {
	info, err := os.Stat(path)
	if err == nil && (info.IsDir() || info.Mode()&0o111 == 0) {
		err = &fs.PathError{Op: "execute", Path: path, Err: fs.ErrPermission}
	}
	return err
}
