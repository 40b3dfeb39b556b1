package runner

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/flightlog/flightlog/internal/resource/render"
)

// fileLines are what scripts about files have in common. own enters a directory,
// makes it if need be, and refuses one that is a link or another's.
const fileLines = `LC_ALL=C; export LC_ALL; PATH=$PATH:` + searchPath + `; umask 077
no() { printf '%s\n' "$*" >&2; exit 65; }
own() {
if [ -L "./$1" ] || { [ -e "./$1" ] && ! [ -d "./$1" ]; }; then no "$PWD/$1 is there already, and no directory"; fi
[ -d "./$1" ] || mkdir "./$1" 2>/dev/null || [ -d "./$1" ] || mkdir "./$1" || exit 74
cd "./$1" || exit 74
[ -O . ] || no "$PWD is another user's"
}
`

// enterLines enter a directory as openOwn does.
func enterLines(dir string) string {
	parent, last := path.Split(dir)
	base, first := path.Split(path.Clean(parent))
	base = path.Clean(base)
	there := render.Quote(base)
	lines := "cd " + there + " 2>/dev/null || { mkdir -p " + there + " && cd " + there + "; } || exit 74\n"
	if first != "" { // it is not right below the root
		lines += "own " + render.Quote(first) + "\n"
	}
	return lines + "own " + render.Quote(last) + "\n"
}

// putLines give a file its name. mv would go into a directory, and through a link
// to one. Input that was cut off ends like any other; so its size is looked at.
const putLines = `whole() {
[ "$(wc -c <"$1")" -eq "$2" ] || { echo "the input is cut off" >&2; exit 74; }
}
put() {
[ "$2" = 600 ] || chmod "$2" "$t" || exit 74
if [ -d "./$1" ]; then
[ -L "./$1" ] || { echo "$PWD/$1 is a directory" >&2; exit 74; }
rm -f "./$1"
fi
mv -f "$t" "./$1" || exit 74
}
`

// Write sends all files as the input of one command.
func (s *SSH) Write(ctx context.Context, dir string, files ...File) error {
	dir, err := checkWrite(dir, files)
	if err != nil {
		return err
	}
	var content []byte
	for _, f := range files {
		content = append(content, f.Content...)
	}
	r, err := s.runScript(ctx, writeScript(dir, files, len(content), rand.Text()), content)
	return scriptError("write to "+dir, r, err)
}

// writeScript: of several files the input is kept in a file first, for no
// command that can be had everywhere reads a part of it and no more.
func writeScript(dir string, files []File, total int, name string) string {
	var b strings.Builder
	b.WriteString(fileLines + putLines + enterLines(dir))
	fmt.Fprintf(&b, "t=.tmp%[1]s; all=$PWD/.all%[1]s\ntrap '[ -e \"$t\" ] && rm -f \"$t\"; [ -e \"$all\" ] && rm -f \"$all\"' EXIT\n", name)
	if len(files) > 1 {
		fmt.Fprintf(&b, "cat >\"$all\" || exit 74\nwhole \"$all\" %d\n", total)
	}
	at := 1
	for _, f := range files {
		dir, base := path.Split(f.Name)
		if dir != "" {
			b.WriteString("(\n") // to come back from there
			b.WriteString("trap '[ -e \"$t\" ] && rm -f \"$t\"' EXIT\n")
			for part := range strings.SplitSeq(path.Clean(dir), "/") {
				b.WriteString("own " + render.Quote(part) + "\n")
			}
		}
		switch size := len(f.Content); {
		case size == 0:
			b.WriteString(": >\"$t\" || exit 74\n")
		case len(files) == 1:
			fmt.Fprintf(&b, "cat >\"$t\" || exit 74\nwhole \"$t\" %d\n", size)
		default:
			fmt.Fprintf(&b, "tail -c +%d \"$all\" | head -c %d >\"$t\" || exit 74\n", at, size)
		}
		fmt.Fprintf(&b, "put %s %o\n", render.Quote(base), cmp.Or(f.Mode, 0o600))
		if dir != "" {
			b.WriteString(") || exit\n")
		}
		at += len(f.Content)
	}
	b.WriteString(":")
	return b.String()
}

// scriptError makes an error of whatever is not the end of a script that did all.
func scriptError(what string, r Result, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case r.Code == exitInvalid:
		return invalidError("%s: %s", what, summarizeOutput(r.Stderr))
	case r.Code != 0:
		return fmt.Errorf("%s: %s", what, describeExit(r))
	}
	return nil
}

// Read reads all files by one command, or by more if they are too large.
func (s *SSH) Read(ctx context.Context, limit int64, paths ...string) ([][]byte, error) {
	for _, p := range paths {
		if _, err := checkPath(p); err != nil {
			return nil, err
		}
	}
	if len(paths) == 0 {
		return nil, nil
	}
	mark := rand.Text()
	r, err := s.runScript(ctx, fileLines+readScript(paths, limit, mark), nil)
	if err = scriptError("read", r, err); err != nil {
		return nil, err
	}
	if r.Truncated {
		if len(paths) == 1 {
			return nil, fmt.Errorf("read %s: more than %d bytes", paths[0], OutputLimit)
		}
		half := len(paths) / 2
		first, err := s.Read(ctx, limit, paths[:half]...)
		if err != nil {
			return nil, err
		}
		second, err := s.Read(ctx, limit, paths[half:]...)
		return append(first, second...), err
	}
	files, failed, err := parseFrames(r.Stdout, mark, len(paths))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if failed >= 0 {
		return nil, fmt.Errorf("read %s: %s", paths[failed], summarizeOutput(r.Stderr))
	}
	return files, nil
}

// Remove makes directories writable that are in its way.
func (s *SSH) Remove(ctx context.Context, paths ...string) error {
	clean := make([]string, len(paths))
	var err error
	for i, p := range paths {
		var bad error
		clean[i], bad = checkPath(p)
		err = errors.Join(err, bad)
	}
	if err != nil || len(paths) == 0 {
		return err
	}
	all := render.Command(clean)
	script := fileLines + "rm -rf " + all + ` 2>/dev/null && exit
s=0
for p in ` + all + `; do
[ -e "$p" ] || [ -L "$p" ] || continue
if [ -d "$p" ] && ! [ -L "$p" ]; then chmod -R u+rwx "$p" 2>/dev/null; fi
rm -rf "$p" || s=74
done
exit $s`
	r, err := s.runScript(ctx, script, nil)
	return scriptError("remove", r, err)
}
