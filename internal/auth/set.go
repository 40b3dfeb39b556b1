package auth

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/pilot"
)

// Mode is how servers know users.
type Mode string

// The modes.
const (
	NKey     Mode = "nkey"     // users stand in the server's configuration
	Operator Mode = "operator" // users bring a token, which their account has signed
)

// Entry is a user with its public key.
type Entry struct {
	access.User
	Key     string    `json:"key"`
	Signer  string    `json:"signer,omitempty"` // that signed its token, and nothing else ever
	Home    string    `json:"home,omitempty"`   // in mode operator: the account of its token; empty: the tenant's
	Created time.Time `json:"created"`
}

// revocation is a key that counts no longer, in mode operator.
type revocation struct {
	Tenant string    `json:"tenant"`
	Home   string    `json:"home,omitempty"` // as of the user
	Key    string    `json:"key"`
	At     time.Time `json:"at"`
}

// Set is all users of one directory.
type Set struct {
	dir string
	manifest
}

// manifest is auth.json.
type manifest struct {
	Version int          `json:"version"`
	Layout  int          `json:"layout,omitempty"` // of auth.conf, as it was made last
	Mode    Mode         `json:"mode"`
	Token   string       `json:"operator,omitempty"` // the operator's; servers do not reload another one
	Users   []Entry      `json:"users"`
	Revoked []revocation `json:"revoked,omitempty"`
}

const (
	manifestVersion = 1
	// confLayout was 0: all users of a tenant were in its account; 1: sites linked as a launcher; 2: nothing
	// was heard live of what launchers wrote; 3: nobody knew who asks; 4: consumers pushed to nobody; 5: readers
	// named consumers themselves.
	confLayout   = 6
	manifestFile = "auth.json"
	confFile     = "auth.conf"
)

// Init opens a directory, or makes it with nobody in it. Code conflict: it is
// of another mode.
func Init(dir string, mode Mode) (*Set, error) {
	if mode != NKey && mode != Operator {
		return nil, pilot.Errorf(pilot.Invalid, "mode %.40q is neither %s nor %s", mode, NKey, Operator)
	}
	s, err := Open(dir)
	switch {
	case pilot.CodeOf(err) == pilot.NotFound:
		s = &Set{manifest: manifest{Version: manifestVersion, Mode: mode}}
		if s.dir, err = filepath.Abs(dir); err == nil {
			err = s.saveAll()
		}
		return s, err
	case err != nil:
		return nil, err
	case s.Mode != mode:
		return nil, pilot.Errorf(pilot.Conflict, "%s is of mode %s, not %s", dir, s.Mode, mode)
	default:
		return s, s.repairConf()
	}
}

// Open opens a directory. Code not_found: Init has not made it.
func Open(dir string) (*Set, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, &pilot.Error{Code: pilot.Invalid, Op: "open the users", Err: err}
	}
	s := &Set{dir: dir}
	b, err := os.ReadFile(filepath.Join(dir, manifestFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, pilot.Errorf(pilot.NotFound, "there are no users in %s; 'flightlog auth init' makes them", dir)
	case err == nil:
		err = json.Unmarshal(b, &s.manifest)
	}
	if err != nil {
		return nil, &pilot.Error{Code: pilot.Invalid, Op: "read the users", Err: err}
	}
	if s.Version != manifestVersion {
		return nil, pilot.Errorf(pilot.Unsupported, "%s is of version %d, this program knows %d", dir, s.Version, manifestVersion)
	}
	return s, nil
}

// Add makes the users that are not there yet, all or none, and gives them. Code
// invalid: the faults name all that is wrong, by position in the list.
func (s *Set) Add(users ...access.User) (added []Entry, err error) {
	var faults []pilot.FieldError
	for i, u := range users {
		u = u.WithDefaults()
		wrong := u.Validate()
		known, there := s.findUser(u.Name)
		if there && known.User != u {
			wrong = append(wrong, pilot.FieldError{Field: "name", Reason: u.Name + " is another user already, a " + string(known.Role)})
		}
		for _, f := range wrong {
			f.Index = i
			faults = append(faults, f)
		}
		again := slices.ContainsFunc(added, func(e Entry) bool { return e.Name == u.Name })
		if there || again || len(wrong) > 0 {
			continue
		}
		added = append(added, Entry{User: u, Created: time.Now().UTC().Truncate(time.Second)})
	}
	if len(faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Message: "no user was added", FieldErrors: faults}
	}
	if len(added) == 0 {
		return nil, s.repairConf()
	}
	for i := range added {
		if err := s.writeCredentials(&added[i]); err != nil {
			return nil, err
		}
	}
	s.Users = append(s.Users, added...)
	return added, s.saveAll()
}

