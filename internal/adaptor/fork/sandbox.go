package fork

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// linksDir is the directory in Root of links to sandboxes that are not there.
const linksDir = ".elsewhere"

// makeSandbox makes the sandbox of a spec and the directory of marks, none
// of which may be, or lead through, a symbolic link below its base.
func (s *System) makeSandbox(spec *adaptor.Spec) (string, error) {
	key := spec.Key
	if err := checkKey(key, spec.Attempt); err != nil {
		return "", err
	}
	if spec.Description.Nodes > 1 {
		return "", pilot.Errorf(pilot.Invalid, "it asks for %d nodes, and this machine is one", spec.Description.Nodes)
	}
	base, err := s.sandboxBase(spec)
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	below := ""
	for _, name := range []string{key.Manager, key.Pilot, sandbox.MarksDir} {
		below = filepath.Join(below, name)
		if err := makeOwn(root, below); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(base, key.Manager, key.Pilot)
	if base == s.config.Root {
		return dir, nil
	}
	return dir, s.linkSandbox(key, dir)
}

func checkKey(key pilot.Key, attempt int) error {
	if !pilot.ValidToken(key.Manager) || !pilot.ValidToken(key.Pilot) || attempt < 1 {
		return pilot.Errorf(pilot.Invalid, "%q, %q, attempt %d name no sandbox", key.Manager, key.Pilot, attempt)
	}
	return nil
}

// makeOwn makes a directory, or sees that the one there is ours.
func makeOwn(root *os.Root, dir string) error {
	if err := root.Mkdir(dir, 0o700); err == nil || !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := root.Lstat(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(root.Name(), dir)
	if !info.IsDir() {
		return fmt.Errorf("%s is there already, and no directory", path)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is another user's", path)
	}
	return nil
}

// sandboxBase is where the sandbox goes: where the user said, else where the resource
// says, else Root; without symbolic links.
func (s *System) sandboxBase(spec *adaptor.Spec) (string, error) {
	if dir := spec.Description.Sandbox; dir != "" {
		if !filepath.IsAbs(dir) {
			return "", pilot.Errorf(pilot.Invalid, "sandbox %q is not an absolute path", dir)
		}
		return resolveDir("sandbox", dir)
	}
	if dir := spec.Config.DefaultRemoteWorkdir; dir != "" {
		dir = expandPath(dir)
		if !filepath.IsAbs(dir) {
			return "", pilot.Errorf(pilot.Invalid, "default_remote_workdir %q is not an absolute path", dir)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
		return resolveDir("default_remote_workdir", dir)
	}
	return s.config.Root, nil
}

// expandPath replaces $NAME, ${NAME} and a leading ~ from the launcher's
// environment as a payload may see it; credentials are not among it.
func expandPath(dir string) string {
	if dir == "~" || strings.HasPrefix(dir, "~/") {
		dir = "$HOME" + dir[1:]
	}
	public := map[string]string{}
	for _, entry := range sandbox.ScrubEnviron(os.Environ()) {
		name, value, _ := strings.Cut(entry, "=")
		public[name] = value
	}
	return os.Expand(dir, func(name string) string { return public[name] })
}

func resolveDir(what, dir string) (string, error) {
	resolved, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s %q does not exist", what, dir)
	}
	if err != nil {
		return "", err
	}
	info, err := os.Stat(resolved)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s %q is not a directory", what, dir)
	}
	return resolved, err
}

// linkSandbox makes a sandbox outside Root known to Find.
func (s *System) linkSandbox(key pilot.Key, dir string) error {
	name := s.linkName(key)
	if target, err := os.Readlink(name); err == nil && target == dir {
		return nil
	}
	tmp := fmt.Sprintf("%s.%d.tmp", name, os.Getpid())
	_ = os.Remove(tmp) // of a process that died here
	if err := os.Symlink(dir, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}

// linkName: tokens hold no dot, so no two pilots share one.
func (s *System) linkName(key pilot.Key) string {
	return filepath.Join(s.config.Root, linksDir, key.Manager+"."+key.Pilot)
}

// candidateSandboxes gives the places where a pilot's sandbox may be.
func (s *System) candidateSandboxes(key pilot.Key) []string {
	places := []string{filepath.Join(s.config.Root, key.Manager, key.Pilot)}
	if target, err := os.Readlink(s.linkName(key)); err == nil {
		places = append(places, target)
	}
	return places
}
