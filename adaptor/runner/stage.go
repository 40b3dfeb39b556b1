package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// content is an executable as it is now, and the name its hash gives it.
type content struct {
	file *os.File // open: what is sent is what was hashed, unless it is written over
	size int64
	hash string // SHA-256, hexadecimal
}

// name begins with the file's own, for people, and ends with half of the hash.
func (c *content) name() string {
	return filepath.Base(c.file.Name()) + "-" + c.hash[:32]
}

// hashes remembers hashes of files that have not changed.
type hashes struct {
	mu    sync.Mutex
	known map[version]string
}

// version is a file as long as nobody writes to it.
type version struct {
	path     string
	dev, ino uint64
	size     int64
	changed  time.Time
}

// open opens an executable. Who calls closes its file.
func (h *hashes) open(path string) (*content, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	c, err := h.of(f)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return c, nil
}

func (h *hashes) of(f *os.File) (*content, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, invalid("%s is no regular file", f.Name())
	}
	v := version{path: f.Name(), size: info.Size(), changed: info.ModTime()}
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err == nil {
		v.dev, v.ino = stat.Dev, stat.Ino
	}
	h.mu.Lock()
	defer h.mu.Unlock() // who asks for the same file waits for the first to have hashed it
	if hash, ok := h.known[v]; ok {
		return &content{f, v.size, hash}, nil
	}
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err == nil && n != v.size {
		err = fmt.Errorf("%s: it is being written to", f.Name())
	}
	if err != nil {
		return nil, err
	}
	if h.known == nil {
		h.known = map[version]string{}
	}
	h.known[v] = hex.EncodeToString(sum.Sum(nil))
	return &content{f, v.size, h.known[v]}, nil
}

// Stage copies: the file's own place may be where the next version is put.
func (l *Local) Stage(ctx context.Context, file, dir string) (string, error) {
	if err := begun(ctx); err != nil {
		return "", err
	}
	dir, err := checkPath(dir)
	if err != nil {
		return "", err
	}
	c, err := l.hashes.open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.file.Close() }()
	if err := l.stage(c, dir); err != nil {
		return "", &PlaceError{dir, err}
	}
	return filepath.Join(dir, c.name()), nil
}

func (l *Local) stage(c *content, dir string) error {
	if err := l.alone(dir); err != nil {
		return err
	}
	d, err := openOwn(dir)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.executes(); err != nil {
		return err
	}
	name, target := c.name(), filepath.Join(dir, c.name())
	if d.holds(c, l.sums.has(target)) {
		_ = unix.UtimesNanoAt(d.fd, name, nil, unix.AT_SYMLINK_NOFOLLOW) // of a file system that is read-only since, it is good enough
	} else if err := d.put(name, 0o700, c.copy); err != nil {
		return err
	}
	l.sums.add(target)
	if err := unix.Faccessat(d.fd, name, unix.X_OK, 0); err != nil {
		return fmt.Errorf("%s cannot be executed: %w", target, err)
	}
	return nil
}

// holds says whether the directory has the content under its name, as a file that nobody
// else can change. Of one that is seen its size is enough.
func (d directory) holds(c *content, seen bool) bool {
	fd, err := unix.Openat(d.fd, c.name(), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), c.name())
	defer func() { _ = f.Close() }()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil || stat.Mode != unix.S_IFREG|0o700 || stat.Size != c.size || int(stat.Uid) != os.Geteuid() {
		return false
	}
	if seen {
		return true
	}
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return err == nil && hex.EncodeToString(sum.Sum(nil)) == c.hash
}

// copy checks what it copies, and syncs it: a name with its hash must not come
// to hold anything else.
func (c *content) copy(fd int) error {
	sum := sha256.New()
	b := make([]byte, 256<<10)
	for at := int64(0); ; {
		n, err := c.file.ReadAt(b, at)
		at += int64(n)
		sum.Write(b[:n])
		if err := writeAll(fd, b[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != c.hash {
		return fmt.Errorf("%s has changed meanwhile", c.file.Name())
	}
	return unix.Fsync(fd)
}
