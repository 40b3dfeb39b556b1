package app

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/flightlog/flightlog/pilot"
)

// launcherID is a launcher's name. It belongs to a host and a directory, so that a
// launcher that starts again, however it ended, finds its old one free and owns
// its pilots at once; several at a time get different ones.
type launcherID struct {
	id   string
	lock *os.File
}

// maxLaunchers is how many launchers may share one directory.
const maxLaunchers = 1000

// acquireID takes the first free name; the kernel frees it when the process
// ends. host is the machine among all that the bus may join.
func acquireID(dir, host, resource string) (*launcherID, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "launchers"), 0o700)
	}
	if err != nil {
		return nil, &pilot.Error{Code: pilot.Invalid, Op: "launcher name", Err: err}
	}
	sum := sha256.Sum256([]byte(host + "\n" + dir + "\n" + resource))
	base := hostToken(host, 40) + "-" + hex.EncodeToString(sum[:4])
	for slot := range maxLaunchers {
		id := fmt.Sprintf("%s-%d", base, slot)
		f, err := os.OpenFile(filepath.Join(dir, "launchers", id), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, &pilot.Error{Code: pilot.Invalid, Op: "launcher name", Err: err}
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return &launcherID{id: id, lock: f}, nil
		}
		f.Close() //nolint:errcheck // nothing was written
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &pilot.Error{Code: pilot.Internal, Op: "launcher name", Err: err}
		}
	}
	return nil, pilot.Errorf(pilot.Unavailable, "all %d launcher names of %s are taken", maxLaunchers, dir)
}

func (n *launcherID) release() { n.lock.Close() } //nolint:errcheck // nothing was written

// hostToken makes a host name a token of a subject.
func hostToken(host string, most int) string {
	host, _, _ = strings.Cut(host, "/")
	host, _, _ = strings.Cut(host, ".")
	clean := strings.Map(func(r rune) rune {
		if pilot.ValidToken(string(r)) {
			return r
		}
		return '-'
	}, host)
	if clean == "" {
		clean = "host"
	}
	return clean[:min(len(clean), most)]
}
