package owner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/flightlog/flightlog/pilot"
)

// othersMode are the permissions of everybody but the owner.
const othersMode fs.FileMode = 0o077

// fileLimit bounds what is read of a file; ours have some hundred bytes.
const fileLimit = 64 << 10

// checkOwnership says, with code denied, that a file or directory is another user's, or that
// others have some of the forbidden permissions.
func checkOwnership(path string, info fs.FileInfo, forbidden fs.FileMode) error {
	me := uint32(os.Geteuid()) //nolint:gosec // never negative here
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return pilot.Errorf(pilot.Unsupported, "nobody can tell whose %s is", path)
	case st.Uid != me:
		return pilot.Errorf(pilot.Denied, "%s belongs to the user %d, and this process is of %d: what it says is not trusted; "+
			"remove it, or use another directory", path, st.Uid, me)
	case info.Mode().Perm()&forbidden != 0:
		return pilot.Errorf(pilot.Denied, "%s has mode %04o, which lets others in; 'chmod go-rwx %s' keeps them out, "+
			"unless they have been there: then remove it", path, info.Mode().Perm(), path)
	}
	return nil
}

// privateDir makes a directory that only we may enter, or sees to it that it is one.
func privateDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return invalidError("make "+path, err)
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return invalidError("look at "+path, err)
	case !info.IsDir():
		return pilot.Errorf(pilot.Denied, "%s is no directory but a %s", path, info.Mode().Type())
	}
	return checkOwnership(path, info, othersMode)
}

// ownDir makes the directory of a store, or sees to it that nobody else writes
// there. A link to it must have been made by us, or by root.
func ownDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return invalidError("make "+path, err)
	}
	link, err := os.Lstat(path)
	if err != nil {
		return invalidError("look at "+path, err)
	}
	if link.Mode()&fs.ModeSymlink != 0 {
		if st, ok := link.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid() {
			return pilot.Errorf(pilot.Denied, "%s is a link that another user made", path)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return invalidError("look at "+path, err)
	}
	if err := checkOwnership(path, info, 0); err != nil || info.Mode().Perm()&0o022 == 0 {
		return err
	}
	return pilot.Errorf(pilot.Denied, "%s has mode %04o: others may change what it holds, and so run programs as you; 'chmod go-w %s' keeps them out",
		path, info.Mode().Perm(), path)
}

// openPrivate opens a file for reading that is ours alone; fs.ErrNotExist: there is none, or
// it is where we may not even look.
func openPrivate(path string) (*os.File, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrPermission) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case errors.Is(err, unix.ELOOP):
		return nil, pilot.Errorf(pilot.Denied, "%s is a link, which is not followed", path)
	case err != nil:
		return nil, &pilot.Error{Code: pilot.Denied, Message: fmt.Sprintf("credentials that are not yours to read are not used: %v; remove that file", err), Err: err}
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = pilot.Errorf(pilot.Denied, "%s is no file but a %s", path, info.Mode().Type())
	}
	if err == nil {
		err = checkOwnership(path, info, othersMode)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// readPrivate reads a file that is ours alone.
func readPrivate(path string) ([]byte, error) {
	f, err := openPrivate(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	return io.ReadAll(io.LimitReader(f, fileLimit))
}

// readOrCreate reads a file, or makes it with what content gives. Of many that do so at a time
// one makes it, and all read the same: a link is made once, also on NFS.
func readOrCreate(path string, content func() ([]byte, error)) ([]byte, error) {
	b, err := readPrivate(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if b, err = content(); err != nil {
		return nil, err
	}
	f, err := newTempFile(path, b)
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is in nobody's way
	if err := f.Close(); err != nil {
		return nil, invalidError("write "+path, err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, invalidError("write "+path, err)
	}
	return readPrivate(path)
}

// newTempFile makes a file beside path, which is on disk, for the caller to publish.
func newTempFile(path string, content []byte) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // of mode 0600
	if err != nil {
		return nil, invalidError("write "+path, err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync()); err != nil {
		return nil, errors.Join(invalidError("write "+path, err), f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

func invalidError(op string, err error) error {
	return &pilot.Error{Code: pilot.Invalid, Op: op, Err: err}
}

// damagedError is a file of ours that does not hold what it should.
func damagedError(path, what string, err error) error {
	return &pilot.Error{Code: pilot.Invalid, Message: fmt.Sprintf("%s holds no %s; remove it, and start 'flightlog up' again", path, what), Err: err}
}
