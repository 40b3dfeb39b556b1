package runner

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// loginEnviron knows the environment that a login has: batch systems are often found
// only through a profile. Profiles take from milliseconds to seconds, and some
// of them may run only once at a time; so it is asked for once in a while, and
// not by each command.
type loginEnviron struct {
	run func(ctx context.Context, script string) (Result, error) // by a login shell

	lock       chan struct{} // of one place: whoever holds it has the fields below
	environ    []string
	validUntil time.Time
}

// loginEnvironTTL is how long a change of a profile may go unseen.
const loginEnvironTTL = 10 * time.Minute

func newLoginEnviron(run func(ctx context.Context, script string) (Result, error)) *loginEnviron {
	return &loginEnviron{run: run, lock: make(chan struct{}, 1)}
}

func (l *loginEnviron) getEnviron(ctx context.Context) ([]string, error) {
	select {
	case l.lock <- struct{}{}:
		defer func() { <-l.lock }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if l.environ != nil && time.Now().Before(l.validUntil) {
		return l.environ, nil
	}
	environ, err := l.fetchEnviron(ctx)
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	l.environ, l.validUntil = environ, time.Now().Add(loginEnvironTTL)
	return environ, nil
}

func (l *loginEnviron) fetchEnviron(ctx context.Context) ([]string, error) {
	mark := "\n" + rand.Text() + "\n"
	r, err := l.run(ctx, environScript(mark))
	if err != nil {
		return nil, err
	}
	_, rest, _ := bytes.Cut(r.Stdout, []byte(mark))
	text, _, ok := bytes.Cut(rest, []byte(mark))
	if !ok {
		return nil, fmt.Errorf("the shell does not end as it should: %s", describeExit(r))
	}
	return parseEnviron(string(text)), nil
}

// environScript prints its environment between two marks. Only Linux has the
// first command, and only newer systems the second; the third serves all whose
// values have no lines that look like variables.
func environScript(mark string) string {
	say := `printf '\n%s\n' ` + strings.TrimSpace(mark) + "\n"
	return "unset " + scriptVariable + "; exec </dev/null\n" + say + "cat /proc/self/environ 2>/dev/null || env -0 2>/dev/null || env\n" + say
}

// parseEnviron reads entries that end in NUL, or lines.
func parseEnviron(text string) []string {
	end := "\x00"
	if !strings.Contains(text, end) {
		end = "\n"
	}
	environ := []string{}
	for entry := range strings.SplitSeq(text, end) {
		name, _, ok := strings.Cut(entry, "=")
		switch {
		case ok && validName(name):
			environ = append(environ, entry)
		case end == "\n" && len(environ) > 0:
			environ[len(environ)-1] += end + entry
		}
	}
	kept := environ[:0]
	for _, entry := range environ {
		switch name, _, _ := strings.Cut(entry, "="); name {
		case "_", "SHLVL", "PWD", "OLDPWD", scriptVariable: // of that shell alone
		default:
			kept = append(kept, entry)
		}
	}
	return kept
}

// validName: others, as of bash's functions, are no business of sh.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// scriptVariable carries a script past a login shell of whatever kind.
const scriptVariable = "FLIGHTLOG_SCRIPT"

// loginLine is a line of sh that reads what a login of this account reads, and
// then has sh run the script in scriptVariable. Each shell takes the same words
// for that, for nothing in them means anything to one and not to another. csh
// has no -l beside other flags; of an unknown shell, or none, sh reads the
// profile.
//
// A profile can print whatever it likes: the script marks where its own output
// begins.
const loginLine = `case ${SHELL##*/} in
bash|zsh|ksh|ksh93|mksh|dash|ash|sh|fish) exec "$SHELL" -l -c 'exec sh -c '\''eval "$` + scriptVariable + `"'\' </dev/null;;
csh|tcsh) printf '%s\n' 'exec sh -c '\''eval "$` + scriptVariable + `"'\' | exec "$SHELL" -l;;
esac
exec sh -l -c 'eval "$` + scriptVariable + `"' </dev/null`

// loginDefs is where the umask of logins is set: login.defs(5), pam_umask(8).
const loginDefs = "/etc/login.defs"

// loginUmask reads the umask of logins. 022, the default of pam_umask(8), where there is
// none. What a profile says of it the profile says again in each job, whose shell is a
// login's.
func loginUmask(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return "022"
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "UMASK" {
			continue
		}
		if n, err := strconv.ParseUint(f[1], 8, 16); err == nil && n <= 0o777 {
			return fmt.Sprintf("%03o", n)
		}
	}
	return "022"
}
