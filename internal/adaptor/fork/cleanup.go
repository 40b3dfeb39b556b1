package fork

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// RemoveSandbox removes the sandbox of a job that has ended, following no symbolic
// link. Code conflict: it runs; invalid: that is no sandbox of ours.
func (s *System) RemoveSandbox(ctx context.Context, h adaptor.Handle) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	places := s.candidateSandboxes(h.Key)
	dir := h.Sandbox
	if dir == "" {
		dir = places[0]
	}
	parent := filepath.Dir(dir)
	if !slices.Contains(places, dir) || filepath.Base(dir) != h.Key.Pilot || filepath.Base(parent) != h.Key.Manager {
		return pilot.Errorf(pilot.Invalid, "%s is not the sandbox of %s", dir, h.Key.Pilot)
	}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return ignoreNotExist(os.Remove(s.linkName(h.Key)))
	}
	status, err := s.pollJob(&h)
	if err != nil {
		return err
	}
	if status.Phase != adaptor.Ended && status.Phase != adaptor.Vanished {
		return pilot.Errorf(pilot.Conflict, "the job is %s", status.Phase)
	}
	if err := removeSandboxDir(filepath.Dir(parent), h.Key); err != nil {
		return err
	}
	_ = os.Remove(parent) // other pilots of the manager keep it
	return ignoreNotExist(os.Remove(s.linkName(h.Key)))
}

// removeSandboxDir removes <manager>/<pilot> below base if it bears our marks.
func removeSandboxDir(base string, key pilot.Key) error {
	root, err := os.OpenRoot(base)
	if err != nil {
		return ignoreNotExist(err)
	}
	defer func() { _ = root.Close() }()
	dir := filepath.Join(key.Manager, key.Pilot)
	for _, name := range []string{key.Manager, dir, filepath.Join(dir, sandbox.MarksDir)} {
		info, err := root.Lstat(name)
		if err != nil {
			return ignoreNotExist(err)
		}
		if !info.IsDir() {
			return pilot.Errorf(pilot.Invalid, "%s is not a sandbox", filepath.Join(base, name))
		}
	}
	return root.RemoveAll(dir)
}

// ignoreNotExist forgives that something is not there.
func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
