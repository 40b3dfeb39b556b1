package runner

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"path"
	"sync"

	"github.com/flightlog/flightlog/resource/render"
)

// sums remembers which files there have been seen to hold what their name says.
// After that their size is enough.
type sums struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (s *sums) has(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[path]
}

func (s *sums) add(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[path] = true
}

// sumLines tell whether a file holds what it should, where a command for that is.
const sumLines = `good() {
[ -f "./$1" ] && ! [ -L "./$1" ] && [ -x "./$1" ] && [ -O "./$1" ] && [ "$(wc -c <"./$1")" -eq "$2" ] || return
[ -z "$3" ] || ! command -v sha256sum >/dev/null 2>&1 || [ "$(sha256sum <"./$1" | cut -c 1-64)" = "$3" ]
}
`

// Stage looks first whether the file is there. Who stages the same at the same
// time sends it too, by another name, and what comes last stays.
func (s *SSH) Stage(ctx context.Context, file, dir string) (string, error) {
	if err := begun(ctx); err != nil {
		return "", err
	}
	dir, err := checkPath(dir)
	if err != nil {
		return "", err
	}
	c, err := s.hashes.open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.file.Close() }()
	name, target := render.Quote(c.name()), path.Join(dir, c.name())
	hash := c.hash
	if s.sums.has(target) {
		hash = ""
	}
	begin := fileLines + putLines + sumLines + enterLines(dir)
	r, err := s.script(ctx, begin+fmt.Sprintf("if good %s %d '%s'; then echo there; fi", name, c.size, hash), nil)
	if err = answer("stage "+target, r, err); err != nil {
		return "", err
	}
	if string(r.Stdout) != "there\n" {
		if err := s.send(ctx, c, begin, target); err != nil {
			return "", err
		}
	}
	s.sums.add(target)
	return target, nil
}

func (s *SSH) send(ctx context.Context, c *content, begin, target string) error {
	b, err := io.ReadAll(io.NewSectionReader(c.file, 0, c.size))
	if err != nil {
		return err
	}
	script := begin + fmt.Sprintf("t=.tmp%s\ntrap '[ -e \"$t\" ] && rm -f \"$t\"' EXIT\ncat >\"$t\" && chmod 700 \"$t\" || exit 74\n"+
		"good \"$t\" %d %s || { echo 'it does not arrive whole' >&2; exit 74; }\nput %s 700", rand.Text(), c.size, c.hash, render.Quote(c.name()))
	r, err := s.script(ctx, script, b)
	return answer("stage "+target, r, err)
}
