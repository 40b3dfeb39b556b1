package web_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/web"
	"github.com/flightlog/flightlog/pilot"
)

func TestCheckListen(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]pilot.Code{
		"127.0.0.1:8080": "", "127.7.7.7:0": "", "[::1]:80": "", "localhost:80": "", "[::ffff:127.0.0.1]:80": "",
		"0.0.0.0:80": pilot.Denied, ":80": pilot.Denied, "[::]:80": pilot.Denied, "192.168.1.2:80": pilot.Denied,
		"example.org:80": pilot.Denied, "localhost.example.org:80": pilot.Denied, "127.0.0.1": pilot.Invalid,
	} {
		if err := web.CheckListen(addr, ""); pilot.CodeOf(err) != want {
			t.Errorf("%s without a token: %v", addr, err)
		}
		if err := web.CheckListen(addr, token); pilot.CodeOf(err) == pilot.Denied {
			t.Errorf("%s with a token: %v", addr, err)
		}
	}
}

func TestShortTokensAreRefused(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	if _, err := web.New(web.Config{Log: l, Service: l, Token: "short"}); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("got %v", err)
	}
	if _, err := web.New(web.Config{Log: l}); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("got %v", err)
	}
}

// data are the endpoints that tell or change something.
var data = map[string]string{
	"/api/events": http.MethodGet, "/api/marks": http.MethodGet, "/api/pilots/m/a": http.MethodGet,
	"/api/pilots/m/a/script": http.MethodGet, "/api/pilots/m/a/cancel": http.MethodPost,
}

// TestWithoutTheTokenNothingIsTold, and nothing happens.
func TestWithoutTheTokenNothingIsTold(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	l.movePilot("a", pilot.Active, nil)
	server := servePage(t, l, web.Config{Token: token})
	for name, edit := range map[string]func(*http.Request){
		"nothing":       nil,
		"a wrong one":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token+"x") },
		"no scheme":     func(r *http.Request) { r.Header.Set("Authorization", token) },
		"basic":         func(r *http.Request) { r.SetBasicAuth("x", token) },
		"as a cookie":   func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "flightlog", Value: token}) },
		"a made cookie": func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "flightlog", Value: strings.Repeat("A", 54)}) },
		"as a query":    func(r *http.Request) { r.URL.RawQuery = "token=" + strings.ReplaceAll(token, " ", "+") },
	} {
		for path, method := range data {
			resp, body := doRequest(t, method, server.URL+path, "{}", func(r *http.Request) {
				r.Header.Set("X-Flightlog", "1")
				r.Header.Set("Origin", server.URL)
				if edit != nil {
					edit(r)
				}
			})
			if resp.StatusCode != http.StatusUnauthorized || strings.Contains(body, "ada") || resp.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s, %s: %s %s", name, path, resp.Status, body)
			}
		}
	}
	if len(l.reasons) > 0 {
		t.Errorf("canceled %v", l.reasons)
	}
}

// TestLogin: a cookie that scripts cannot read and other sites cannot use, good
// for twelve hours, with any replica that has the token and with no other.
func TestLogin(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	l.movePilot("a", pilot.Active, nil)
	cfg := web.Config{Log: l, Service: l, Token: token}
	h, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	at := startTime
	h.Clock(func() time.Time { return at })
	server := runHandler(t, h)
	own := func(r *http.Request) {
		r.Header.Set("X-Flightlog", "1")
		r.Header.Set("Origin", server.URL)
	}
	for _, body := range []string{`{"token":"wrong"}`, `{}`, `nonsense`, `{"token":"` + strings.Repeat("x", 10_000) + `"}`} {
		if resp, _ := doRequest(t, http.MethodPost, server.URL+"/api/login", body, own); resp.StatusCode < 400 || len(resp.Cookies()) > 0 {
			t.Errorf("login with %.30s: %s", body, resp.Status)
		}
	}
	given, _ := json.Marshal(map[string]string{"token": token})
	if resp, _ := doRequest(t, http.MethodPost, server.URL+"/api/login", string(given), nil); resp.StatusCode != http.StatusForbidden {
		t.Errorf("login from another site: %s", resp.Status)
	}
	resp, _ := doRequest(t, http.MethodPost, server.URL+"/api/login", string(given), own)
	if resp.StatusCode != http.StatusNoContent || len(resp.Cookies()) != 1 {
		t.Fatalf("login: %s, %v", resp.Status, resp.Cookies())
	}
	c := resp.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || c.MaxAge != 12*60*60 || strings.Contains(c.Value, token) {
		t.Errorf("the cookie is %+v", c)
	}
	secure, _ := doRequest(t, http.MethodPost, server.URL+"/api/login", string(given), func(r *http.Request) {
		r.Header.Set("X-Flightlog", "1")
		r.Header.Set("Origin", strings.Replace(server.URL, "http:", "https:", 1))
	})
	if !secure.Cookies()[0].Secure {
		t.Error("behind https the cookie goes over http too")
	}
	carry := func(r *http.Request) { r.AddCookie(c) }
	look := func(url string) int {
		resp, _ := doRequest(t, http.MethodGet, url+"/api/pilots/m/a", "", carry)
		return resp.StatusCode
	}
	second, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	second.Clock(func() time.Time { return startTime })
	replica, stranger := runHandler(t, second), servePage(t, l, web.Config{Token: token + "!"})
	if a, b, c := look(server.URL), look(replica.URL), look(stranger.URL); a != http.StatusOK || b != http.StatusOK || c != http.StatusUnauthorized {
		t.Errorf("this replica: %d, another one: %d, one of another token: %d", a, b, c)
	}
	s := openStream(t, server.URL, carry)
	s.readUntil("standing")
	at = startTime.Add(12 * time.Hour)
	if code := look(server.URL); code != http.StatusUnauthorized {
		t.Errorf("after twelve hours: %d", code)
	}
	resp, _ = doRequest(t, http.MethodPost, server.URL+"/api/logout", "{}", own)
	if cs := resp.Cookies(); len(cs) != 1 || cs[0].MaxAge >= 0 {
		t.Errorf("logout: %v", cs)
	}
}

