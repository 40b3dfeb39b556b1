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

// hashedFile is an executable as it is now, and the name its hash gives it.
type hashedFile struct {
	file *os.File // open: what is sent is what was hashed, unless it is written over
	size int64
	hash string // SHA-256, hexadecimal
}

// stagedName begins with the file's own, for people, and ends with half of the hash.
func (c *hashedFile) stagedName() string {
	return filepath.Base(c.file.Name()) + "-" + c.hash[:32]
}

// hashCache remembers hashes of files that have not changed.
type hashCache struct {
	mu        sync.Mutex
	byVersion map[fileVersion]string
}

// fileVersion is a file as long as nobody writes to it.
type fileVersion struct {
	path     string
	dev, ino uint64
	size     int64
	changed  time.Time
}

// openHashed opens an executable. Who calls closes its file.
func (h *hashCache) openHashed(path string) (*hashedFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	c, err := h.hashFile(f)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return c, nil
}

func (h *hashCache) hashFile(f *os.File) (*hashedFile, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, invalidError("%s is no regular file", f.Name())
	}
	v := fileVersion{path: f.Name(), size: info.Size(), changed: info.ModTime()}
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err == nil {
		v.dev, v.ino = stat.Dev, stat.Ino
	}
	h.mu.Lock()
	defer h.mu.Unlock() // who asks for the same file waits for the first to have hashed it
	if hash, ok := h.byVersion[v]; ok {
		return &hashedFile{f, v.size, hash}, nil
	}
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err == nil && n != v.size {
		err = fmt.Errorf("%s: it is being written to", f.Name())
	}
	if err != nil {
		return nil, err
	}
	if h.byVersion == nil {
		h.byVersion = map[fileVersion]string{}
	}
	h.byVersion[v] = hex.EncodeToString(sum.Sum(nil))
	return &hashedFile{f, v.size, h.byVersion[v]}, nil
}

// Stage copies: the file's own place may be where the next version is put.
func (l *Local) Stage(ctx context.Context, file, dir string) (string, error) {
	if err := checkContext(ctx); err != nil {
		return "", err
	}
	dir, err := checkPath(dir)
	if err != nil {
		return "", err
	}
	c, err := l.hashes.openHashed(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.file.Close() }()
	if err := l.stageContent(c, dir); err != nil {
		return "", &UnusableDirError{dir, err}
	}
	return filepath.Join(dir, c.stagedName()), nil
}

func (l *Local) stageContent(c *hashedFile, dir string) error {
	if err := l.checkPrivate(dir); err != nil {
		return err
	}
	d, err := openOwn(dir)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.checkExecMount(); err != nil {
		return err
	}
	name, target := c.stagedName(), filepath.Join(dir, c.stagedName())
	if d.holdsContent(c, l.verified.contains(target)) {
		_ = unix.UtimesNanoAt(d.fd, name, nil, unix.AT_SYMLINK_NOFOLLOW) // of a file system that is read-only since, it is good enough
	} else if err := d.putFile(name, 0o700, c.copyTo); err != nil {
		return err
	}
	l.verified.add(target)
	if err := unix.Faccessat(d.fd, name, unix.X_OK, 0); err != nil {
		return fmt.Errorf("%s cannot be executed: %w", target, err)
	}
	return nil
}

// holdsContent says whether the directory has the content under its name, as a file that nobody
// else can change. Of one that is seen its size is enough.
func (d directory) holdsContent(c *hashedFile, seen bool) bool {
	fd, err := unix.Openat(d.fd, c.stagedName(), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), c.stagedName())
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

// copyTo checks what it copies, and syncs it: a name with its hash must not come
// to hold anything else.
func (c *hashedFile) copyTo(fd int) error {
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
