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

// contentTypes are those of the files there are; nothing is guessed.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// file is one of the page's own.
type file struct {
	body, kind, tag string
}

func loadFiles() (map[string]file, error) {
	all := map[string]file{}
	err := fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		sum := sha256.Sum256(body)
		all[strings.TrimPrefix(name, "static/")] = file{string(body), contentTypes[path.Ext(name)], `"` + hex.EncodeToString(sum[:12]) + `"`}
		return err
	})
	return all, err
}

// registerRoutes says who answers what. The page's own files tell nothing about pilots,
// so everybody gets them; the page shows the login when it is told to.
func (h *Handler) registerRoutes() error {
	all, err := loadFiles()
	if err != nil {
		return err
	}
	h.mux = http.NewServeMux()
	h.mux.HandleFunc("GET /{$}", h.servePage(all["index.html"]))
	h.mux.HandleFunc("GET /pilots/{manager}/{uid}", h.servePage(all["index.html"]))
	for name, f := range all {
		if name != "index.html" {
			h.mux.HandleFunc("GET /static/"+name, f.serveFile)
		}
	}
	h.mux.HandleFunc("GET /api/events", h.requireVisitor(h.handleStream))
	h.mux.HandleFunc("GET /api/marks", h.requireVisitor(h.handleMarks))
	h.mux.HandleFunc("GET /api/pilots/{manager}/{uid}", h.requireVisitor(h.handlePilot))
	h.mux.HandleFunc("GET /api/pilots/{manager}/{uid}/output", h.requireVisitor(h.handleOutput))
	h.mux.HandleFunc("GET /api/pilots/{manager}/{uid}/script", h.requireVisitor(h.handleScript))
	h.mux.HandleFunc("POST /api/pilots/{manager}/{uid}/cancel", h.requireVisitor(h.requireSameOrigin(h.handleCancel)))
	h.mux.HandleFunc("POST /api/login", h.requireSameOrigin(h.handleLogin))
	h.mux.HandleFunc("POST /api/logout", h.requireSameOrigin(h.handleLogout))
	h.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeRefusal(w, http.StatusNotFound, "there is nothing here")
	})
	return nil
}

func (f file) serveFile(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Cache-Control", "no-cache") // asked again each time, and sent only if it is another one
	w.Header().Set("ETag", f.tag)
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write([]byte(f.body)) // the visitor has left
}