// Revoke takes users away, all or none. Code not_found: the faults name those
// that are not there.
func (s *Set) Revoke(names ...string) error {
	var faults []pilot.FieldError
	for i, name := range names {
		if _, there := s.findUser(name); !there {
			faults = append(faults, pilot.FieldError{Index: i, Field: "name", Reason: "there is no user " + name})
		}
	}
	if len(faults) > 0 {
		return &pilot.Error{Code: pilot.NotFound, Message: "no user was revoked", FieldErrors: faults}
	}
	for _, name := range names {
		e, there := s.findUser(name)
		if !there {
			continue // named twice
		}
		if s.Mode == Operator {
			s.Revoked = append(s.Revoked, revocation{e.Tenant, e.Home, e.Key, time.Now().UTC()})
		}
		s.Users = slices.DeleteFunc(s.Users, func(o Entry) bool { return o.Name == name })
	}
	if err := s.saveAll(); err != nil { // first: files without a user let nobody in
		return err
	}
	var errs []error
	for _, name := range names {
		for _, path := range []string{s.pathOf("creds", name+".nk"), s.pathOf("creds", name+".creds"), s.pathOf("creds", name+".env"), s.SiteConfPath(name)} {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Set) findUser(name string) (*Entry, bool) {
	i := slices.IndexFunc(s.Users, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return nil, false
	}
	return &s.Users[i], true
}

// account is an account of NATS with its users and those it had.
type account struct {
	access.Account
	entries []*Entry
	revoked []revocation
}

// listAccounts gives all accounts but the servers' own.
func (s *Set) listAccounts() []*account {
	var all []*account
	named := func(tenant, name string) *account {
		i := slices.IndexFunc(all, func(a *account) bool { return a.Name == name })
		if i < 0 {
			i, all = len(all), append(all, &account{Account: access.Account{Name: name, Tenant: tenant}})
		}
		return all[i]
	}
	for i := range s.Users {
		e := &s.Users[i]
		main := named(e.Tenant, e.Tenant) // the others need it
		if e.Role == access.Launcher {
			main.Resources = append(main.Resources, e.Resource)
		}
		a := named(e.Tenant, s.accountOf(e))
		a.entries, a.Users = append(a.entries, e), append(a.Users, &e.User)
	}
	for _, r := range s.Revoked {
		a := named(r.Tenant, cmp.Or(r.Home, r.Tenant))
		a.revoked = append(a.revoked, r)
	}
	slices.SortFunc(all, func(a, b *account) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// accountOf is the account that a user is in. In mode operator its token says so, for
// as long as it is not made anew; those of before there were accounts of sites are in
// the tenant's.
func (s *Set) accountOf(e *Entry) string {
	if s.Mode == Operator {
		return cmp.Or(e.Home, e.Tenant)
	}
	return e.Account()
}

// Accounts gives all accounts but the servers' own, with their users.
func (s *Set) Accounts() []*access.Account { return accessAccounts(s.listAccounts()) }

// listImports are none for the servers' own account.
func (a *account) listImports(all []*account) []access.Import {
	if a.Name == access.SystemAccount {
		return nil
	}
	return a.Imports(accessAccounts(all))
}

// accessAccounts are accounts as package access sees them.
func accessAccounts(all []*account) []*access.Account {
	out := make([]*access.Account, len(all))
	for i, a := range all {
		out[i] = &a.Account
	}
	return out
}

// CredentialsPath is the file that lets a process be the user.
func (s *Set) CredentialsPath(name string) string {
	if s.Mode == Operator {
		return s.pathOf("creds", name+".creds")
	}
	return s.pathOf("creds", name+".nk")
}

// SiteConfPath is the file of a leaf for leaf.conf to include: the users of its site.
func (s *Set) SiteConfPath(leaf string) string { return s.pathOf("sites", leaf+".conf") }

// ConfPath is the file for nats.conf to include.
func (s *Set) ConfPath() string { return s.pathOf(confFile) }

func (s *Set) pathOf(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// writeCredentials makes the credentials of a user.
func (s *Set) writeCredentials(e *Entry) error {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return &pilot.Error{Code: pilot.Internal, Op: "make a key", Err: err}
	}
	defer pair.Wipe()
	if e.Key, err = pair.PublicKey(); err != nil {
		return &pilot.Error{Code: pilot.Internal, Op: "make a key", Err: err}
	}
	secret, err := pair.Seed()
	variable := "NATS_NKEY"
	if err == nil && s.Mode == Operator {
		variable = "NATS_CREDS"
		secret, err = s.newCredentials(e, secret)
	}
	if err != nil {
		return err
	}
	if err := write(s.CredentialsPath(e.Name), secret, 0o600); err != nil {
		return err
	}
	if e.Role == access.Leaf {
		return nil // it is no process of ours
	}
	env := variable + "=" + s.CredentialsPath(e.Name) + "\nNATS_INBOX_PREFIX=" + e.InboxPrefix() + "\n"
	return write(s.pathOf("creds", e.Name+".env"), []byte(env), 0o600)
}

// saveAll writes what the directory says of all users.
func (s *Set) saveAll() error {
	slices.SortFunc(s.Users, func(a, b Entry) int { return strings.Compare(a.Tenant+" "+a.Name, b.Tenant+" "+b.Name) })
	s.Layout = confLayout
	text, err := s.renderConf()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(s.manifest, "", "  ")
	if err != nil {
		return err
	}
	if err := write(s.pathOf(manifestFile), append(b, '\n'), 0o600); err != nil {
		return err
	}
	for _, a := range s.listAccounts() {
		for _, e := range a.entries {
			if e.Role != access.Leaf {
				continue
			}
			if err := write(s.SiteConfPath(e.Name), a.renderSite(), 0o644); err != nil {
				return err
			}
		}
	}
	return write(s.ConfPath(), text, 0o644)
}

// repairConf makes auth.conf anew where it is missing or of an earlier layout.
func (s *Set) repairConf() error {
	if _, err := os.Stat(s.ConfPath()); s.Layout == confLayout && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.saveAll()
}

// write replaces a file in one step.
func write(path string, content []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &pilot.Error{Code: pilot.Invalid, Op: "write " + path, Err: err}
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return &pilot.Error{Code: pilot.Invalid, Op: "write " + path, Err: err}
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it has been renamed, or is in nobody's way
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return &pilot.Error{Code: pilot.Internal, Op: "write " + path, Err: err}
	}
	return nil
}
