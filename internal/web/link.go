package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"go.uber.org/zap"
)

// LinkLife is how long a link signs somebody in, if nobody used it before.
const LinkLife = time.Hour

const (
	linkNonce = 16 // bytes by which links differ
	linkSize  = 8 + linkNonce + sha256.Size
)

// NewLink gives the address of the page with a token that signs in whoever uses it first,
// once, within LinkLife, at a page of this token and run. Such a token is
// "<end, Unix s><random><MAC>" under a key that only the page's token gives: any process
// that may read that one can make more.
func NewLink(page, token, run string, now time.Time) string {
	b := make([]byte, linkSize)
	binary.BigEndian.PutUint64(b, uint64(now.Add(LinkLife).Unix())) //nolint:gosec // a time
	_, _ = rand.Read(b[8 : 8+linkNonce])                            // it never fails
	copy(b[8+linkNonce:], linkMAC(sha256.Sum256([]byte(token)), run, b[:8+linkNonce]))
	return page + "?token=" + base64.RawURLEncoding.EncodeToString(b)
}

func linkMAC(key [sha256.Size]byte, run string, payload []byte) []byte {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("flightlog link 1\n" + run + "\n"))
	mac.Write(payload)
	return mac.Sum(nil)
}

// links are those that were used, until they would be over anyway: each was made with
// the token, so strangers cannot make the list grow.
type links struct {
	mu   sync.Mutex
	used map[[linkNonce]byte]int64 // until when, Unix s
}

// redeemLink says whether a link's token is good, which it is once.
func (h *Handler) redeemLink(token string) bool {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != linkSize || h.cfg.Run == "" || h.cfg.Token == "" {
		return false
	}
	now, until := h.now().Unix(), int64(binary.BigEndian.Uint64(b)) //nolint:gosec // a time
	payload := b[:8+linkNonce]
	if !hmac.Equal(b[8+linkNonce:], linkMAC(h.token, h.cfg.Run, payload)) || now >= until {
		return false
	}
	nonce := [linkNonce]byte(b[8 : 8+linkNonce])
	h.links.mu.Lock()
	defer h.links.mu.Unlock()
	for n, end := range h.links.used {
		if now >= end {
			delete(h.links.used, n)
		}
	}
	if _, used := h.links.used[nonce]; used {
		return false
	}
	h.links.used[nonce] = until
	return true
}

// servePage serves the page; a link's token is exchanged for a session, and leaves the
// address. One that is no good gets the page that asks for another, as 401.
func (h *Handler) servePage(page file) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.Query()
		if !asked.Has("token") || r.Method != http.MethodGet {
			page.serveFile(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		_, visiting := h.sessionEnd(r)
		switch {
		case h.isOwnUser(r) && h.redeemLink(asked.Get("token")):
			h.signIn(w, r)
		case h.cfg.Token != "" && !visiting:
			h.cfg.Logger.Warn("login refused: the link is of another run, was used before or by another user, or is over", zap.String("from", r.RemoteAddr))
			w.Header().Set("Content-Type", page.kind)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(page.body)) // the visitor has left
			return
		}
		asked.Del("token")
		http.Redirect(w, r, (&url.URL{Path: r.URL.Path, RawQuery: asked.Encode()}).String(), http.StatusSeeOther)
	}
}

// signIn gives a visitor a session.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	until := h.now().Add(sessionLifetime)
	http.SetCookie(w, &http.Cookie{
		Name: h.cookieOf(r), Value: h.sealSession(until.Unix()), Path: "/", Expires: until, MaxAge: int(sessionLifetime.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: overTLS(r),
	})
}

// cookieOf names the cookie, of a page that stands alone, after its port: browsers send
// those of one host to all of its ports, where another page of ours may be. Replicas
// know each other's.
func (h *Handler) cookieOf(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil && h.cfg.Run != "" {
		return cookieName + "-" + port
	}
	return cookieName
}
