package runner

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode"
)

// expander remembers what became of paths.
type expander struct {
	run func(ctx context.Context, script string) (Result, error) // in the environment of a login

	mu       sync.Mutex
	expanded map[string]string
}

func (e *expander) expandPath(ctx context.Context, path string) (string, error) {
	e.mu.Lock()
	found, ok := e.expanded[path]
	e.mu.Unlock()
	if ok {
		return found, nil
	}
	found, err := e.runExpandScript(ctx, path)
	if err != nil {
		return "", err
	}
	e.rememberPath(path, found)
	return found, nil
}

func (e *expander) rememberPath(path, found string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.expanded == nil {
		e.expanded = map[string]string{}
	}
	e.expanded[path] = found
}

// runExpandScript has a shell expand a path in a here-document, where quotes mean
// nothing and nothing is split.
func (e *expander) runExpandScript(ctx context.Context, path string) (string, error) {
	if strings.ContainsFunc(path, unicode.IsControl) {
		return "", invalidError("path %q holds control characters", path)
	}
	text := path
	if path == "~" || strings.HasPrefix(path, "~/") {
		text = "$HOME" + path[1:]
	}
	mark := rand.Text()
	r, err := e.run(ctx, expandScript(text, mark))
	if err != nil {
		return "", fmt.Errorf("expand %q: %w", path, err)
	}
	_, found, ok := bytes.Cut(r.Stdout, []byte("\n"+mark+"\n"))
	switch {
	case r.Code == exitFailed || r.Signal != "":
		return "", fmt.Errorf("expand %q: %s", path, describeExit(r))
	case r.Code != 0 || !ok || !filepath.IsAbs(string(found)):
		return "", invalidError("path %q: %s", path, summarizeOutput(r.Stderr))
	}
	return string(found), nil
}

// How our scripts exit, as in sysexits.h.
const (
	exitInvalid = 65 // they refuse what they were asked
	exitFailed  = 74 // they cannot do it
)

func expandScript(path, mark string) string {
	return `exec </dev/null; set -u
p=$(cat <<` + mark + "\n" + path + "\n" + mark + `
) || exit 65
case $p in
/*) ;;
*) printf 'it is "%s", which is not absolute\n' "$p" >&2; exit 65;;
esac
umask 077
mkdir -p -- "$p" && cd -- "$p" && p=$(pwd -P) || exit 74
printf '\n%s\n%s' ` + mark + ` "$p"`
}

// describeExit says how a script of ours ended that should have ended well.
func describeExit(r Result) string {
	if r.Signal != "" {
		return "killed by " + r.Signal
	}
	return fmt.Sprintf("exit code %d: %s", r.Code, summarizeOutput(r.Stderr))
}

// summarizeOutput gives the end of what a command said, on one line.
func summarizeOutput(b []byte) string {
	b = b[max(0, len(b)-500):]
	return strings.Join(strings.FieldsFunc(string(b), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// Expand needs a shell only where a shell would expand anything.
func (l *Local) Expand(ctx context.Context, path string) (string, error) {
	special := func(r rune) bool { return r == '$' || r == '`' || r == '\\' || unicode.IsControl(r) }
	if !filepath.IsAbs(path) || strings.ContainsFunc(path, special) {
		return l.expander.expandPath(ctx, path)
	}
	if err := checkContext(ctx); err != nil {
		return "", err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}
