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

	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
	"github.com/flightlog/flightlog/web"
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

func greeted(t *testing.T, s *tuned) greeting {
	t.Helper()
	var g greeting
	e := s.next()
	if err := json.Unmarshal([]byte(e.data), &g); e.name != "hello" || err != nil {
		t.Fatalf("the first event is %+v, %v", e, err)
	}
	return g
}

// TestStreamShowsThePresentThenChanges, and one that comes back gets what it
// missed: each pilot that changed once, as it is.
func TestStreamShowsThePresentThenChanges(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.put("a", pilot.PendingLaunch, nil)
	l.put("b", pilot.Active, nil)
	server := serve(t, l, web.Config{})
	s := tune(t, server.URL, nil)
	if g := greeted(t, s); !g.Fresh || !g.Cancel || g.Login || g.Epoch != 7 {
		t.Errorf("greeted with %+v", g)
	}
	_, rows, id := s.until("standing")
	if len(rows) != 2 || rows[0].UID != "a" || rows[1].State != "ACTIVE" || !rows[1].Partial || id != "7-2" {
		t.Fatalf("the present is %+v, id %s", rows, id)
	}
	l.put("a", pilot.Launching, nil)
	_, rows, id = s.until("standing")
	if len(rows) != 1 || rows[0].State != "LAUNCHING" || id != "7-3" || rows[0].Partial || len(rows[0].Marks) != 4 {
		t.Fatalf("the change is %+v, id %s", rows, id)
	}
	s.stop()
	for _, next := range []pilot.State{pilot.PendingActive, pilot.Active, pilot.Done} {
		l.put("a", next, nil)
	}
	l.put("c", pilot.PendingLaunch, nil)

	for name, from := range map[string]func(*http.Request){
		"header": since(id),
		"query":  func(r *http.Request) { r.URL.RawQuery = "after=" + id },
	} {
		s = tune(t, server.URL, from)
		if g := greeted(t, s); g.Fresh {
			t.Errorf("%s: greeted with %+v", name, g)
		}
		var missed []row
		for len(missed) == 0 || missed[len(missed)-1].UID != "c" {
			_, rows, _ = s.until("standing")
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
	l := newLedger()
	for i := range 1200 { // more than one event holds
		l.put(fmt.Sprintf("p%d", i), pilot.PendingLaunch, nil)
	}
	for _, next := range []pilot.State{pilot.Launching, pilot.Active, pilot.Done} {
		l.put("p3", next, nil)
	}
	server := serve(t, l, web.Config{})
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
		s := tune(t, server.URL, since(c.id))
		g := greeted(t, s)
		_, rows, _ := s.until("standing")
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
	l := newLedger()
	l.put("a", pilot.PendingLaunch, nil)
	server := serve(t, l, web.Config{})
	s := tune(t, server.URL, nil)
	_, _, id := s.until("standing")
	l.mu.Lock()
	l.epoch = 8
	l.mu.Unlock()
	l.broken <- errors.New("the log was replaced")
	if e, _, _ := s.until("never"); e.name != "" {
		t.Errorf("the stream goes on with %+v", e)
	}
	s = tune(t, server.URL, since(id))
	if g := greeted(t, s); !g.Fresh || g.Epoch != 8 {
		t.Errorf("greeted with %+v", g)
	}
}

// TestKeep: of those that ended the last ones are kept, the others counted, and
// a visitor is told whom to let go.
func TestKeep(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.put("live", pilot.Active, nil)
	for i := range 5 {
		l.put(fmt.Sprintf("p%d", i), pilot.Done, nil)
	}
	server := serve(t, l, web.Config{Keep: 3})
	s := tune(t, server.URL, nil)
	g := greeted(t, s)
	_, rows, id := s.until("standing")
	if len(rows) != 4 || rows[0].UID != "live" || rows[1].UID != "p2" || g.Horizon != 3 || len(g.Older) != 1 || g.Older[0].Count != 2 {
		t.Fatalf("shown %+v, greeted with %+v", rows, g)
	}
	l.put("live", pilot.Failed, nil)
	var told greeting
	e, _, _ := s.until("gone")
	if err := json.Unmarshal([]byte(e.data), &told); err != nil || told.Horizon != 4 || told.Older[0].Count != 3 {
		t.Errorf("told %+v, %v", told, err)
	}
	l.put("p0", pilot.Done, nil) // something came late
	s.stop()
	s = tune(t, server.URL, since(id))
	if g := greeted(t, s); g.Horizon != 4 || g.Fresh {
		t.Errorf("greeted again with %+v", g)
	}
	if _, rows, _ := s.until("standing"); len(rows) != 1 || rows[0].UID != "live" {
		t.Errorf("shown again %+v", rows)
	}
}

// TestHostileTextStaysData: in one line of JSON, in a type that is no page.
func TestHostileTextStaysData(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.put("a", pilot.Failed, func(p *projection.Pilot) {
		d := &p.Birth.Description
		d.Executable, d.Arguments, d.Labels = hostile, []string{strings.Repeat("é", 500)}, map[string]string{hostile: hostile}
		p.Cause = &pilot.Cause{Code: pilot.PayloadFailed, Message: hostile}
	})
	server := serve(t, l, web.Config{})
	s := tune(t, server.URL, nil)
	_, rows, _ := s.until("standing")
	if len(rows) != 1 || !strings.HasPrefix(rows[0].What, hostile) || !strings.Contains(rows[0].Cause, "<script>") || len(rows[0].What) > 160 {
		t.Fatalf("got %+v", rows)
	}
	resp, body := ask(t, http.MethodGet, server.URL+"/api/pilots/m/a", "", nil)
	var full struct{ Logs struct{ Stdout string } }
	if err := json.Unmarshal([]byte(body), &full); err != nil || full.Logs.Stdout != hostile || strings.Contains(body, "<script>") ||
		resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v, %s: %s", err, resp.Header, body)
	}
}

// TestOutputOfARunningPilot is data too; where there is none, the page says why and
// does not fail.
func TestOutputOfARunningPilot(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.put("runs", pilot.Active, nil)
	l.put("waits", pilot.PendingActive, nil)
	l.put("ended", pilot.Done, nil)
	server := serve(t, l, web.Config{})
	for uid, want := range map[string][2]string{"runs": {hostile, ""}, "waits": {"", "no launcher answers for it"}, "ended": {}} {
		resp, body := ask(t, http.MethodGet, server.URL+"/api/pilots/m/"+uid+"/output", "", nil)
		var said struct{ Stdout, Stderr, Why string }
		if err := json.Unmarshal([]byte(body), &said); err != nil || resp.StatusCode != http.StatusOK ||
			[2]string{said.Stdout, said.Why} != want || strings.Contains(body, "<script>") {
			t.Errorf("%s: %v, %s: %s", uid, err, resp.Status, body)
		}
	}
	if resp, _ := ask(t, http.MethodGet, server.URL+"/api/pilots/m/unknown/output", "", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown pilot: %s", resp.Status)
	}
}

// TestMarksCompleteRows for all visitors that come later.
func TestMarksCompleteRows(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.put("a", pilot.Active, nil)
	server := serve(t, l, web.Config{})
	tune(t, server.URL, nil).until("standing")
	_, body := ask(t, http.MethodGet, server.URL+"/api/marks?pilot=m/a&pilot=m/unknown&pilot=nonsense", "", nil)
	var found map[string][]int64
	if err := json.Unmarshal([]byte(body), &found); err != nil || len(found) != 1 || len(found["m/a"]) != 6 {
		t.Fatalf("%v: %s", err, body)
	}
	if _, rows, _ := tune(t, server.URL, nil).until("standing"); rows[0].Partial || len(rows[0].Marks) != 6 {
		t.Errorf("shown %+v", rows)
	}
	resp, _ := ask(t, http.MethodGet, server.URL+"/api/marks?"+strings.Repeat("pilot=m/a&", 101), "", nil)
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("too many pilots: %s", resp.Status)
	}
}

