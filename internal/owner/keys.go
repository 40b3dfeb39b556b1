package owner

import (
	"crypto/rand"
	"path/filepath"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/pilot"
)

// Keys are the credentials of a store.
type Keys struct {
	Owner, Agent Key
	PageFile     string // holds the token of the live page
	PageToken    string
}

// Key is one user of the bus.
type Key struct {
	File   string // holds the seed
	Public string
}

// AgentUser is what agents are on the bus of their owner: they ask the launchers of any
// resource, and may do nothing else.
func AgentUser() access.User {
	return access.User{Name: "agent", Role: access.Agent, Tenant: access.DefaultTenant, Resource: "*.*"}
}

// Open opens the credentials in a store, and makes what is missing, the directories
// too. Any number of processes may do so at a time. Code denied: the store or something
// of it is another user's, or others may read or change it; invalid: it cannot be
// written, or holds something else.
func Open(store string) (*Keys, error) {
	if err := ownDir(store); err != nil {
		return nil, err
	}
	dir := filepath.Join(store, "credentials")
	if err := privateDir(dir); err != nil {
		return nil, err
	}
	k := &Keys{PageFile: filepath.Join(dir, "page.token")}
	var err error
	if k.Owner, err = openKey(filepath.Join(dir, "owner.nk")); err != nil {
		return nil, err
	}
	if k.Agent, err = openKey(filepath.Join(dir, "agent.nk")); err != nil {
		return nil, err
	}
	k.PageToken, err = openToken(k.PageFile)
	return k, err
}

// openKey reads the seed of a user, or makes one.
func openKey(path string) (Key, error) {
	seed, err := readOrCreate(path, func() ([]byte, error) {
		pair, err := nkeys.CreateUser()
		if err != nil {
			return nil, err
		}
		defer pair.Wipe()
		seed, err := pair.Seed()
		return append(seed, '\n'), err
	})
	if err != nil {
		return Key{}, err
	}
	pair, err := nkeys.ParseDecoratedUserNKey(seed)
	if err != nil {
		return Key{}, damagedError(path, "seed of a user", err)
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err != nil {
		return Key{}, damagedError(path, "seed of a user", err)
	}
	return Key{path, public}, nil
}

// tokenLength is the least length of a token of the live page.
const tokenLength = 16

// openToken reads a token, or makes one of 130 random bits.
func openToken(path string) (string, error) {
	b, err := readOrCreate(path, func() ([]byte, error) { return []byte(rand.Text() + "\n"), nil })
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if len(text) < tokenLength {
		return "", damagedError(path, "token", pilot.Errorf(pilot.Invalid, "it is short"))
	}
	return text, nil
}
