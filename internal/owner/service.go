package owner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/flightlog/flightlog/pilot"
)

// StateDir is where a user's state belongs: $XDG_STATE_HOME/flightlog, or
// ~/.local/state/flightlog (XDG Base Directory Specification).
func StateDir(getenv func(string) string) string {
	base := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		base = filepath.Join(getenv("HOME"), ".local", "state")
	}
	return filepath.Join(base, "flightlog")
}

// Service is what a user's programs need to know of a service of theirs.
type Service struct {
	Version int    `json:"version"`
	URL     string `json:"url"`
	NKey    string `json:"nkey"`         // file of the owner's seed
	CA      string `json:"ca,omitempty"` // file that the server is checked against
	Store   string `json:"store"`
	PID     int    `json:"pid"`

	AgentNKey        string `json:"agent_nkey"`         // file of the agents' seed
	AgentInboxPrefix string `json:"agent_inbox_prefix"` // that they must use

	Page      string `json:"page,omitempty"`       // address of the live page
	PageToken string `json:"page_token,omitempty"` // file of its token; empty: nobody is asked
	Run       string `json:"run,omitempty"`        // of this start; links to the page count for one

	Locked bool `json:"locked,omitempty"` // the file is, for as long as the service runs
}

// ReadToken reads the token of the live page. Code denied: others may have read it.
func (s *Service) ReadToken() (string, error) {
	b, err := readPrivate(s.PageToken)
	if err != nil {
		return "", &pilot.Error{Code: pilot.Denied, Op: "token of " + s.Page, Err: err}
	}
	return strings.TrimSpace(string(b)), nil
}

const version = 1

// Announced is a service that can be found.
type Announced struct{ file *os.File }

// Announce lets the programs of this user find a service until Withdraw, or until the
// process has ended, however it does. What is left of dead ones goes. Code denied,
// invalid: the directory is not ours alone, or cannot be written.
func Announce(getenv func(string) string, s Service) (*Announced, error) {
	dir := servicesDir(getenv)
	if !filepath.IsAbs(dir) {
		return nil, pilot.Errorf(pilot.Invalid, "neither XDG_STATE_HOME nor HOME says where your state belongs")
	}
	if err := privateDir(dir); err != nil {
		return nil, err
	}
	files := fileNames(s.URL)
	if len(files) != 1 {
		return nil, pilot.Errorf(pilot.Unsupported, "%s is not one address of this machine alone; listen on 127.0.0.1", s.URL)
	}
	removeStale(dir, s.Store)
	path := filepath.Join(dir, files[0])
	f, err := newTempFile(path, nil)
	if err != nil {
		return nil, err
	}
	s.Version, s.PID = version, os.Getpid()
	s.Locked = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil // some file systems cannot
	b, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		_, err = f.Write(append(b, '\n'))
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(invalidError("write "+path, err), f.Close(), os.Remove(f.Name()))
	}
	return &Announced{f}, nil
}

// Withdraw takes the service away from those that look for it. What another one has
// written since stays.
func (a *Announced) Withdraw(getenv func(string) string) {
	if a == nil {
		return
	}
	mine, err := a.file.Stat()
	all, _ := os.ReadDir(servicesDir(getenv))
	for _, entry := range all {
		path := filepath.Join(servicesDir(getenv), entry.Name())
		if info, e := os.Lstat(path); err == nil && e == nil && os.SameFile(info, mine) {
			_ = os.Remove(path) // else it is stale, which readers see
		}
	}
	_ = a.file.Close() // it was written
}

// removeStale removes what other starts of this store left, of which one runs at a time, and
// what died on this machine.
func removeStale(dir, store string) {
	all, _ := os.ReadDir(dir)
	for _, entry := range all {
		path := filepath.Join(dir, entry.Name())
		s, err := loadService(path)
		if err == nil && s.stale && strings.HasSuffix(entry.Name(), fileSuffix()) || err == nil && s.Store == store {
			_ = os.Remove(path) // it is a hint
		}
	}
}

// serviceFile is a file of a service.
type serviceFile struct {
	Service

	stale bool // its process has ended
}

func loadService(path string) (*serviceFile, error) {
	f, err := openPrivate(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	b, err := io.ReadAll(io.LimitReader(f, fileLimit))
	var s serviceFile
	if err == nil {
		err = json.Unmarshal(b, &s.Service)
	}
	if err != nil {
		return nil, damagedError(path, "service", err)
	}
	if s.Version != version {
		return nil, pilot.Errorf(pilot.Unsupported, "%s is of version %d, this program knows %d", path, s.Version, version)
	}
	s.stale = s.Locked && unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil
	return &s, nil
}

// FindService looks for a service of this user at one of these servers, comma-separated; nil:
// there is none. Code denied: what is there may be somebody else's; invalid: it is
// damaged.
func FindService(getenv func(string) string, servers string) (*Service, error) {
	dir := servicesDir(getenv)
	if !filepath.IsAbs(dir) {
		return nil, nil //nolint:nilnil // there is nowhere to look
	}
	for server := range strings.SplitSeq(servers, ",") {
		for _, name := range fileNames(server) {
			s, err := loadService(filepath.Join(dir, name))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue
			case err != nil:
				return nil, err
			case s.stale || !isFileOf(s.URL, name):
				continue
			}
			for _, path := range []string{s.NKey, s.AgentNKey} {
				if _, err := readPrivate(path); err != nil {
					return nil, &pilot.Error{Code: pilot.Denied, Op: "credentials of " + s.URL, Err: err}
				}
			}
			return &s.Service, nil
		}
	}
	return nil, nil //nolint:nilnil // that there is none is an answer
}

// isFileOf says whether the file of that name is for the address.
func isFileOf(address, name string) bool {
	own := fileNames(address)
	return len(own) == 1 && own[0] == name
}

func servicesDir(getenv func(string) string) string {
	return filepath.Join(StateDir(getenv), "services")
}

// fileNames are those that the files of a server may have: none of one elsewhere, two of
// localhost, which has two addresses.
func fileNames(server string) []string {
	server = strings.TrimSpace(server)
	if !strings.Contains(server, "://") {
		server = "nats://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.User != nil || u.Scheme != "nats" && u.Scheme != "tls" {
		return nil
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	hosts := []string{u.Hostname()}
	if hosts[0] == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	var all []string
	for _, host := range hosts {
		if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() {
			all = append(all, ip.Unmap().String()+"_"+port+fileSuffix())
		}
	}
	return all
}

// defaultPort is that of a NATS server for its clients (registered with IANA).
const defaultPort = "4222"

// fileSuffix tells this boot and network namespace from others: a loopback address is in
// one. Where the kernel does not tell, the host's name has to do.
func fileSuffix() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, e := os.Readlink("/proc/self/ns/net")
	if err != nil || e != nil {
		host, _ := os.Hostname()
		boot, space = []byte(host), ""
	}
	sum := sha256.Sum256(append(boot, space...))
	return "-" + hex.EncodeToString(sum[:6]) + ".json"
}
