package cli

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// isUnsafe says whether a letter of foreign text could do more than be shown: controls
// (C0, DEL, C1) drive a terminal, and formatting letters, bidirectional ones among
// them, reorder or hide what stands around them. The live page names the same ones.
func isUnsafe(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// oneLine makes foreign text safe to print in a line or a table: blanks stand for
// what is odd in it, and U+FFFD for bytes that are no UTF-8.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, string(unicode.ReplacementChar))
	if !strings.ContainsFunc(s, isUnsafe) {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, isUnsafe), " ")
}

// safeLines is oneLine for text of several lines: ends of lines and tabs stay.
func safeLines(s string) string {
	if !strings.ContainsAny(s, "\n\t") {
		return oneLine(s)
	}
	var b strings.Builder
	for s != "" {
		at := strings.IndexAny(s, "\n\t")
		if at < 0 {
			b.WriteString(oneLine(s))
			break
		}
		b.WriteString(oneLine(s[:at]) + s[at:at+1])
		s = s[at+1:]
	}
	return b.String()
}

// escapeUnsafe writes the odd letters of JSON, up to one of them, as \u sequences, which
// mean the same: but for ends of lines they stand in strings only.
func escapeUnsafe(json []byte, upTo rune) []byte {
	var b bytes.Buffer
	for _, r := range string(json) {
		switch {
		case r == '\n' || r > upTo || !isUnsafe(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}

// controlSequence are control sequences of terminals, with the parameters and the final
// byte of those that begin with ESC [, and command strings (ECMA-48, 5.4 and 5.6;
// xterm also ends the latter with BEL).
var controlSequence = regexp.MustCompile("^\x1b(?:\\[([0-?]*)[ -/]*([@-~])|[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)|[ -/]*[0-OQ-WYZ\\\\`-~])")

// maxColumn bounds how far to the right sequences lead, as a terminal's width does.
const maxColumn = 256

// renderLine gives a line of a payload's output as a terminal would show it in the
// end: what a carriage return goes back over, as progress bars do, is overwritten.
// Backspaces, tabs and the sequences that erase or move within the line count too;
// colours, titles and all others are left out.
func renderLine(line string) string {
	var s terminalLine
	line = strings.ToValidUTF8(line, string(unicode.ReplacementChar))
	for line != "" {
		if m := controlSequence.FindStringSubmatch(line); m != nil {
			s.applySequence(m[1], m[2])
			line = line[len(m[0]):]
			continue
		}
		r, size := utf8.DecodeRuneInString(line)
		s.writeRune(r)
		line = line[size:]
	}
	return strings.TrimRight(string(s.cells), " ")
}

// terminalLine is a line of a terminal and where its cursor stands.
type terminalLine struct {
	cells  []rune
	cursor int
}

func (s *terminalLine) writeRune(r rune) {
	switch {
	case r == '\r':
		s.cursor = 0
	case r == '\b':
		s.cursor = max(s.cursor-1, 0)
	case r == '\t':
		s.moveCursor(s.cursor + 8 - s.cursor%8)
	case isUnsafe(r):
	default:
		for len(s.cells) <= s.cursor {
			s.cells = append(s.cells, ' ')
		}
		s.cells[s.cursor] = r
		s.cursor++
	}
}

// moveCursor sets the cursor; no farther to the right than text or a terminal goes.
func (s *terminalLine) moveCursor(to int) { s.cursor = max(0, min(to, max(maxColumn, len(s.cells)))) }

// applySequence does what a sequence that begins with ESC [ does to its line (ECMA-48,
// 8.3: CUF, CUB, CHA, CUP, ED, EL).
func (s *terminalLine) applySequence(parameters, final string) {
	n, _ := strconv.Atoi(parameters) // none, or several: 0
	count := max(n, 1)
	switch final {
	case "C":
		s.moveCursor(s.cursor + min(count, maxColumn))
	case "D":
		s.moveCursor(s.cursor - min(count, s.cursor))
	case "G":
		s.moveCursor(count - 1)
	case "H":
		s.cursor = 0
	case "J", "K":
		s.eraseCells(n)
	}
}

// eraseCells blanks the line from the cursor on (0), up to it (1) or all of it (2).
func (s *terminalLine) eraseCells(what int) {
	end := min(s.cursor, len(s.cells))
	switch what {
	case 0:
		s.cells = s.cells[:end]
	case 1:
		for i := range s.cells[:min(s.cursor+1, len(s.cells))] {
			s.cells[i] = ' '
		}
	default:
		s.cells = s.cells[:0]
	}
}

// lastLine is the last line of a payload's output that shows something.
func lastLine(text string) string {
	lines := strings.Split(text, "\n")
	for _, line := range slices.Backward(lines) {
		if shown := renderLine(line); strings.TrimSpace(shown) != "" {
			return shown
		}
	}
	return ""
}
