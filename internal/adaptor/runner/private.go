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

// othersWrite are the permissions to write of everybody but the owner.
const othersWrite fs.FileMode = 0o022

// checkPrivate refuses a directory where another user could put something, or put another
// directory in its place: each of those above it, up to the home directory, must be this
// user's or root's, and others may write to none, or delete only what is theirs. Nothing
// above the home directory is looked at, for whoever may change that is this user already.
// Nobody else may write to the directory itself. What is not there yet will be made for
// this user alone.
func (l *Local) checkPrivate(dir string) error {
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
			return invalidError("%s is there already, and no directory", at)
		case at == dir && info.Mode()&othersWrite != 0:
			return invalidError("others may write to %s; 'chmod go-w %s' keeps them out", at, at)
		case writableByOthers(info):
			return invalidError("another user may change what is in %s", at)
		}
		if at == "/" {
			break
		}
	}
	return nil
}

// writableByOthers says whether anybody but root and this user may change what others than them
// have put into a directory. A group that has its user's number is his alone.
func writableByOthers(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	uid, gid := os.Geteuid(), os.Getegid()
	if st.Uid != 0 && int(st.Uid) != uid {
		return true
	}
	writable := info.Mode() & othersWrite
	if int(st.Gid) == gid && gid == uid {
		writable &^= 0o020
	}
	return writable != 0 && info.Mode()&fs.ModeSticky == 0
}

// checkExecMount refuses a directory on a file system whose files cannot be executed.
func (d directory) checkExecMount() error {
	var stat unix.Statfs_t
	if unix.Statfs(d.path, &stat) == nil && stat.Flags&unix.MS_NOEXEC != 0 {
		return fmt.Errorf("nothing in %s can be executed: its file system is mounted noexec", d.path)
	}
	return nil
}
