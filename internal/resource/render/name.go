package render

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// tagLength in base32 is 50 bits: two jobs of one user do not share a name.
const tagLength = 10

var tagDigits = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// jobName is what the batch system calls the job: the user's name for it, or
// the pilot's, and a tag made from the token, so that a job can be found by
// its name alone. Every system takes letters, digits, '.', '_' and '-' with a
// letter first (PBS is the strictest; qsub(1B), -N).
func jobName(s *Spec, limit int) string {
	base := s.Description.JobName
	if base == "" {
		base = s.Key.Pilot
	}
	base = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		default:
			return '_'
		}
	}, base)
	if c := base[0] | 0x20; c < 'a' || c > 'z' {
		base = "p" + base
	}
	if most := limit - tagLength - 1; len(base) > most {
		base = base[:most]
	}
	return base + "." + Tag(s.Token)
}

// Tag is what the name of an attempt's job ends in, after a dot.
func Tag(token string) string {
	sum := sha256.Sum256([]byte(token))
	return tagDigits.EncodeToString(sum[:])[:tagLength]
}

// TagOf gives the tag that a job's name ends in; empty: none that we made.
func TagOf(name string) string {
	at := len(name) - tagLength - 1
	if at < 0 || name[at] != '.' || strings.Trim(name[at+1:], "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return ""
	}
	return name[at+1:]
}
