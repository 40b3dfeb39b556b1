package resource

import "bytes"

// relaxJSON turns the JSON people write into JSON: what follows a # outside of a
// string becomes blank (RADICAL-Pilot strips lines that start with one), and so
// does a comma before a closing bracket, which is what commenting out a last
// element leaves. Offsets and lines stay as they were.
func relaxJSON(b []byte) []byte {
	b = bytes.Clone(b)
	if bytes.HasPrefix(b, []byte("\ufeff")) {
		copy(b, "   ")
	}
	comma, quoted := -1, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '"'
		case c == '"':
			comma, quoted = -1, true
		case c == '#':
			i += blankLine(b[i:])
		case c == ',':
			comma = i
		case c == '}' || c == ']':
			if comma >= 0 {
				b[comma] = ' '
			}
			comma = -1
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			comma = -1
		}
	}
	return b
}

// blankLine blanks the rest of a line and says how much that is.
func blankLine(b []byte) int {
	for i := range b {
		if b[i] == '\n' {
			return i
		}
		b[i] = ' '
	}
	return len(b)
}
