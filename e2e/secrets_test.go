package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// recordingProxy lets bytes through to a server, and remembers those that agents sent.
type recordingProxy struct {
	address string
	mu      sync.Mutex
	sent    bytes.Buffer
}

func newRecordingProxy(t *testing.T, server string) *recordingProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &recordingProxy{address: l.Addr().String()}
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", server)
			if err != nil {
				here.Close()
				continue
			}
			go func() { _, _ = io.Copy(here, there); here.Close() }()
			go func() { _, _ = io.Copy(io.MultiWriter(there, p), here); there.Close() }()
		}
	}()
	return p
}

func (p *recordingProxy) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent.Write(b)
}

var secretOf = regexp.MustCompile(`"secret":"([^"]+)"`)

// secrets are those of the attempts whose agents have said something.
func (p *recordingProxy) secrets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, m := range secretOf.FindAllSubmatch(p.sent.Bytes(), -1) {
		if s := string(m[1]); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

var seedOf = regexp.MustCompile(`\bS[UAO][A-Z2-7]{56}\b`)

// allSeeds are those of all credentials.
func (g *authFixture) allSeeds() []string {
	var all []string
	for _, pattern := range []string{"creds/*.nk", "creds/*.creds", "keys/*.nk"} {
		files, err := filepath.Glob(filepath.Join(g.auth, pattern))
		if err != nil {
			g.t.Fatal(err)
		}
		for _, path := range files {
			b, err := os.ReadFile(path)
			if err != nil {
				g.t.Fatal(err)
			}
			all = append(all, seedOf.FindAllString(string(b), -1)...)
		}
	}
	if len(all) < 6 {
		g.t.Fatalf("%d seeds", len(all))
	}
	return all
}

func findSecret(text []byte, secrets []string) (string, bool) {
	for _, s := range secrets {
		if bytes.Contains(text, []byte(s)) {
			return s[:4] + "…", true
		}
	}
	return "", false
}

// searchProcesses looks at what any process shows of itself to others, and to
// its own user.
func searchProcesses(t *testing.T, secrets []string) {
	t.Helper()
	if len(secrets) == 0 {
		t.Fatal("nothing to search for")
	}
	pids, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	searched := 0
	for _, dir := range pids {
		if filepath.Base(dir) == strconv.Itoa(os.Getpid()) {
			continue
		}
		for _, name := range []string{"cmdline", "environ"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				continue // it ended, or is not ours
			}
			searched++
			if s, found := findSecret(b, secrets); found {
				t.Errorf("%s/%s shows secret %s", dir, name, s)
			}
		}
	}
	if searched == 0 {
		t.Error("no process could be searched")
	}
}

// searchFiles looks at all that is on disk: logs, the stream's own files, state
// and sandboxes; only credentials hold secrets.
func (g *authFixture) searchFiles(secrets []string) {
	g.t.Helper()
	searched := map[string]int{}
	err := filepath.WalkDir(g.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it is gone again
		}
		if e.IsDir() && (path == filepath.Join(g.auth, "creds") || path == filepath.Join(g.auth, "keys")) {
			return fs.SkipDir
		}
		if !e.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // it is gone again
		}
		searched[filepath.Ext(path)]++
		if s, found := findSecret(b, secrets); found {
			g.t.Errorf("%s holds secret %s", path, s)
		}
		return nil
	})
	if err != nil || searched[".blk"] == 0 || searched[".log"] < 2 {
		g.t.Errorf("%v, searched %v", err, searched)
	}
	g.searchStream(secrets)
}

// searchStream looks at every message as it was written: on disk they are
// compressed.
func (g *authFixture) searchStream(secrets []string) {
	g.t.Helper()
	n := 0
	for m := range g.rawMessages() {
		n++
		if s, found := findSecret(m, secrets); found {
			g.t.Errorf("a message of the log holds secret %s", s)
		}
	}
	if n < 10 {
		g.t.Errorf("%d messages", n)
	}
}

func (g *authFixture) searchOutput(secrets []string, args []string) {
	g.t.Helper()
	out, code := g.runCLI(append(args, g.userFlags("client")...)...)
	if code != 0 {
		g.t.Errorf("%v: exit %d", args, code)
	}
	if s, found := findSecret([]byte(out), secrets); found {
		g.t.Errorf("%v shows secret %s", args, s)
	}
}

// userFlags are how the command line is a user.
func (g *authFixture) userFlags(user string) []string {
	file := "--nkey"
	if g.mode == "operator" {
		file = "--creds"
	}
	return []string{file, g.credentials(user), "--inbox-prefix", "_INBOX_" + user}
}

// rawMessages gives every message of the log with its headers.
func (g *authFixture) rawMessages() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		js, err := jetstream.New(g.connectAs("admin").Bus().NATS())
		if err != nil {
			g.t.Fatal(err)
		}
		log, err := js.Stream(g.t.Context(), "PILOTS")
		if err != nil {
			g.t.Fatal(err)
		}
		for seq := range log.CachedInfo().State.LastSeq {
			m, err := log.GetMsg(g.t.Context(), seq+1)
			if err != nil {
				g.t.Fatal(err)
			}
			if !yield(fmt.Appendf(m.Data, "\n%s %v", m.Subject, m.Header)) {
				return
			}
		}
	}
}
