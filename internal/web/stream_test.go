package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/web"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

type greeting struct {
	Epoch   int64
	Fresh   bool
	Cancel  bool
	Login   bool
	Horizon uint64
	Older   []struct {
		Manager, Resource, State string
		Count                    int
	}
}

func readHello(t *testing.T, s *eventStream) greeting {
	t.Helper()
	var g greeting
	e := s.readEvent()
	if err := json.Unmarshal([]byte(e.data), &g); e.name != "hello" || err != nil {
		t.Fatalf("the first event is %+v, %v", e, err)
	}
	return g
}

// TestStreamShowsThePresentThenChanges, and one that comes back gets what it
// missed: each pilot that changed once, as it is.
func TestStreamShowsThePresentThenChanges(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	l.movePilot("a", pilot.PendingLaunch, nil)
	l.movePilot("b", pilot.Active, nil)
	server := servePage(t, l, web.Config{})
	s := openStream(t, server.URL, nil)
	if g := readHello(t, s); !g.Fresh || !g.Cancel || g.Login || g.Epoch != 7 {
		t.Errorf("greeted with %+v", g)
	}
	_, rows, id := s.readUntil("standing")
	if len(rows) != 2 || rows[0].UID != "a" || rows[1].State != "ACTIVE" || !rows[1].Partial || id != "7-2" {
		t.Fatalf("the present is %+v, id %s", rows, id)
	}
	l.movePilot("a", pilot.Launching, nil)
	_, rows, id = s.readUntil("standing")
	if len(rows) != 1 || rows[0].State != "LAUNCHING" || id != "7-3" || rows[0].Partial || len(rows[0].Marks) != 4 {
		t.Fatalf("the change is %+v, id %s", rows, id)
	}
	s.stop()
	for _, next := range []pilot.State{pilot.PendingActive, pilot.Active, pilot.Done} {
		l.movePilot("a", next, nil)
	}
	l.movePilot("c", pilot.PendingLaunch, nil)

	for name, from := range map[string]func(*http.Request){
		"header": withLastEventID(id),
		"query":  func(r *http.Request) { r.URL.RawQuery = "after=" + id },
	} {
		s = openStream(t, server.URL, from)
		if g := readHello(t, s); g.Fresh {
			t.Errorf("%s: greeted with %+v", name, g)
		}
		var missed []row
		for len(missed) == 0 || missed[len(missed)-1].UID != "c" {
			_, rows, _ = s.readUntil("standing")
			missed = append(missed, rows...)
		}
		a := missed[len(missed)-2]
		if a.UID != "a" || a.State != "DONE" || len(a.Marks) != 10 {
			t.Errorf("%s: missed %+v", name, missed)
		}
		s.stop()
	}
}

// TestStreamResumes in the same log, and begins anew in another one.
func TestStreamResumes(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	for i := range 1200 { // more than one event holds
		l.movePilot(fmt.Sprintf("p%d", i), pilot.PendingLaunch, nil)
	}
	for _, next := range []pilot.State{pilot.Launching, pilot.Active, pilot.Done} {
		l.movePilot("p3", next, nil)
	}
	server := servePage(t, l, web.Config{})
	for _, c := range []struct {
		id    string
		fresh bool
		rows  int
	}{
		{"7-1203", false, 0},
		{"7-1200", false, 1},
		{"7-1190", false, 11},
		{"7-4", false, 1196 + 1}, // p3 once, and p4 to the last
		{"6-1203", true, 1200},
		{"7", true, 1200},
		{"nonsense", true, 1200},
		{"7-99999999999999999999999", true, 1200},
		{"", true, 1200},
	} {
		s := openStream(t, server.URL, withLastEventID(c.id))
		g := readHello(t, s)
		_, rows, _ := s.readUntil("standing")
		if g.Fresh != c.fresh || len(rows) != c.rows {
			t.Errorf("after %q: fresh %v, %d rows", c.id, g.Fresh, len(rows))
		}
		for i := range rows[min(1, len(rows)):] {
			if rows[i].Seq >= rows[i+1].Seq {
				t.Fatalf("after %q: row %d is %d, then %d", c.id, i, rows[i].Seq, rows[i+1].Seq)
			}
		}
		s.stop()
	}
}

