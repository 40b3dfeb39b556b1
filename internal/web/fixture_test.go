package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/web"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

const token = "a token of some length"

// fakeService is a log and a service that tests write to.
type fakeService struct {
	mu        sync.Mutex // guards what is below
	epoch     int64
	seq       uint64
	pilots    map[pilot.UID]projection.Pilot
	order     []pilot.UID
	news      chan web.Change
	broken    chan error
	reasons   []string
	cancelErr error
}

func newFakeService() *fakeService {
	return &fakeService{epoch: 7, pilots: map[pilot.UID]projection.Pilot{}, broken: make(chan error)}
}

// Changes yields the present, then what is put.
func (l *fakeService) Changes(ctx context.Context) (int64, iter.Seq2[web.Change, error], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []web.Change
	for _, uid := range l.order {
		p := l.pilots[uid]
		all = append(all, web.Change{Pilot: p, Seq: p.LatestSeq()})
	}
	all = append(all, web.Change{Seq: l.seq, CaughtUp: true})
	news := make(chan web.Change, 100_000) // more than any test puts
	l.news = news
	return l.epoch, func(yield func(web.Change, error) bool) {
		for _, ch := range all {
			if !yield(ch, nil) {
				return
			}
		}
		for {
			select {
			case ch := <-news:
				if !yield(ch, nil) {
					return
				}
			case err := <-l.broken:
				yield(web.Change{}, err)
				return
			case <-ctx.Done():
				yield(web.Change{}, context.Cause(ctx))
				return
			}
		}
	}, nil
}

var startTime = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// movePilot moves a pilot, which is born by it if it is new.
func (l *fakeService) movePilot(uid pilot.UID, s pilot.State, edit func(*projection.Pilot)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	at := startTime.Add(time.Duration(l.seq) * time.Second) //nolint:gosec // small
	p, known := l.pilots[uid]
	if !known {
		p = projection.Pilot{
			Key: pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: uid}, SubmittedSeq: l.seq, SubmittedAt: at, Actor: "ada",
			Submission: &events.Submission{Description: pilot.Description{UID: uid, Resource: "local.localhost", Cores: 2, Executable: "true"}},
		}
		l.order = append(l.order, uid)
	}
	p.Seq, p.State, p.ChangedAt = l.seq, s, at
	if s > pilot.PendingLaunch {
		p.Attempt = 1
	}
	if s == pilot.Active {
		p.ActiveAt = at
	}
	if s.Final() {
		p.EndedAt = at
	}
	if edit != nil {
		edit(&p)
	}
	l.pilots[uid] = p
	if l.news != nil {
		l.news <- web.Change{Pilot: p, Seq: l.seq}
	}
}

func (l *fakeService) findPilot(uid pilot.UID) (api.Pilot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.pilots[uid]
	if !ok {
		return api.Pilot{}, &pilot.Error{Code: pilot.NotFound, Message: "no pilot", Err: errors.New("a secret of the inside")}
	}
	return api.PilotOf(&p), nil
}

func (l *fakeService) Pilot(_ context.Context, _, uid pilot.UID) (api.Pilot, error) {
	return l.findPilot(uid)
}

func (l *fakeService) History(_ context.Context, _, uid pilot.UID) ([]api.Event, error) {
	p, err := l.findPilot(uid)
	if err != nil {
		return nil, err
	}
	born, launching := pilot.PendingLaunch, pilot.Launching
	return []api.Event{
		{Seq: 1, Time: p.SubmittedAt, Kind: "submit", State: &born},
		{Seq: 2, Time: p.SubmittedAt.Add(time.Second), Kind: "launching", State: &launching},
		{Seq: p.Seq, Time: p.SubmittedAt.Add(2 * time.Second), Kind: "x", State: &p.State},
	}, nil
}

func (l *fakeService) Logs(_ context.Context, _, uid pilot.UID) (api.LogsAnswer, error) {
	_, err := l.findPilot(uid)
	return api.LogsAnswer{Stdout: hostileText, Lines: []api.Line{{Message: hostileText}}}, err
}

func (l *fakeService) Output(_ context.Context, _, uid pilot.UID) (api.OutputAnswer, error) {
	p, err := l.findPilot(uid)
	switch {
	case err != nil:
		return api.OutputAnswer{}, err
	case p.State.Final():
		return api.OutputAnswer{}, pilot.Errorf(pilot.Closed, "it has ended")
	case p.State != pilot.Active:
		return api.OutputAnswer{}, pilot.Errorf(pilot.Timeout, "nobody answers")
	}
	return api.OutputAnswer{Stdout: hostileText}, nil
}

func (l *fakeService) Script(_ context.Context, _, uid pilot.UID) (api.RenderAnswer, error) {
	_, err := l.findPilot(uid)
	return api.RenderAnswer{Script: "#!/bin/sh\n"}, err
}

func (l *fakeService) Cancel(_ context.Context, manager, uid pilot.UID, reason string) error {
	if _, err := l.findPilot(uid); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reasons = append(l.reasons, fmt.Sprintf("%s/%s: %s", manager, uid, reason))
	return l.cancelErr
}

const hostileText = "<script>alert(1)</script>\u202e\x1b[31m\n\ndata: forged\n\nevent: rows\n\u2028"

// servePage serves a page until the test ends.
func servePage(t *testing.T, l *fakeService, cfg web.Config) *httptest.Server {
	t.Helper()
	cfg.Log, cfg.Service = l, l
	h, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return runHandler(t, h)
}

func runHandler(t *testing.T, h *web.Handler) *httptest.Server {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		server.Close() // waits for the streams, which Run has ended
	})
	return server
}

// doRequest makes a request and gives its answer's status and body.
func doRequest(t *testing.T, method, url, body string, edit func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// sseEvent is one server-sent event.
type sseEvent struct{ name, id, data string }

// eventStream is an open stream.
type eventStream struct {
	t    *testing.T
	body *bufio.Reader
	stop func()
}

func openStream(t *testing.T, url string, edit func(*http.Request)) *eventStream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	stop := func() {
		cancel()
		resp.Body.Close()
	}
	t.Cleanup(stop)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("the stream is %s, %s", resp.Status, resp.Header)
	}
	return &eventStream{t, bufio.NewReader(resp.Body), stop}
}

// readEvent gives the next event; an empty one: the stream ended.
func (s *eventStream) readEvent() sseEvent {
	s.t.Helper()
	var e sseEvent
	for {
		line, err := s.body.ReadString('\n')
		if err != nil {
			return sseEvent{}
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				return e
			}
		}
	}
}

// row is what tests look at in a row.
type row struct {
	UID     pilot.UID
	State   string
	Seq     uint64
	Marks   []int64
	Partial bool
	What    string
	Labels  string
	Cause   string
}

// readUntil reads up to and including the next event of that name, and gives it
// with the rows before it and the id of the last of them.
func (s *eventStream) readUntil(name string) (sseEvent, []row, string) {
	s.t.Helper()
	var rows []row
	id := ""
	for {
		e := s.readEvent()
		if e.name == "rows" {
			var some []row
			if err := json.Unmarshal([]byte(e.data), &some); err != nil {
				s.t.Fatalf("%v: %s", err, e.data)
			}
			rows, id = append(rows, some...), e.id
		}
		if e.name == name || e.name == "" {
			return e, rows, id
		}
	}
}

func withLastEventID(id string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Last-Event-ID", id) }
}

func withBearer(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