// TestCancelOnlyFromThePage: other sites' pages cannot, whoever visits them.
func TestCancelOnlyFromThePage(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	l.movePilot("a", pilot.Active, nil)
	server := servePage(t, l, web.Config{})
	own := func(r *http.Request) {
		r.Header.Set("X-Flightlog", "1")
		r.Header.Set("Origin", server.URL)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	without := func(names ...string) func(*http.Request) {
		return func(r *http.Request) {
			own(r)
			for _, n := range names {
				r.Header.Del(n)
			}
		}
	}
	with := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			own(r)
			r.Header.Set(name, value)
		}
	}
	for name, edit := range map[string]func(*http.Request){
		"nothing": nil, "no header": without("X-Flightlog"), "no origin": without("Origin"),
		"another origin": with("Origin", "http://evil.example"), "null": with("Origin", "null"),
		"another port": with("Origin", "http://127.0.0.1:1"), "same site": with("Sec-Fetch-Site", "same-site"),
		"cross site": with("Sec-Fetch-Site", "cross-site"), "an address bar": with("Sec-Fetch-Site", "none"),
		"a token that none asked for": func(r *http.Request) {
			r.Header.Set("X-Flightlog", "1")
			r.Header.Set("Authorization", "Bearer ")
		},
	} {
		if resp, _ := doRequest(t, http.MethodPost, server.URL+"/api/pilots/m/a/cancel", "{}", edit); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	for _, body := range []string{"", "[]", `{"force":true}`, `{"reason":"` + strings.Repeat("x", 501) + `"}`, `{"reason":"` + strings.Repeat("x", 1<<20) + `"}`} {
		if resp, _ := doRequest(t, http.MethodPost, server.URL+"/api/pilots/m/a/cancel", body, own); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%.30q: %s", body, resp.Status)
		}
	}
	if len(l.reasons) > 0 {
		t.Fatalf("canceled %v", l.reasons)
	}
	if resp, _ := doRequest(t, http.MethodGet, server.URL+"/api/pilots/m/a/cancel", "", own); resp.StatusCode != http.StatusNotFound {
		t.Errorf("GET: %s", resp.Status)
	}
	resp, _ := doRequest(t, http.MethodPost, server.URL+"/api/pilots/m/a/cancel", `{"reason":" enough "}`, own)
	if resp.StatusCode != http.StatusNoContent || len(l.reasons) != 1 || l.reasons[0] != "m/a: enough" {
		t.Errorf("%s: %v", resp.Status, l.reasons)
	}
	resp, body := doRequest(t, http.MethodPost, server.URL+"/api/pilots/m/unknown/cancel", "{}", own)
	if resp.StatusCode != http.StatusNotFound || strings.Contains(body, "secret") {
		t.Errorf("unknown: %s %s", resp.Status, body)
	}
	l.cancelErr = pilot.Errorf(pilot.Denied, "not yours")
	if resp, body := doRequest(t, http.MethodPost, server.URL+"/api/pilots/m/a/cancel", "{}", own); resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "not yours") {
		t.Errorf("denied by the service: %s %s", resp.Status, body)
	}

	closed := servePage(t, l, web.Config{ReadOnly: true, Token: token})
	if g := readHello(t, openStream(t, closed.URL, withBearer)); g.Cancel || !g.Login {
		t.Errorf("read-only greets with %+v", g)
	}
	resp, _ = doRequest(t, http.MethodPost, closed.URL+"/api/pilots/m/a/cancel", "{}", func(r *http.Request) {
		withBearer(r)
		r.Header.Set("X-Flightlog", "1")
	})
	if resp.StatusCode != http.StatusForbidden || len(l.reasons) != 2 {
		t.Errorf("read-only: %s, %v", resp.Status, l.reasons)
	}
	open := servePage(t, l, web.Config{Token: token})
	resp, _ = doRequest(t, http.MethodPost, open.URL+"/api/pilots/m/a/cancel", "{}", func(r *http.Request) {
		withBearer(r)
		r.Header.Set("X-Flightlog", "1")
	})
	if resp.StatusCode != http.StatusForbidden || len(l.reasons) != 3 { // the service's own no
		t.Errorf("a program with the token: %s, %v", resp.Status, l.reasons)
	}
}

