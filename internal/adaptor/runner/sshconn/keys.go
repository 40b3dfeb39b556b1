package sshconn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// keyring collects what a login offers, and what it cannot and why: an error
// that only says "unable to authenticate" helps nobody.
type keyring struct {
	signers []ssh.Signer
	offered []string
	skipped []string
	socket  io.Closer // the agent's, needed for as long as its signers are
}

// gatherKeys gathers keys in the order OpenSSH takes: those of the agent that are
// configured, its others, then files. Servers stop listening after some six.
func (h *host) gatherKeys() *keyring {
	k := &keyring{}
	files := k.readKeyFiles(h.keys)
	held := k.agentSigners(h.agent)
	taken := map[string]bool{}
	take := func(s ssh.Signer, from string) {
		if id := string(s.PublicKey().Marshal()); !taken[id] {
			taken[id] = true
			k.signers = append(k.signers, s)
			k.offered = append(k.offered, from+" "+ssh.FingerprintSHA256(s.PublicKey()))
		}
	}
	for _, ours := range []bool{true, false} {
		for _, s := range held {
			configured := containsKey(files, s.PublicKey())
			if configured == ours && (configured || !h.keysOnly) {
				take(s, "agent")
			}
		}
	}
	for _, f := range files {
		for _, s := range f.signers {
			take(s, f.path)
		}
		if f.problem != "" && (f.public == nil || !taken[string(f.public.Marshal())]) {
			k.skipped = append(k.skipped, f.path+": "+f.problem)
		}
	}
	return k
}

func containsKey(files []keyFile, key ssh.PublicKey) bool {
	for _, f := range files {
		if f.public != nil && bytes.Equal(f.public.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

// keyFile is a private key that is configured.
type keyFile struct {
	path    string
	public  ssh.PublicKey // nil: not known
	signers []ssh.Signer  // the key with its certificate, and by itself
	problem string        // empty: none
}

func (k *keyring) readKeyFiles(paths []string) []keyFile {
	var out []keyFile
	for _, path := range paths {
		f := keyFile{path: path}
		if strings.HasSuffix(path, ".pub") {
			f.public, _ = readPublic(path)
			f.problem = "the agent does not hold it"
			out = append(out, f)
			continue
		}
		signer, err := f.readSigner()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			f.problem = "it is not there"
		case err != nil:
			f.problem = err.Error()
		default:
			f.public = signer.PublicKey()
			f.signers = []ssh.Signer{signer}
			if s := certSigner(path, signer); s != nil {
				f.signers = []ssh.Signer{s, signer}
			}
		}
		if f.public == nil { // the agent may have the private part
			f.public, _ = readPublic(path + ".pub")
		}
		out = append(out, f)
	}
	return out
}

// maxKey bounds what is read of a file that is said to hold a key.
const maxKey = 1 << 20

func readKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxKey))
}

// readSigner refuses, as OpenSSH does, a key that others can read.
func (f *keyFile) readSigner() (ssh.Signer, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("its mode is %o; others could read it", info.Mode().Perm())
	}
	b, err := readKey(f.path)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(b)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		f.public = missing.PublicKey
		return nil, errors.New("it is encrypted; load it into an ssh-agent")
	}
	return signer, err
}

func readPublic(path string) (ssh.PublicKey, error) {
	b, err := readKey(path)
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(b) //nolint:dogsled // its comment and options mean nothing here
	return key, err
}

// certSigner gives the key with the certificate that lies beside it; nil if there is none.
func certSigner(path string, signer ssh.Signer) ssh.Signer {
	key, err := readPublic(path + "-cert.pub")
	if err != nil {
		return nil
	}
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return nil
	}
	s, err := ssh.NewCertSigner(cert, signer)
	if err != nil {
		return nil
	}
	return s
}

func (k *keyring) agentSigners(socket string) []ssh.Signer {
	if socket == "" {
		return nil
	}
	conn, err := net.Dial("unix", socket) //nolint:noctx // of this machine: at once
	if err != nil {
		k.skipped = append(k.skipped, "agent: "+err.Error())
		return nil
	}
	k.socket = conn
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		k.skipped = append(k.skipped, "agent: "+err.Error())
	}
	return signers
}

func (k *keyring) close() {
	if k.socket != nil {
		_ = k.socket.Close()
	}
}

// String says what was offered and what was not.
func (k *keyring) String() string {
	text := "no keys"
	if len(k.offered) > 0 {
		text = strings.Join(k.offered, ", ")
	}
	if len(k.skipped) > 0 {
		text += "; not " + strings.Join(k.skipped, ", ")
	}
	return text
}