// TestReplacedLog ends the stream; who comes back is told to forget.
func TestReplacedLog(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	l.movePilot("a", pilot.PendingLaunch, nil)
	server := servePage(t, l, web.Config{})
	s := openStream(t, server.URL, nil)
	_, _, id := s.readUntil("standing")
	l.mu.Lock()
	l.epoch = 8
	l.mu.Unlock()
	l.broken <- errors.New("the log was replaced")
	if e, _, _ := s.readUntil("never"); e.name != "" {
		t.Errorf("the stream goes on with %+v", e)
	}
	s = openStream(t, server.URL, withLastEventID(id))
	if g := readHello(t, s); !g.Fresh || g.Epoch != 8 {
		t.Errorf("greeted with %+v", g)
	}
}

// TestKeep: of those that ended the last ones are kept, the others counted, and
// a visitor is told whom to let go.
func TestKeep(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	l.movePilot("live", pilot.Active, nil)
	for i := range 5 {
		l.movePilot(fmt.Sprintf("p%d", i), pilot.Done, nil)
	}
	server := servePage(t, l, web.Config{Keep: 3})
	s := openStream(t, server.URL, nil)
	g := readHello(t, s)
	_, rows, id := s.readUntil("standing")
	if len(rows) != 4 || rows[0].UID != "live" || rows[1].UID != "p2" || g.Horizon != 3 || len(g.Older) != 1 || g.Older[0].Count != 2 {
		t.Fatalf("shown %+v, greeted with %+v", rows, g)
	}
	l.movePilot("live", pilot.Failed, nil)
	var told greeting
	e, _, _ := s.readUntil("gone")
	if err := json.Unmarshal([]byte(e.data), &told); err != nil || told.Horizon != 4 || told.Older[0].Count != 3 {
		t.Errorf("told %+v, %v", told, err)
	}
	l.movePilot("p0", pilot.Done, nil) // something came late
	s.stop()
	s = openStream(t, server.URL, withLastEventID(id))
	if g := readHello(t, s); g.Horizon != 4 || g.Fresh {
		t.Errorf("greeted again with %+v", g)
	}
	if _, rows, _ := s.readUntil("standing"); len(rows) != 1 || rows[0].UID != "live" {
		t.Errorf("shown again %+v", rows)
	}
}

// TestHostileTextStaysData: in one line of JSON, in a type that is no page.
func TestHostileTextStaysData(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	l.movePilot("a", pilot.Failed, func(p *projection.Pilot) {
		d := &p.Submission.Description
		d.Executable, d.Arguments, d.Labels = hostileText, []string{strings.Repeat("é", 500)}, map[string]string{hostileText: hostileText}
		p.Cause = &pilot.Cause{Code: pilot.PayloadFailed, Message: hostileText}
	})
	server := servePage(t, l, web.Config{})
	s := openStream(t, server.URL, nil)
	_, rows, _ := s.readUntil("standing")
	if len(rows) != 1 || !strings.HasPrefix(rows[0].What, hostileText) || !strings.Contains(rows[0].Cause, "<script>") || len(rows[0].What) > 160 {
		t.Fatalf("got %+v", rows)
	}
	resp, body := doRequest(t, http.MethodGet, server.URL+"/api/pilots/m/a", "", nil)
	var full struct{ Logs struct{ Stdout string } }
	if err := json.Unmarshal([]byte(body), &full); err != nil || full.Logs.Stdout != hostileText || strings.Contains(body, "<script>") ||
		resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v, %s: %s", err, resp.Header, body)
	}
}

