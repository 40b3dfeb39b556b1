package runner

import (
	"context"
	"crypto/rand"
	"errors"
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

// stageLines are functions for staging. alone refuses a working directory as Local.alone
// does, and tried one in which nothing can be executed, for which a script is tried out:
// not every shell's [ -x ] knows of noexec. good tells whether a file is this user's
// alone and holds what it should, which is summed up where there is a command for that.
const stageLines = `alone() {
d=$(pwd -P); m=$(id -u); g=$(id -g); h=$(cd 2>/dev/null && pwd -P)
[ "$d" = "$PWD" ] || no "the way to $PWD leads through a link"
[ -z "$(find . -prune \( -perm -002 -o -perm -020 \))" ] || no "others may write to $d; 'chmod go-w $d' keeps them out"
w='-perm -020'; [ "$m" != "$g" ] || w="$w ! -group $g"
set --
while [ -n "$d" ] && [ "$d" != "$h" ]; do set -- "$d" "$@"; d=${d%/*}; done
[ -n "$d" ] || set -- / "$@"
[ $# -gt 0 ] || return 0
b=$(find "$@" -prune \( ! -user 0 ! -user "$m" -o ! -perm -1000 \( -perm -002 -o $w \) \)) || exit 74
[ -z "$b" ] || no "another user may change what is in" $b
}
tried() {
printf '#!/bin/sh\n' 2>/dev/null >"$t" && chmod 700 "$t" || { rm -f "$t"; return 0; }
"./$t" </dev/null 2>/dev/null
s=$?; rm -f "$t"
[ "$s" -ne 126 ] || { echo "nothing in $PWD can be executed, as where a file system is mounted noexec" >&2; exit 74; }
}
good() {
[ -n "$(find "./$1" -prune -type f -user "$(id -u)" -perm 700 2>/dev/null)" ] && [ "$(wc -c <"./$1")" -eq "$2" ] || return
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
	if err := s.stage(ctx, c, dir); err != nil {
		if _, away := errors.AsType[*Error](err); away {
			return "", err
		}
		return "", &PlaceError{dir, err}
	}
	return path.Join(dir, c.name()), nil
}

func (s *SSH) stage(ctx context.Context, c *content, dir string) error {
	name, target := render.Quote(c.name()), path.Join(dir, c.name())
	hash, try := c.hash, "tried\n"
	if s.sums.has(target) {
		hash, try = "", ""
	}
	begin := fileLines + putLines + stageLines + enterLines(dir) + "t=.tmp" + rand.Text() + "\nalone\n"
	r, err := s.script(ctx, begin+try+fmt.Sprintf("if good %s %d '%s'; then touch ./%[1]s 2>/dev/null; echo there; fi", name, c.size, hash), nil)
	if err = answer("stage "+target, r, err); err != nil {
		return err
	}
	if string(r.Stdout) != "there\n" {
		if err := s.send(ctx, c, begin, target); err != nil {
			return err
		}
	}
	s.sums.add(target)
	return nil
}

func (s *SSH) send(ctx context.Context, c *content, begin, target string) error {
	b, err := io.ReadAll(io.NewSectionReader(c.file, 0, c.size))
	if err != nil {
		return err
	}
	script := begin + fmt.Sprintf("trap '[ -e \"$t\" ] && rm -f \"$t\"' EXIT\ncat >\"$t\" && chmod 700 \"$t\" || exit 74\n"+
		"good \"$t\" %d %s || { echo 'it does not arrive whole' >&2; exit 74; }\nput %s 700", c.size, c.hash, render.Quote(c.name()))
	r, err := s.script(ctx, script, b)
	return answer("stage "+target, r, err)
}