// TestHosts: a name that was made to point here gets nothing.
func TestHosts(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	for _, c := range []struct {
		cfg  web.Config
		host string
		want bool
	}{
		{web.Config{}, "127.0.0.1:8080", true},
		{web.Config{}, "localhost", true},
		{web.Config{}, "[::1]:8080", true},
		{web.Config{}, "evil.example", false},
		{web.Config{}, "evil.example:8080", false},
		{web.Config{}, "127.0.0.1.evil.example", false},
		{web.Config{}, "localhost.evil.example", false},
		{web.Config{}, "192.168.1.2:8080", false},
		{web.Config{Token: token}, "192.168.1.2:8080", true},
		{web.Config{Token: token}, "evil.example:8080", false},
		{web.Config{Token: token, Hosts: []string{"pilots.example.org"}}, "Pilots.Example.org", true},
		{web.Config{Hosts: []string{"pilots.example.org"}}, "pilots.example.org:443", true},
	} {
		server := servePage(t, l, c.cfg)
		resp, _ := doRequest(t, http.MethodGet, server.URL+"/", "", func(r *http.Request) { r.Host = c.host })
		if got := resp.StatusCode == http.StatusOK; got != c.want {
			t.Errorf("%s, token %q: %s", c.host, c.cfg.Token, resp.Status)
		}
	}
}

// TestHeaders stand on every answer, also on refusals.
func TestHeaders(t *testing.T) {
	t.Parallel()
	l := newFakeService()
	server := servePage(t, l, web.Config{Token: token})
	for _, directive := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'", "base-uri 'none'",
		"form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
	} {
		if !strings.Contains(web.Policy, directive) {
			t.Errorf("the policy lacks %s", directive)
		}
	}
	for _, path := range []string{"/", "/pilots/m/a", "/static/app.js", "/static/style.css", "/api/marks", "/nothing", "/static/", "/static/../web.go", "/static/index.html"} {
		for _, host := range []string{"", "evil.example"} {
			resp, body := doRequest(t, http.MethodGet, server.URL+path, "", func(r *http.Request) {
				if host != "" {
					r.Host = host
				}
			})
			for name, want := range map[string]string{
				"Content-Security-Policy": web.Policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY",
				"Access-Control-Allow-Origin": "",
			} {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s: %s is %q", path, name, got)
				}
			}
			if strings.Contains(body, "package web") || strings.Contains(body, token) {
				t.Errorf("%s gives %s", path, body)
			}
		}
	}
}

// TestModulesAreFetchedAtOnce: the page names them all, so that the browser does
// not learn of them one after another.
func TestModulesAreFetchedAtOnce(t *testing.T) {
	t.Parallel()
	modules, err := filepath.Glob("static/*.js")
	if err != nil || len(modules) == 0 {
		t.Fatalf("%v, %v", modules, err)
	}
	page, err := os.ReadFile("static/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		if !strings.Contains(string(page), `="/`+m+`"`) {
			t.Errorf("the page does not name %s", m)
		}
	}
}

// TestFiles are sent again only if they are other ones, and hold no markup that
// the policy would refuse.
func TestFiles(t *testing.T) {
	t.Parallel()
	server := servePage(t, newFakeService(), web.Config{})
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/pilots/m/a": "text/html; charset=utf-8", "/static/app.js": "text/javascript; charset=utf-8",
		"/static/style.css": "text/css; charset=utf-8", "/static/icon.svg": "image/svg+xml",
	} {
		resp, body := doRequest(t, http.MethodGet, server.URL+path, "", nil)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != kind || body == "" {
			t.Errorf("%s: %s, %s", path, resp.Status, resp.Header)
		}
		for _, bad := range []string{" style=", "<style", " onclick=", " onload=", "javascript:", "https://", "innerHTML"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
		resp, body = doRequest(t, http.MethodGet, server.URL+path, "", func(r *http.Request) { r.Header.Set("If-None-Match", resp.Header.Get("ETag")) })
		if resp.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s again: %s", path, resp.Status)
		}
	}
}
