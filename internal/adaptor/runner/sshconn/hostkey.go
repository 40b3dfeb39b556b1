package sshconn

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknown "golang.org/x/crypto/ssh/knownhosts"

	"github.com/flightlog/flightlog/pilot"
)

// knownHostKeys is known_hosts for one host.
type knownHostKeys struct {
	files []string
	name  string // with port, as knownhosts wants it
	db    *knownhosts.HostKeyDB
}

// open reads the files anew: somebody may have added the host since.
func (h *host) readKnownHosts() (*knownHostKeys, error) {
	b := &knownHostKeys{files: h.knownHosts, name: h.address()}
	if h.alias != "" {
		b.name = net.JoinHostPort(h.alias, "22") // written without a port
	}
	var there []string
	for _, file := range h.knownHosts {
		if _, err := os.Stat(file); err == nil {
			there = append(there, file)
		}
	}
	db, err := knownhosts.NewDB(there...)
	if err != nil {
		return nil, pilot.Errorf(pilot.Invalid, "known hosts: %w", err)
	}
	b.db = db
	return b, nil
}

// keyAlgorithms are those of the keys that are known, so that the host shows one of
// these and not one that it has as well. Nil: any.
func (b *knownHostKeys) keyAlgorithms() []string { return b.db.HostKeyAlgorithms(b.name) }

// checkHostKey is an ssh.HostKeyCallback. The address is no part of what is known.
func (b *knownHostKeys) checkHostKey(_ string, _ net.Addr, key ssh.PublicKey) error {
	err := b.db.HostKeyCallback()(b.name, &net.TCPAddr{}, key)
	if err == nil {
		return nil
	}
	name := knownhosts.Normalize(b.name)
	shown := fmt.Sprintf("the key of host %s (%s %s)", name, key.Type(), ssh.FingerprintSHA256(key))
	file := "a file that UserKnownHostsFile names"
	if len(b.files) > 0 {
		file = b.files[0]
	}
	line := knownhosts.Line([]string{b.name}, key)
	if e := (*xknown.KeyError)(nil); errors.As(err, &e) && len(e.Want) > 0 {
		var places []string
		for _, k := range e.Want {
			places = append(places, fmt.Sprintf("%s:%d", k.Filename, k.Line))
		}
		return pilot.Errorf(pilot.Denied, "%s is not the one in %s: either the host has changed or somebody is in between; "+
			"if it is right, put there: %s", shown, strings.Join(places, ", "), line)
	}
	if knownhosts.IsHostUnknown(err) {
		return pilot.Errorf(pilot.Denied, "%s is not known; if it is the one that its administrators publish, add to %s: %s", shown, file, line)
	}
	return pilot.Errorf(pilot.Denied, "%s: %w", shown, err)
}

// explainMismatch says what is wrong if the host has no key of a kind that is known of it.
func (b *knownHostKeys) explainMismatch(err error) error {
	e, ok := errors.AsType[*ssh.AlgorithmNegotiationError](err)
	algorithms := b.keyAlgorithms()
	if !ok || len(algorithms) == 0 || !strings.Contains(e.Error(), "host key") {
		return nil
	}
	return pilot.Errorf(pilot.Denied, "host %s shows no key of a kind that is known (%s) in %s: %w",
		knownhosts.Normalize(b.name), strings.Join(algorithms, ", "), strings.Join(b.files, ", "), err)
}
