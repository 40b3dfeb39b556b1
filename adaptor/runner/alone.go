package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// others are the permissions to write of everybody but the owner.
const others fs.FileMode = 0o022

// alone refuses a directory where another user could put something, or put another
// directory in its place: each of those above it, up to the home directory, must be this
// user's or root's, and others may write to none, or delete only what is theirs. Nothing
// above the home directory is looked at, for whoever may change that is this user already.
// Nobody else may write to the directory itself. What is not there yet will be made for
// this user alone.
func (l *Local) alone(dir string) error {
	home, err := filepath.EvalSymlinks(l.home)
	if err != nil {
		home = "" // then it is looked at as well
	}
	for at := dir; at != home; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !info.IsDir():
			return invalid("%s is there already, and no directory", at)
		case at == dir && info.Mode()&others != 0:
			return invalid("others may write to %s; 'chmod go-w %s' keeps them out", at, at)
		case shared(info):
			return invalid("another user may change what is in %s", at)
		}
		if at == "/" {
			break
		}
	}
	return nil
}

// shared says whether anybody but root and this user may change what others than them
// have put into a directory. A group that has its user's number is his alone.
func shared(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	uid, gid := os.Geteuid(), os.Getegid()
	if st.Uid != 0 && int(st.Uid) != uid {
		return true
	}
	writable := info.Mode() & others
	if int(st.Gid) == gid && gid == uid {
		writable &^= 0o020
	}
	return writable != 0 && info.Mode()&fs.ModeSticky == 0
}

// executes refuses a directory on a file system whose files cannot be executed.
func (d directory) executes() error {
	var stat unix.Statfs_t
	if unix.Statfs(d.path, &stat) == nil && stat.Flags&unix.MS_NOEXEC != 0 {
		return fmt.Errorf("nothing in %s can be executed: its file system is mounted noexec", d.path)
	}
	return nil
}