// TestVisitorsAreLimited in number.
func TestVisitorsAreLimited(t *testing.T) {
	t.Parallel()
	server := serve(t, newLedger(), web.Config{Streams: 1})
	s := tune(t, server.URL, nil)
	s.until("standing")
	resp, _ := ask(t, http.MethodGet, server.URL+"/api/events", "", nil)
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a second visitor gets %s", resp.Status)
	}
}

// TestSlowReader is cut off, and holds up nobody: changes reach the others while
// it takes nothing.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.put("a", pilot.PendingLaunch, nil)
	h, err := web.New(web.Config{Log: l, Service: l, Stall: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	fast := run(t, h)
	pipe := newPipe()
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go server.Serve(pipe)
	t.Cleanup(func() { server.Close() })
	slow := pipe.dial()
	if _, err := fmt.Fprintf(slow, "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	s := tune(t, fast.URL, nil)
	s.until("standing")
	for _, next := range []pilot.State{pilot.Launching, pilot.Active, pilot.Done} {
		l.put("a", next, nil)
		if _, rows, _ := s.until("standing"); len(rows) != 1 || rows[0].State != next.String() {
			t.Fatalf("shown %+v", rows)
		}
	}
	<-pipe.cut
}

// pipe is a listener of one connection without any buffer, which tells when
// the server closes it.
type pipe struct {
	ours chan net.Conn
	cut  chan struct{}
}

type toldConn struct {
	net.Conn
	cut func()
}

func newPipe() *pipe { return &pipe{ours: make(chan net.Conn, 1), cut: make(chan struct{})} }

func (p *pipe) dial() net.Conn {
	theirs, ours := net.Pipe()
	p.ours <- &toldConn{ours, sync.OnceFunc(func() { close(p.cut) })}
	return theirs
}

func (p *pipe) Accept() (net.Conn, error) {
	c, open := <-p.ours
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p *pipe) Close() error {
	close(p.ours)
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.TCPAddr{} }

func (c *toldConn) Close() error {
	c.cut()
	return c.Conn.Close()
}
