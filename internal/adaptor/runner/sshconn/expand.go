package sshconn

import (
	"crypto/sha1" //nolint:gosec // %C is this hash; it guards nothing
	"encoding/hex"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// tokens give the values of %-tokens, by their letter (ssh_config(5), TOKENS). A letter
// that is missing is one that the keyword does not take.
type tokens map[byte]string

// Which tokens a keyword takes, as in OpenSSH 9.9; older versions take no more.
const (
	pathTokens = "CLdhijklnpru" // IdentityAgent, IdentityFile, UserKnownHostsFile, Include, …
	jumpTokens = "hnpr"         // ProxyJump
	nameTokens = "h"            // HostName
)

// restrictTo leaves those of the letters.
func (t tokens) restrictTo(letters string) tokens {
	some := tokens{}
	for i := range len(letters) {
		if value, ok := t[letters[i]]; ok {
			some[letters[i]] = value
		}
	}
	return some
}

// tokensOf gives all values that are known before a connection is made.
func (o *options) tokensOf(h *host, jump string) tokens {
	full, _ := os.Hostname()
	short, _, _ := strings.Cut(full, ".")
	if strings.EqualFold(jump, "none") {
		jump = ""
	}
	t := tokens{
		'L': short, 'd': o.home, 'h': h.name, 'i': strconv.Itoa(os.Getuid()), 'j': jump, 'k': o.firstValue("hostkeyalias", o.alias),
		'l': full, 'n': o.alias, 'p': strconv.Itoa(h.port), 'r': h.user, 'u': localUser(),
	}
	sum := sha1.Sum([]byte(t['l'] + t['h'] + t['p'] + t['r'] + t['j'])) //nolint:gosec // see above
	t['C'] = hex.EncodeToString(sum[:])
	return t
}

func localUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// expandPath expands a leading ~ or ~user, then ${NAME} and %-tokens, in one pass: what a
// value holds is not looked at again.
func (o *options) expandPath(keyword, s string, t tokens) (string, error) {
	s, err := o.expandTilde(s)
	if err != nil {
		return "", pilot.Errorf(pilot.Invalid, "%s: %w", keyword, err)
	}
	return expandTokens(keyword, s, t, true)
}

// expandTilde replaces a leading ~ by this user's home directory, and ~user by that one's.
func (o *options) expandTilde(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok {
		return path, nil
	}
	name, below, _ := strings.Cut(rest, "/")
	if len(below) > 0 || strings.HasSuffix(rest, "/") {
		below = "/" + strings.TrimLeft(below, "/")
	}
	if name == "" {
		return o.home + below, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return "", pilot.Errorf(pilot.Invalid, "%s: there is no user %s", path, name)
	}
	return u.HomeDir + below, nil
}

// expandTokens replaces %-tokens and, with variables, ${NAME} by the value in this process's
// environment. A token that the keyword does not take and a variable that is not set
// are errors, as they are in OpenSSH.
func expandTokens(keyword, s string, t tokens, variables bool) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		rest := s[i:]
		switch {
		case variables && strings.HasPrefix(rest, "${"):
			name, _, ok := strings.Cut(rest[2:], "}")
			value, set := os.LookupEnv(name)
			switch {
			case !ok:
				return "", pilot.Errorf(pilot.Invalid, "%s %s: a ${ has no }", keyword, s)
			case name == "":
				return "", pilot.Errorf(pilot.Invalid, "%s %s: ${} names no variable", keyword, s)
			case !set:
				return "", pilot.Errorf(pilot.Invalid, "%s %s: variable %s is not set in the launcher's environment", keyword, s, name)
			}
			b.WriteString(value)
			i += len("${}") + len(name) - 1
		case rest[0] != '%':
			b.WriteByte(rest[0])
		case len(rest) == 1:
			return "", pilot.Errorf(pilot.Invalid, "%s %s: a %% at the end is no token; %%%% is a percent sign", keyword, s)
		default:
			value, ok := t[rest[1]]
			if rest[1] == '%' {
				value, ok = "%", true
			}
			if !ok {
				return "", pilot.Errorf(pilot.Invalid, "%s %s: it takes no token %%%c", keyword, s, rest[1])
			}
			b.WriteString(value)
			i++
		}
	}
	return b.String(), nil
}
