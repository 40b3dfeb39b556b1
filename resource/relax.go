package resource

import "bytes"

// relax turns the JSON people write into JSON: lines that start with # become
// blank (RADICAL-Pilot strips the same), and so does a comma before a closing
// bracket, which is what commenting out a last element leaves. Offsets and
// lines stay as they were.
func relax(b []byte) []byte {
	b = bytes.Clone(b)
	if bytes.HasPrefix(b, []byte("\ufeff")) {
		copy(b, "   ")
	}
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("#")) {
			blank(bytes.TrimRight(line, "\r\n"))
		}
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

func blank(line []byte) {
	for i := range line {
		line[i] = ' '
	}
}
