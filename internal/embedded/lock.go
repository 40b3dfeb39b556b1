package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// storeLock keeps a second server off a store: JetStream itself does not, and
// two of them on one directory destroy it. The kernel drops it with the
// process, however that ends.
type storeLock struct{ file *os.File }

// lockTimeout is how long a store that is taken is tried again: when a server is
// killed while it starts a process, that one has the lock until it has become another
// program.
const lockTimeout = 2 * time.Second

// lockStore takes the lock of a store; code conflict names who has it.
func lockStore(dir string) (*storeLock, error) {
	path := filepath.Join(dir, "LOCK")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, invalidError("open the store", err)
	}
	for end := time.Now().Add(lockTimeout); ; time.Sleep(lockTimeout / 100) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) {
			break
		}
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		_ = f.Close()
		return nil, pilot.Errorf(pilot.Conflict, "store %s is in use by process %s", dir, strings.TrimSpace(string(holder)))
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		_ = f.Close()
		return nil, &pilot.Error{Code: pilot.Internal, Op: "lock store " + dir, Err: err}
	}
	return &storeLock{f}, nil
}

func (l *storeLock) unlock() { _ = l.file.Close() }
