package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/pilot"
)

// breakableLink is the one way between a site and the bus.
type breakableLink struct {
	t      *testing.T
	listen string // where the site dials
	target string

	mu       sync.Mutex
	listener net.Listener
	ends     map[net.Conn]struct{}
	gate     chan struct{} // closed while bytes pass
}

func newBreakableLink(t *testing.T, target string) *breakableLink {
	t.Helper()
	l := &breakableLink{t: t, listen: freeAddress(t), target: target, ends: map[net.Conn]struct{}{}, gate: make(chan struct{})}
	close(l.gate)
	l.startListening()
	t.Cleanup(l.closeAll)
	return l
}

// startListening lets the site connect.
func (l *breakableLink) startListening() {
	l.t.Helper()
	listener, err := net.Listen("tcp", l.listen)
	if err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener = listener
	go func() {
		for {
			site, err := listener.Accept()
			if err != nil {
				return // cut
			}
			go l.proxyConn(site)
		}
	}()
}

// proxyConn carries bytes both ways until one end or the link is closed.
func (l *breakableLink) proxyConn(site net.Conn) {
	bus, err := net.Dial("tcp", l.target)
	if err != nil {
		site.Close()
		return
	}
	l.mu.Lock()
	l.ends[site], l.ends[bus] = struct{}{}, struct{}{}
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.copyBytes(bus, site) })
	both.Go(func() { l.copyBytes(site, bus) })
	both.Wait()
	l.mu.Lock()
	delete(l.ends, site)
	delete(l.ends, bus)
	l.mu.Unlock()
}

func (l *breakableLink) copyBytes(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		l.mu.Lock()
		gate := l.gate
		l.mu.Unlock()
		<-gate
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// closeAll ends the connections and takes no new ones, as a firewall that rejects.
func (l *breakableLink) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener.Close()
	for end := range l.ends {
		end.Close()
	}
}

// stall lets nothing through, which nobody is told of, as a cable that is
// pulled.
func (l *breakableLink) stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate = make(chan struct{})
}

// resume ends the silence; what was sent meanwhile arrives, as TCP has it.
func (l *breakableLink) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.gate)
}

// leafSite is the far end of a link: a leaf node, and two launchers that know
// nothing but it.
type leafSite struct {
	h      *fixture
	health []string // of the launchers
}

func (b *natsHub) startSite(l *breakableLink) *leafSite {
	h := b.h
	dir := filepath.Join(h.dir, "site")
	key := "credentials: " + b.credentialsFile("leaf-local")
	if b.mode == auth.NKey {
		seed, err := os.ReadFile(b.credentialsFile("leaf-local"))
		if err != nil {
			h.t.Fatal(err)
		}
		key = "nkey: " + string(seed)
	}
	users, err := os.ReadFile(filepath.Join(b.dir, "sites", "leaf-local.conf"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.installConf(dir, "leaf.conf", map[string]string{"auth.conf": string(users), "link.conf": key})
	listen := freeAddress(h.t)
	h.startNATSServer(filepath.Join(dir, "leaf.conf"), "NATS_SERVER_NAME=site", "NATS_LISTEN="+listen,
		"NATS_MONITOR="+freeAddress(h.t), "NATS_HUB=[\"tls://"+l.listen+"\"]", "NATS_TLS_CA="+filepath.Join(b.dir, "ca.crt"),
		"NATS_TLS_CERT="+filepath.Join(b.dir, "server.crt"), "NATS_TLS_KEY="+filepath.Join(b.dir, "server.key"))
	s := &leafSite{h: h}
	for range 2 {
		at := freeAddress(h.t)
		s.health = append(s.health, "http://"+at)
		p := &process{fixture: h, name: filepath.Join(binDir, "flightlog-launcher"), args: []string{"--replicas", "3", "--http", at}}
		// Sites know users by their keys, which files with tokens hold too.
		p.env = append(b.userEnv(siteLauncher), "NATS_URL=tls://"+listen, "NATS_CREDS=", "NATS_NKEY="+b.credentialsFile(siteLauncher))
		p.start()
	}
	return s
}

// awaitHealth waits until every launcher of the site answers path with a code, and
// gives the last answer.
func (s *leafSite) awaitHealth(path string, code int) (answer string) {
	s.h.t.Helper()
	for _, at := range s.health {
		for over := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // between two questions
			got, body := httpGet(s.h.t, at+path)
			if got == code {
				answer = body
				break
			}
			if time.Now().After(over) {
				s.h.t.Fatalf("%s%s says %d for a minute: %s", at, path, got, body)
			}
		}
	}
	return answer
}

func httpGet(t *testing.T, url string) (int, string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(body))
}

// TestE2ELeafCut cuts the link of a site while its pilots run, end, are
// submitted and canceled: by connections that break, and by silence.
func TestE2ELeafCut(t *testing.T) {
	away := 3 * time.Second
	if os.Getenv("FLIGHTLOG_LONG") != "" {
		away = 3 * time.Minute
	}
	t.Run("broken", func(t *testing.T) {
		leafCut(t, auth.Operator, away, (*breakableLink).closeAll, (*breakableLink).startListening)
	})
	t.Run("silent", func(t *testing.T) { leafCut(t, auth.NKey, away, (*breakableLink).stall, (*breakableLink).resume) })
}

