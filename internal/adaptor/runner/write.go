package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Write follows a path down by directories that it holds open, so that nobody
// can put a link in its way meanwhile. Nothing is synced: who submits can write
// all of it again.
func (l *Local) Write(ctx context.Context, dir string, files ...File) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	dir, err := checkWrite(dir, files)
	if err != nil {
		return err
	}
	d, err := openOwn(dir)
	if err != nil {
		return err
	}
	defer d.close()
	for i := range files {
		if err := d.writeFile(&files[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkWrite cleans the path and refuses what Write is not for.
func checkWrite(dir string, files []File) (string, error) {
	clean, err := checkPath(dir)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if !filepath.IsLocal(f.Name) || filepath.Clean(f.Name) != f.Name || f.Name == "." || strings.ContainsRune(f.Name, 0) {
			return "", invalidError("%q names no file below %s", f.Name, dir)
		}
	}
	return clean, nil
}

// checkPath cleans a path and refuses all but an absolute one of at least one part.
func checkPath(path string) (string, error) {
	clean := filepath.Clean(path)
	if !filepath.IsAbs(path) || clean == "/" || strings.Contains(path+"/", "/../") || strings.ContainsRune(path, 0) {
		return "", invalidError("%q is not an absolute path", path)
	}
	return clean, nil
}

// directory is one that is open, and its path for those who read errors.
type directory struct {
	fd   int
	path string
}

func (d directory) close() { _ = unix.Close(d.fd) }

// openOwn opens a directory and makes it and its parents if need be. Its two
// last parts must be no links and this user's.
func openOwn(path string) (directory, error) {
	parent, last := filepath.Split(path)
	base, first := filepath.Split(filepath.Clean(parent))
	fd, err := unix.Open(base, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(base, 0o700); err == nil {
			fd, err = unix.Open(base, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		}
	}
	if err != nil {
		return directory{}, &fs.PathError{Op: "open", Path: base, Err: err}
	}
	d := directory{fd, filepath.Clean(base)}
	if first != "" { // it is not right below the root
		if d, err = d.enterSubdir(first); err != nil {
			return directory{}, err
		}
	}
	return d.enterSubdir(last)
}

// enterSubdir goes on to a directory in this one, and closes this one.
func (d directory) enterSubdir(name string) (directory, error) {
	defer d.close()
	path := filepath.Join(d.path, name)
	open := func() (int, error) {
		return unix.Openat(d.fd, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	fd, err := open()
	if errors.Is(err, fs.ErrNotExist) {
		if err = unix.Mkdirat(d.fd, name, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			fd, err = open()
		}
	}
	switch {
	case errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP):
		return directory{}, invalidError("%s is there already, and no directory", path)
	case err != nil:
		return directory{}, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	var stat unix.Stat_t
	if err = unix.Fstat(fd, &stat); err == nil && int(stat.Uid) != os.Geteuid() {
		err = invalidError("%s is another user's", path)
	}
	if err != nil {
		_ = unix.Close(fd)
		return directory{}, err
	}
	return directory{fd, path}, nil
}

// writeFile puts a file there, whole or not at all.
func (d directory) writeFile(f *File) error {
	dir, name := filepath.Split(f.Name)
	in := d
	if dir != "" {
		fd, err := unix.FcntlInt(uintptr(d.fd), unix.F_DUPFD_CLOEXEC, 0) // enter closes it
		if err != nil {
			return err
		}
		in.fd = fd
		for part := range strings.SplitSeq(strings.TrimSuffix(dir, "/"), "/") {
			if in, err = in.enterSubdir(part); err != nil {
				return err
			}
		}
		defer in.close()
	}
	return in.putFile(name, f.Mode, func(fd int) error { return writeAll(fd, f.Content) })
}

// putFile makes a file by another name, has it filled, and gives it its own. No
// process is forked meanwhile: it would have the file open for writing until it
// executes its command, and who executes the file before that is told it is busy.
func (d directory) putFile(name string, mode uint32, fill func(fd int) error) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if mode == 0 {
		mode = 0o600
	}
	tmp := ".tmp" + strconv.FormatUint(rand.Uint64(), 36)
	fd, err := unix.Openat(d.fd, tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, mode)
	if err == nil {
		if mode&^0o700 != 0 { // the umask may have taken some
			err = unix.Fchmod(fd, mode)
		}
		if err == nil {
			err = fill(fd)
		}
		err = errors.Join(err, unix.Close(fd)) // a full file system may say so only now
		if err == nil {
			err = unix.Renameat(d.fd, tmp, d.fd, name)
		}
		if err != nil {
			_ = unix.Unlinkat(d.fd, tmp, 0)
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(d.path, name), err)
	}
	return nil
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err != nil && err != unix.EINTR {
			return err
		}
		b = b[max(n, 0):]
	}
	return nil
}
