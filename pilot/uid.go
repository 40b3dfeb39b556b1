package pilot

import "strings"

// UID names a pilot (unique within its manager), a manager or a session. It is
// one token of a subject: [A-Za-z0-9_-]{1,64}.
type UID = string

// MaxToken is the most bytes a UID, a site or a host may have.
const MaxToken = 64

// ValidToken says whether s is [A-Za-z0-9_-]{1,64}: safe as one token of a
// subject, as a file name, and as a word in a shell.
func ValidToken(s string) bool {
	if s == "" || len(s) > MaxToken {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// TokenRule says in words what ValidToken demands.
const TokenRule = "must be 1 to 64 characters of A-Z a-z 0-9 _ -"

// ValidResourceName says whether s is <site>.<host>, of which ValidToken holds.
func ValidResourceName(s string) bool {
	site, host, _ := strings.Cut(s, ".")
	return ValidToken(site) && ValidToken(host)
}
