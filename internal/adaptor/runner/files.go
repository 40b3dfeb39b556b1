package runner

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Read opens nothing that could block.
func (l *Local) Read(ctx context.Context, limit int64, paths ...string) ([][]byte, error) {
	out := make([][]byte, len(paths))
	for i, path := range paths {
		if err := checkContext(ctx); err != nil {
			return nil, err
		}
		if _, err := checkPath(path); err != nil {
			return nil, err
		}
		var err error
		if out[i], err = readTail(path, limit); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readTail gives the last bytes of a regular file, nil if there is none.
func readTail(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	for _, none := range []error{unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ENXIO} { // ENXIO: a socket
		if errors.Is(err, none) {
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	size := min(info.Size(), max(limit, 0))
	b := make([]byte, size)
	n, err := f.ReadAt(b, info.Size()-size)
	if err != nil && !errors.Is(err, io.EOF) { // EOF: it has become shorter
		return nil, err
	}
	return b[:n], nil
}

// Remove makes directories writable that are in its way.
func (l *Local) Remove(ctx context.Context, paths ...string) error {
	var failed error
	for _, path := range paths {
		if err := checkContext(ctx); err != nil {
			return errors.Join(failed, err)
		}
		clean, err := checkPath(path)
		if err == nil {
			err = removeAll(clean)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

func removeAll(path string) error {
	err := os.RemoveAll(path)
	if errors.Is(err, unix.ENOTDIR) { // it would be below a file
		return nil
	}
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	root, opening := os.OpenRoot(filepath.Dir(path))
	if opening != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	_ = fs.WalkDir(root.FS(), filepath.Base(path), func(name string, entry fs.DirEntry, _ error) error {
		if entry != nil && entry.IsDir() {
			_ = root.Chmod(name, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}
