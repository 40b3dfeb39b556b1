package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/pilot"
)

// CheckListen says whether the page may be served at an address, host:port or
// that of a listener: without a token only where nobody else can come. Code
// denied: it may not.
func CheckListen(addr, token string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return pilot.Errorf(pilot.Invalid, "%q is not host:port", addr)
	}
	if token != "" || isLoopback(host) {
		return nil
	}
	return pilot.Errorf(pilot.Denied, "%s: whoever can reach it could see and cancel all pilots; "+
		"listen on 127.0.0.1, or have visitors say a token", addr)
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

const (
	cookieName      = "flightlog"
	sessionLifetime = 12 * time.Hour
	// callerHeader is the header that requests which change something carry. Another
	// site's page cannot send it without being allowed to first.
	callerHeader = "X-Flightlog"
)

// contentSecurityPolicy is the page's: nothing but our own files, and no text becomes markup.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// ServeHTTP answers what comes to a host that is ours.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", contentSecurityPolicy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Frame-Options", "DENY")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	if !h.isOwnHost(r.Host) {
		h.cfg.Logger.Warn("request to another host refused", zap.String("host", clipText(r.Host)), zap.String("from", r.RemoteAddr))
		writeRefusal(w, http.StatusMisdirectedRequest, "this host is not served here")
		return
	}
	h.mux.ServeHTTP(w, r)
}

// isOwnHost says whether a request is addressed to us. A name that a visitor's
// browser was tricked into resolving to our address is no name of ours; an
// address cannot be tricked. Without a token only loopback counts.
func (h *Handler) isOwnHost(host string) bool {
	name := host
	if bare, _, err := net.SplitHostPort(host); err == nil {
		name = bare
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if isLoopback(name) || slices.ContainsFunc(h.cfg.Hosts, func(n string) bool { return strings.EqualFold(n, name) }) {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil && h.cfg.Token != ""
}

// requireVisitor lets those through who may see pilots.
func (h *Handler) requireVisitor(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, visiting := h.sessionEnd(r)
		if h.cfg.Token == "" && !h.isOwnUser(r) {
			h.cfg.Logger.Warn("request of another user refused", zap.String("from", r.RemoteAddr))
			writeRefusal(w, http.StatusForbidden, "without a token only who runs this service sees its page; for others it needs --http-token-file")
			return
		}
		if h.cfg.Token != "" && !visiting && !h.hasBearerToken(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="flightlog"`)
			writeRefusal(w, http.StatusUnauthorized, "a token is needed")
			return
		}
		next(w, r)
	}
}

// requireSameOrigin lets requests through that this page made, or a program did.
func (h *Handler) requireSameOrigin(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		u, err := url.Parse(origin)
		site := r.Header.Get("Sec-Fetch-Site")
		switch {
		case r.Header.Get(callerHeader) == "",
			origin == "" && !h.hasBearerToken(r),
			origin != "" && (err != nil || u.Host != r.Host),
			site != "" && site != "same-origin":
			h.cfg.Logger.Warn("request of another site refused", zap.String("origin", clipText(origin)), zap.String("from", r.RemoteAddr))
			writeRefusal(w, http.StatusForbidden, "this is not a request of the page itself")
			return
		}
		next(w, r)
	}
}

// hasBearerToken says whether the request carries the token itself.
func (h *Handler) hasBearerToken(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return h.cfg.Token != "" && strings.EqualFold(scheme, "Bearer") && h.isToken(strings.TrimSpace(token))
}

// isToken compares a token in a time that tells nothing about it.
func (h *Handler) isToken(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], h.token[:]) == 1
}

// A session is "<end, Unix s>.<MAC>" under a key that only the token gives: any
// replica knows it again, nobody needs to keep it, and it ends with the token.

func (h *Handler) sealSession(until int64) string {
	mac := hmac.New(sha256.New, h.token[:])
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(until)) //nolint:gosec // a time
	mac.Write([]byte("flightlog session 1"))
	mac.Write(b[:])
	return base64.RawURLEncoding.EncodeToString(append(b[:], mac.Sum(nil)...))
}

// sessionEnd says whether a visitor has logged in, and until when that counts.
func (h *Handler) sessionEnd(r *http.Request) (time.Time, bool) {
	c, err := r.Cookie(h.cookieOf(r))
	if err != nil || h.cfg.Token == "" || !h.isOwnUser(r) {
		return time.Time{}, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(sealed) != 8+sha256.Size {
		return time.Time{}, false
	}
	until := int64(binary.BigEndian.Uint64(sealed)) //nolint:gosec // a time
	if !hmac.Equal([]byte(c.Value), []byte(h.sealSession(until))) || h.now().Unix() >= until {
		return time.Time{}, false
	}
	return time.Unix(until, 0), true
}

// isOwnUser says whether who asks may have a session, or look where no token is needed.
func (h *Handler) isOwnUser(r *http.Request) bool {
	if h.cfg.Own == nil {
		return true
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	local, known := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if err != nil || !known {
		return false
	}
	to, err := netip.ParseAddrPort(local.String())
	return err == nil && h.cfg.Own(from, to)
}

// handleLogin answers POST /api/login.
func (h *Handler) handleLogin(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&ask); err != nil {
		writeRefusal(w, http.StatusBadRequest, "a JSON object with a token is needed")
		return
	}
	if !h.isOwnUser(r) {
		h.cfg.Logger.Warn("login refused: a browser of another user", zap.String("from", r.RemoteAddr))
		writeRefusal(w, http.StatusForbidden, "only who runs this service signs in here; for others it needs --http-token-file")
		return
	}
	if h.cfg.Token != "" && !h.isToken(ask.Token) && !h.redeemLink(ask.Token) {
		h.cfg.Logger.Warn("login refused", zap.String("from", r.RemoteAddr))
		writeRefusal(w, http.StatusUnauthorized, "this is not the token")
		return
	}
	h.signIn(w, r)
	w.WriteHeader(http.StatusNoContent)
}

// overTLS says whether the browser came by https, to us or to a proxy before us.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https:")
}

// handleLogout answers POST /api/logout. Who kept the cookie's value could go on
// until it ends; the page cannot read it.
func (h *Handler) handleLogout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name: h.cookieOf(r), Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: overTLS(r),
	})
	w.WriteHeader(http.StatusNoContent)
}
