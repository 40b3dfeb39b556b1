package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var static embed.FS

// types are those of the files there are; nothing is guessed.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// file is one of the page's own.
type file struct {
	body, kind, tag string
}

func files() (map[string]file, error) {
	all := map[string]file{}
	err := fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		sum := sha256.Sum256(body)
		all[strings.TrimPrefix(name, "static/")] = file{string(body), types[path.Ext(name)], `"` + hex.EncodeToString(sum[:12]) + `"`}
		return err
	})
	return all, err
}

// route says who answers what. The page's own files tell nothing about pilots,
// so everybody gets them; the page shows the login when it is told to.
func (h *Handler) route() error {
	all, err := files()
	if err != nil {
		return err
	}
	h.mux = http.NewServeMux()
	h.mux.HandleFunc("GET /{$}", h.entry(all["index.html"]))
	h.mux.HandleFunc("GET /pilots/{manager}/{uid}", h.entry(all["index.html"]))
	for name, f := range all {
		if name != "index.html" {
			h.mux.HandleFunc("GET /static/"+name, f.serve)
		}
	}
	h.mux.HandleFunc("GET /api/events", h.known(h.stream))
	h.mux.HandleFunc("GET /api/marks", h.known(h.marks))
	h.mux.HandleFunc("GET /api/pilots/{manager}/{uid}", h.known(h.pilot))
	h.mux.HandleFunc("GET /api/pilots/{manager}/{uid}/output", h.known(h.output))
	h.mux.HandleFunc("GET /api/pilots/{manager}/{uid}/script", h.known(h.script))
	h.mux.HandleFunc("POST /api/pilots/{manager}/{uid}/cancel", h.known(h.ours(h.cancel)))
	h.mux.HandleFunc("POST /api/login", h.ours(h.login))
	h.mux.HandleFunc("POST /api/logout", h.ours(h.logout))
	h.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "there is nothing here") })
	return nil
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Cache-Control", "no-cache") // asked again each time, and sent only if it is another one
	w.Header().Set("ETag", f.tag)
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write([]byte(f.body)) // the visitor has left
}