// untilFilePilot is a payload that leaves a mark when it runs, goes on until a file is
// there, and then leaves another mark.
func untilFilePilot(marks, name, file string) pilot.Description {
	d := shellPilot(fmt.Sprintf("echo ran >> %[1]s/%[2]s; while [ ! -e %[1]s/%[3]s ]; do sleep 0.05; done; echo ended > %[1]s/%[2]s.ended",
		marks, name, file))
	d.UID = name
	return d
}

func leafCut(t *testing.T, mode auth.Mode, away time.Duration, cut, mend func(*breakableLink)) {
	h := newFixture(t)
	b := h.startHub(mode)
	b.startAs("manager", "manager", "--replicas", "3")
	l := newBreakableLink(t, b.leafs[0])
	s := b.startSite(l)
	m, marks := h.createManager(b.connectClient()), t.TempDir()
	s.awaitHealth("/readyz", http.StatusOK)

	const each = 5
	group := func(name, file string) (ds []pilot.Description) {
		for i := range each {
			ds = append(ds, untilFilePilot(marks, fmt.Sprintf("%s%d", name, i), file))
		}
		return ds
	}
	touch := func(name string) {
		if err := os.WriteFile(filepath.Join(marks, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	state := func(name string, want pilot.State) {
		t.Helper()
		for i := range each {
			p, err := m.Pilot(fmt.Sprintf("%s%d", name, i)).Get(t.Context())
			if err != nil || p.State != want {
				t.Errorf("%s%d is %v, %v; want %s", name, i, p, err, want)
			}
		}
	}
	submit(t, m, group("during", "now")...) // end while the link is cut
	submit(t, m, group("after", "later")...)
	doomed := submit(t, m, group("doomed", "never")...) // canceled meanwhile
	active, err := m.WaitAll(t.Context(), client.WaitOptions{States: []pilot.State{pilot.Active}, Timeout: time.Minute})
	if err != nil || active.TimedOut {
		t.Fatalf("not active: %+v, %v", active, err)
	}
	submit(t, m, group("caught", "later")...) // anywhere in their launch when it is cut

	cut(l)
	begun := time.Now()
	reason := s.awaitHealth("/readyz", http.StatusServiceUnavailable)
	noticed := time.Since(begun)
	s.awaitHealth("/healthz", http.StatusOK)
	touch("now")
	for i := range each {
		awaitFile(t, filepath.Join(marks, fmt.Sprintf("during%d.ended", i)))
	}
	submit(t, m, group("meanwhile", "later")...)
	for _, p := range doomed {
		if err := p.Cancel(t.Context(), client.CancelOptions{Reason: "the link is cut"}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(max(away-time.Since(begun), 0)) // the cut
	state("during", pilot.Active)
	state("meanwhile", pilot.PendingLaunch)
	state("doomed", pilot.Canceling)

	mend(l)
	begun = time.Now()
	s.awaitHealth("/readyz", http.StatusOK)
	ready := time.Since(begun)
	touch("later")
	awaitAll(t, m)
	took := time.Since(begun)
	for name, want := range map[string]pilot.State{
		"during": pilot.Done, "after": pilot.Done, "doomed": pilot.Canceled, "caught": pilot.Done, "meanwhile": pilot.Done,
	} {
		state(name, want)
	}
	expectLaunchedOnce(t, m, marks)
	t.Logf("cut for %s: not ready after %s (%s); when it was mended, ready after %s, all %d pilots ended after %s, each ran once",
		away, noticed.Round(time.Millisecond), reason, ready.Round(time.Millisecond), 5*each, took.Round(time.Millisecond))
	if left := h.processes(); len(left) != 0 {
		t.Errorf("processes %v are left", left)
	}
}

// awaitFile waits for a file.
func awaitFile(t *testing.T, path string) {
	t.Helper()
	for over := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // between two looks
		if _, err := os.Stat(path); err == nil {
			return
		} else if time.Now().After(over) {
			t.Fatal(err)
		}
	}
}

// expectLaunchedOnce demands that no pilot was launched again, ran twice, or went to
// another launcher.
func expectLaunchedOnce(t *testing.T, m *client.Manager, marks string) {
	t.Helper()
	for p, err := range m.List(t.Context(), client.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if mark, err := os.ReadFile(filepath.Join(marks, p.UID)); err != nil || string(mark) != "ran\n" {
			t.Errorf("%s ran as %q, %v", p.UID, mark, err)
		}
		history, err := m.Pilot(p.UID).History(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]int{}
		for _, e := range history {
			kinds[string(e.Kind)]++
		}
		if kinds["launching"] != 1 || kinds["adopted"] != 0 || p.Attempt != 1 {
			t.Errorf("%s was launched %d times, adopted %d times, in attempt %d", p.UID, kinds["launching"], kinds["adopted"], p.Attempt)
		}
	}
}
