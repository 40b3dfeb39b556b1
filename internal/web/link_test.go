package web_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/web"
	"github.com/flightlog/flightlog/pilot"
)

const thisRun = "this run of the page"

// serveWithLinks serves a page that links sign visitors in to, whose clock shows at.
func serveWithLinks(t *testing.T, at *atomic.Pointer[time.Time]) *httptest.Server {
	t.Helper()
	l := newFakeService()
	l.movePilot("a", pilot.Active, nil)
	h, err := web.New(web.Config{Log: l, Service: l, Token: token, Run: thisRun})
	if err != nil {
		t.Fatal(err)
	}
	h.Clock(func() time.Time { return *at.Load() })
	return runHandler(t, h)
}

func newClock() *atomic.Pointer[time.Time] {
	var at atomic.Pointer[time.Time]
	now := startTime
	at.Store(&now)
	return &at
}

// TestALinkSignsInOnce: who uses it first has a session, whose cookie is of this port
// alone, and the token leaves the address; nobody else gets in by it.
func TestALinkSignsInOnce(t *testing.T) {
	t.Parallel()
	server := serveWithLinks(t, newClock())
	link := web.NewLink(server.URL+"/", token, thisRun, startTime) + "&state=ACTIVE"
	if resp, _ := doRequest(t, http.MethodHead, link, "", nil); len(resp.Cookies()) > 0 {
		t.Errorf("HEAD signs in: %s", resp.Status)
	}
	resp, _ := doRequest(t, http.MethodGet, link, "", nil)
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/?state=ACTIVE" || len(resp.Cookies()) != 1 {
		t.Fatalf("used first: %s, to %q, %v", resp.Status, resp.Header.Get("Location"), resp.Cookies())
	}
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := resp.Cookies()[0]
	if c.Name != "flightlog-"+at.Port() || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || strings.Contains(link, c.Value) {
		t.Errorf("the cookie is %+v", c)
	}
	carry := func(r *http.Request) { r.AddCookie(c) }
	if resp, body := doRequest(t, http.MethodGet, server.URL+"/api/pilots/m/a", "", carry); resp.StatusCode != http.StatusOK {
		t.Errorf("with the cookie: %s %s", resp.Status, body)
	}
	resp, body := doRequest(t, http.MethodGet, link, "", nil)
	if resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) > 0 || !strings.Contains(body, "login-form") || strings.Contains(body, "ada") {
		t.Errorf("used again: %s, %v", resp.Status, resp.Cookies())
	}
	if resp, _ := doRequest(t, http.MethodGet, link, "", carry); resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) > 0 {
		t.Errorf("used again by who is signed in: %s, %v", resp.Status, resp.Cookies())
	}
}

// TestALinkMaySignInByTheForm, where its token is pasted, once too.
func TestALinkMaySignInByTheForm(t *testing.T) {
	t.Parallel()
	server := serveWithLinks(t, newClock())
	_, once, _ := strings.Cut(web.NewLink("", token, thisRun, startTime), "token=")
	given, _ := json.Marshal(map[string]string{"token": once})
	for _, want := range []int{http.StatusNoContent, http.StatusUnauthorized} {
		resp, _ := doRequest(t, http.MethodPost, server.URL+"/api/login", string(given), func(r *http.Request) {
			r.Header.Set("X-Flightlog", "1")
			r.Header.Set("Origin", server.URL)
		})
		if resp.StatusCode != want || (len(resp.Cookies()) == 1) != (want == http.StatusNoContent) {
			t.Errorf("got %s, %v; want %d", resp.Status, resp.Cookies(), want)
		}
	}
}

