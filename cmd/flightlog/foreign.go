package main

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

// odd says whether a letter of foreign text could do more than be shown: controls
// (C0, DEL, C1) drive a terminal, and formatting letters, bidirectional ones among
// them, reorder or hide what stands around them. The live page names the same ones.
func odd(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// oneLine makes foreign text safe to print in a line or a table: blanks stand for
// what is odd in it, and U+FFFD for bytes that are no UTF-8.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, string(unicode.ReplacementChar))
	if !strings.ContainsFunc(s, odd) {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, odd), " ")
}

// safe is oneLine for text of several lines: ends of lines and tabs stay.
func safe(s string) string {
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

// escaped writes the odd letters of JSON, up to one of them, as \u sequences, which
// mean the same: but for ends of lines they stand in strings only.
func escaped(json []byte, upTo rune) []byte {
	var b bytes.Buffer
	for _, r := range string(json) {
		switch {
		case r == '\n' || r > upTo || !odd(r):
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

// sequences are control sequences of terminals, with the parameters and the final
// byte of those that begin with ESC [, and command strings (ECMA-48, 5.4 and 5.6;
// xterm also ends the latter with BEL).
var sequences = regexp.MustCompile("^\x1b(?:\\[([0-?]*)[ -/]*([@-~])|[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)|[ -/]*[0-OQ-WYZ\\\\`-~])")

// farthest bounds how far to the right sequences lead, as a terminal's width does.
const farthest = 256

// screen gives a line of a payload's output as a terminal would show it in the
// end: what a carriage return goes back over, as progress bars do, is overwritten.
// Backspaces, tabs and the sequences that erase or move within the line count too;
// colours, titles and all others are left out.
func screen(line string) string {
	var s screenLine
	line = strings.ToValidUTF8(line, string(unicode.ReplacementChar))
	for line != "" {
		if m := sequences.FindStringSubmatch(line); m != nil {
			s.control(m[1], m[2])
			line = line[len(m[0]):]
			continue
		}
		r, size := utf8.DecodeRuneInString(line)
		s.letter(r)
		line = line[size:]
	}
	return strings.TrimRight(string(s.cells), " ")
}

// screenLine is a line of a terminal and where its cursor stands.
type screenLine struct {
	cells []rune
	at    int
}

func (s *screenLine) letter(r rune) {
	switch {
	case r == '\r':
		s.at = 0
	case r == '\b':
		s.at = max(s.at-1, 0)
	case r == '\t':
		s.move(s.at + 8 - s.at%8)
	case odd(r):
	default:
		for len(s.cells) <= s.at {
			s.cells = append(s.cells, ' ')
		}
		s.cells[s.at] = r
		s.at++
	}
}

// move sets the cursor; no farther to the right than text or a terminal goes.
func (s *screenLine) move(to int) { s.at = max(0, min(to, max(farthest, len(s.cells)))) }

// control does what a sequence that begins with ESC [ does to its line (ECMA-48,
// 8.3: CUF, CUB, CHA, CUP, ED, EL).
func (s *screenLine) control(parameters, final string) {
	n, _ := strconv.Atoi(parameters) // none, or several: 0
	count := max(n, 1)
	switch final {
	case "C":
		s.move(s.at + min(count, farthest))
	case "D":
		s.move(s.at - min(count, s.at))
	case "G":
		s.move(count - 1)
	case "H":
		s.at = 0
	case "J", "K":
		s.erase(n)
	}
}

// erase blanks the line from the cursor on (0), up to it (1) or all of it (2).
func (s *screenLine) erase(what int) {
	end := min(s.at, len(s.cells))
	switch what {
	case 0:
		s.cells = s.cells[:end]
	case 1:
		for i := range s.cells[:min(s.at+1, len(s.cells))] {
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
		if shown := screen(line); strings.TrimSpace(shown) != "" {
			return shown
		}
	}
	return ""
}