// TestOutputOfARunningPilot is data too; where there is none, the page says why and
// does not fail.
func TestOutputOfARunningPilot(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	l.movePilot("runs", pilot.Active, nil)
	l.movePilot("waits", pilot.PendingActive, nil)
	l.movePilot("ended", pilot.Done, nil)
	server := servePage(t, l, web.Config{})
	for uid, want := range map[string][2]string{"runs": {hostileText, ""}, "waits": {"", "no launcher answers for it"}, "ended": {}} {
		resp, body := doRequest(t, http.MethodGet, server.URL+"/api/pilots/m/"+uid+"/output", "", nil)
		var said struct{ Stdout, Stderr, Why string }
		if err := json.Unmarshal([]byte(body), &said); err != nil || resp.StatusCode != http.StatusOK ||
			[2]string{said.Stdout, said.Why} != want || strings.Contains(body, "<script>") {
			t.Errorf("%s: %v, %s: %s", uid, err, resp.Status, body)
		}
	}
	if resp, _ := doRequest(t, http.MethodGet, server.URL+"/api/pilots/m/unknown/output", "", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown pilot: %s", resp.Status)
	}
}

// TestMarksCompleteRows for all visitors that come later.
func TestMarksCompleteRows(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	l.movePilot("a", pilot.Active, nil)
	server := servePage(t, l, web.Config{})
	openStream(t, server.URL, nil).readUntil("standing")
	_, body := doRequest(t, http.MethodGet, server.URL+"/api/marks?pilot=m/a&pilot=m/unknown&pilot=nonsense", "", nil)
	var found map[string][]int64
	if err := json.Unmarshal([]byte(body), &found); err != nil || len(found) != 1 || len(found["m/a"]) != 6 {
		t.Fatalf("%v: %s", err, body)
	}
	if _, rows, _ := openStream(t, server.URL, nil).readUntil("standing"); rows[0].Partial || len(rows[0].Marks) != 6 {
		t.Errorf("shown %+v", rows)
	}
	resp, _ := doRequest(t, http.MethodGet, server.URL+"/api/marks?"+strings.Repeat("pilot=m/a&", 101), "", nil)
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("too many pilots: %s", resp.Status)
	}
}

// TestVisitorsAreLimited in number.
func TestVisitorsAreLimited(t *testing.T) {
	t.Parallel()
	server := servePage(t, newFakeService(), web.Config{Streams: 1})
	s := openStream(t, server.URL, nil)
	s.readUntil("standing")
	resp, _ := doRequest(t, http.MethodGet, server.URL+"/api/events", "", nil)
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a second visitor gets %s", resp.Status)
	}
}

// TestSlowReader is cut off, and holds up nobody: changes reach the others while
// it takes nothing.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	l.movePilot("a", pilot.PendingLaunch, nil)
	h, err := web.New(web.Config{Log: l, Service: l, Stall: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	fast := runHandler(t, h)
	pipe := newPipeListener()
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go server.Serve(pipe)
	t.Cleanup(func() { server.Close() })
	slow := pipe.dial()
	if _, err := fmt.Fprintf(slow, "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	s := openStream(t, fast.URL, nil)
	s.readUntil("standing")
	for _, next := range []pilot.State{pilot.Launching, pilot.Active, pilot.Done} {
		l.movePilot("a", next, nil)
		if _, rows, _ := s.readUntil("standing"); len(rows) != 1 || rows[0].State != next.String() {
			t.Fatalf("shown %+v", rows)
		}
	}
	<-pipe.cut
}

// pipeListener is a listener of one connection without any buffer, which tells when
// the server closes it.
type pipeListener struct {
	ours chan net.Conn
	cut  chan struct{}
}

type notifyingConn struct {
	net.Conn
	cut func()
}

func newPipeListener() *pipeListener {
	return &pipeListener{ours: make(chan net.Conn, 1), cut: make(chan struct{})}
}

func (p *pipeListener) dial() net.Conn {
	theirs, ours := net.Pipe()
	p.ours <- &notifyingConn{ours, sync.OnceFunc(func() { close(p.cut) })}
	return theirs
}

func (p *pipeListener) Accept() (net.Conn, error) {
	c, open := <-p.ours
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p *pipeListener) Close() error {
	close(p.ours)
	return nil
}

func (p *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (c *notifyingConn) Close() error {
	c.cut()
	return c.Conn.Close()
}
