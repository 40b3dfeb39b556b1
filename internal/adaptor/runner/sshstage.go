package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path"
	"sync"

	"github.com/flightlog/flightlog/internal/resource/render"
)

// verifiedFiles remembers which files there have been seen to hold what their name says.
// After that their size is enough.
type verifiedFiles struct {
	mu    sync.Mutex
	paths map[string]bool
}

func (s *verifiedFiles) contains(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paths[path]
}

func (s *verifiedFiles) add(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paths == nil {
		s.paths = map[string]bool{}
	}
	s.paths[path] = true
}

// stageLines are functions for staging. alone refuses a working directory as Local.checkPrivate
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
	if err := checkContext(ctx); err != nil {
		return "", err
	}
	dir, err := checkPath(dir)
	if err != nil {
		return "", err
	}
	c, err := s.hashes.openHashed(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.file.Close() }()
	if err := s.stageContent(ctx, c, dir); err != nil {
		if _, away := errors.AsType[*Error](err); away {
			return "", err
		}
		return "", &UnusableDirError{dir, err}
	}
	return path.Join(dir, c.stagedName()), nil
}

func (s *SSH) stageContent(ctx context.Context, c *hashedFile, dir string) error {
	name, target := render.Quote(c.stagedName()), path.Join(dir, c.stagedName())
	hash, try := c.hash, "tried\n"
	if s.verified.contains(target) {
		hash, try = "", ""
	}
	begin := fileLines + putLines + stageLines + enterLines(dir) + "t=.tmp" + rand.Text() + "\nalone\n"
	r, err := s.runScript(ctx, begin+try+fmt.Sprintf("if good %s %d '%s'; then touch ./%[1]s 2>/dev/null; echo there; fi", name, c.size, hash), nil)
	if err = scriptError("stage "+target, r, err); err != nil {
		return err
	}
	if string(r.Stdout) != "there\n" {
		if err := s.sendContent(ctx, c, begin, target); err != nil {
			return err
		}
	}
	s.verified.add(target)
	return nil
}

func (s *SSH) sendContent(ctx context.Context, c *hashedFile, begin, target string) error {
	b, err := io.ReadAll(io.NewSectionReader(c.file, 0, c.size))
	if err != nil {
		return err
	}
	script := begin + fmt.Sprintf("trap '[ -e \"$t\" ] && rm -f \"$t\"' EXIT\ncat >\"$t\" && chmod 700 \"$t\" || exit 74\n"+
		"good \"$t\" %d %s || { echo 'it does not arrive whole' >&2; exit 74; }\nput %s 700", c.size, c.hash, render.Quote(c.stagedName()))
	r, err := s.runScript(ctx, script, b)
	return scriptError("stage "+target, r, err)
}