// TestOfManyVisitorsALinkSignsInOne.
func TestOfManyVisitorsALinkSignsInOne(t *testing.T) {
	t.Parallel()
	server := serveWithLinks(t, newClock())
	link := web.NewLink(server.URL+"/", token, thisRun, startTime)
	var in atomic.Int64
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if resp, _ := doRequest(t, http.MethodGet, link, "", nil); resp.StatusCode == http.StatusSeeOther {
				in.Add(1)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 {
		t.Errorf("%d got in", in.Load())
	}
}

// TestLinksThatSignNobodyIn: of other runs and pages, over, changed, and none at all.
func TestLinksThatSignNobodyIn(t *testing.T) {
	t.Parallel()
	at := newClock()
	server := serveWithLinks(t, at)
	page := server.URL + "/"
	l := newFakeService()
	replica := servePage(t, l, web.Config{Token: token}) // links sign nobody in there
	bad := map[string]string{
		"of another run":           web.NewLink(page, token, thisRun+"!", startTime),
		"of another token":         web.NewLink(page, token+"!", thisRun, startTime),
		"of an hour ago":           web.NewLink(page, token, thisRun, startTime.Add(-web.LinkLife)),
		"to a page without links":  web.NewLink(replica.URL+"/", token, "", startTime),
		"the token itself":         page + "?token=" + url.QueryEscape(token),
		"empty":                    page + "?token=",
		"no base64":                page + "?token=%25%25%25",
		"nothing but zeros":        page + "?token=" + base64.RawURLEncoding.EncodeToString(make([]byte, 56)),
		"on the address of pilots": web.NewLink(server.URL+"/pilots/m/a", token+"!", thisRun, startTime),
	}
	good := web.NewLink(page, token, thisRun, startTime)
	_, once, _ := strings.Cut(good, "token=")
	raw, err := base64.RawURLEncoding.DecodeString(once)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw { // its end, its random part, its seal
		raw[i] ^= 1
		bad["one bit changed "+once[:3]+string(rune('0'+i))] = page + "?token=" + base64.RawURLEncoding.EncodeToString(raw)
		raw[i] ^= 1
	}
	for name, link := range bad {
		if resp, _ := doRequest(t, http.MethodGet, link, "", nil); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) > 0 {
			t.Errorf("%s: %s, %v", name, resp.Status, resp.Cookies())
		}
	}
	if resp, _ := doRequest(t, http.MethodGet, good, "", nil); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("the good one: %s", resp.Status)
	}
	later := startTime.Add(web.LinkLife)
	at.Store(&later) // what was spent is forgotten, for it is over
	for range 2 {
		if resp, _ := doRequest(t, http.MethodGet, good, "", nil); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("the good one, after an hour: %s", resp.Status)
		}
	}
}

// TestWithoutATokenOnlyItsOwnerLooks: others of the machine see nothing and cancel nothing.
func TestWithoutATokenOnlyItsOwnerLooks(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	l.movePilot("a", pilot.Active, nil)
	var own atomic.Bool
	server := servePage(t, l, web.Config{Own: func(netip.AddrPort, netip.AddrPort) bool { return own.Load() }})
	for mine, want := range map[bool]int{false: http.StatusForbidden, true: http.StatusOK} {
		own.Store(mine)
		for _, path := range []string{"/api/marks", "/api/pilots/m/a", "/api/pilots/m/a/script", "/api/pilots/m/a/output"} {
			if resp, body := doRequest(t, http.MethodGet, server.URL+path, "", nil); resp.StatusCode != want {
				t.Errorf("%s, asked by our user %v: %s %s", path, mine, resp.Status, body)
			}
		}
		resp, _ := doRequest(t, http.MethodPost, server.URL+"/api/pilots/m/a/cancel", "{}", func(r *http.Request) {
			r.Header.Set("X-Flightlog", "1")
			r.Header.Set("Origin", server.URL)
		})
		if refused := resp.StatusCode == http.StatusForbidden; refused == mine {
			t.Errorf("cancel, asked by our user %v: %s", mine, resp.Status)
		}
	}
}

// TestASessionIsOfOneUser: a browser of another user gets none, by no token, and what it
// took of another browser's is worth nothing.
func TestASessionIsOfOneUser(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	l.movePilot("a", pilot.Active, nil)
	var own atomic.Bool
	var server *httptest.Server
	server = servePage(t, l, web.Config{Token: token, Run: thisRun, Own: func(from, to netip.AddrPort) bool {
		if from.String() == to.String() || "http://"+to.String() != server.URL {
			t.Errorf("asked about a connection from %s to %s", from, to)
		}
		return own.Load()
	}})
	link := web.NewLink(server.URL+"/", token, thisRun, time.Now())
	if resp, _ := doRequest(t, http.MethodGet, link, "", nil); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) > 0 {
		t.Errorf("the link, of another user: %s", resp.Status)
	}
	given, _ := json.Marshal(map[string]string{"token": token})
	login := func() *http.Response {
		resp, _ := doRequest(t, http.MethodPost, server.URL+"/api/login", string(given), func(r *http.Request) {
			r.Header.Set("X-Flightlog", "1")
			r.Header.Set("Origin", server.URL)
		})
		return resp
	}
	if resp := login(); resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) > 0 {
		t.Errorf("the form, of another user: %s", resp.Status)
	}
	own.Store(true)
	if resp := login(); resp.StatusCode != http.StatusNoContent {
		t.Errorf("the form, of ours: %s", resp.Status)
	}
	resp, _ := doRequest(t, http.MethodGet, link, "", nil)
	if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 1 {
		t.Fatalf("the link, of ours: %s", resp.Status)
	}
	for mine, want := range map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized} {
		own.Store(mine)
		if got, _ := doRequest(t, http.MethodGet, server.URL+"/api/pilots/m/a", "", func(r *http.Request) { r.AddCookie(resp.Cookies()[0]) }); got.StatusCode != want {
			t.Errorf("the session, asked by our user %v: %s", mine, got.Status)
		}
	}
}
