package batch

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// Message is something that a batch system's commands print. Tables of them give each
// a meaning; docs/batch-words.md shows them all.
type Message struct {
	Pattern *regexp.Regexp
	Words   string // what Pattern was made of; see compilePhrase
	Source  string // where the program's authors list it, or where it was seen
}

// Refusal is what a submit that failed means.
type Refusal struct {
	Message
	Class adaptor.Class
}

// Reason is what the system's words about an ended job mean.
type Reason struct {
	Message
	Cause pilot.CauseCode
}

// compilePhrase makes an expression of words as they are printed. Case does not count; a
// blank is any white space, for some programs wrap their lines; … is anything in a
// line, * anything in a word, and ^ at the beginning is the beginning of a line.
// What begins or ends with a letter or a digit does not match within a word.
func compilePhrase(words string) *regexp.Regexp {
	rest, begins := strings.CutPrefix(words, "^")
	var b strings.Builder
	b.WriteString("(?im)")
	if begins {
		b.WriteString(`^[ \t]*`)
	}
	if first, _ := utf8.DecodeRuneInString(rest); isWordRune(first) {
		b.WriteString(`\b`)
	}
	for i, word := range strings.Fields(rest) {
		if i > 0 {
			b.WriteString(`\s+`)
		}
		escaped := regexp.QuoteMeta(word)
		b.WriteString(strings.NewReplacer("…", `[^\n]*?`, `\*`, `\S*`).Replace(escaped))
	}
	if last, _ := utf8.DecodeLastRuneInString(rest); isWordRune(last) {
		b.WriteString(`\b`)
	}
	return regexp.MustCompile(b.String())
}

func isWordRune(r rune) bool {
	return r < utf8.RuneSelf && (r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r))
}

// messagesFrom makes sayings of one source.
func messagesFrom(source string, words ...string) []Message {
	out := make([]Message, len(words))
	for i, w := range words {
		out[i] = Message{Pattern: compilePhrase(w), Words: w, Source: source}
	}
	return out
}

// refusalsFrom makes refusals of one class and one source.
func refusalsFrom(class adaptor.Class, source string, words ...string) []Refusal {
	var out []Refusal
	for _, s := range messagesFrom(source, words...) {
		out = append(out, Refusal{Message: s, Class: class})
	}
	return out
}

// reasonsFrom makes reasons of one cause and one source.
func reasonsFrom(cause pilot.CauseCode, source string, words ...string) []Reason {
	var out []Reason
	for _, s := range messagesFrom(source, words...) {
		out = append(out, Reason{Message: s, Cause: cause})
	}
	return out
}

// causeOf gives the cause of the first reason that words match; empty: none does.
func causeOf(reasons []Reason, words string) pilot.CauseCode {
	for _, r := range reasons {
		if r.Pattern.MatchString(words) {
			return r.Cause
		}
	}
	return ""
}

// applyReasons gives an ended job without a cause that of its reason.
func (r *Record) applyReasons(reasons []Reason) {
	if r.Phase == adaptor.Ended && r.Cause == "" {
		r.Cause = causeOf(reasons, r.Reason)
	}
}

// ClassifySubmit reads the answer to a submit: the id of the job there is, or the class of
// the failure. A sentence that names the job counts whatever comes beside it: warnings
// have commands exit otherwise than with 0. What exits with 0, names no job and is not
// known to say that there is none, is Uncertain, as is every word that nobody knows, but
// of a command that did not begin.
func (d *Dialect) ClassifySubmit(r runner.Result) (Ref, adaptor.Class) {
	if r.Code == 0 && r.Signal == "" {
		if ref, ok := d.ParseSubmit(r); ok {
			return ref, ""
		}
	}
	if d.SubmitPattern != nil {
		if all := d.SubmitPattern.FindAllStringSubmatch(combinedOutput(r), -1); len(all) > 0 {
			last := all[len(all)-1]
			return Ref{ID: last[1], Cluster: last[2]}, ""
		}
	}
	said := combinedOutput(r)
	switch {
	case r.Signal != "", r.Code == 0 && !matchesAny(d.NotSubmitted, said):
		return Ref{}, adaptor.Uncertain
	}
	for _, refusal := range d.Refusals {
		if refusal.Pattern.MatchString(said) {
			return Ref{}, refusal.Class
		}
	}
	if r.Code == cannotExecute || r.Code == notFound {
		return Ref{}, adaptor.NotSent
	}
	return Ref{}, adaptor.Uncertain
}

// Exit codes of shells whose command did not begin (POSIX, "Exit Status for Commands"):
// what it cannot be read or executed for, such as a file system that does not answer, has
// more words than a table.
const (
	cannotExecute = 126
	notFound      = 127
)

func matchesAny(known []Message, said string) bool {
	for _, s := range known {
		if s.Pattern.MatchString(said) {
			return true
		}
	}
	return false
}

// dropKnownLines gives a text without the lines that are known, and without empty ones.
func dropKnownLines(said string, known []Message) string {
	var b strings.Builder
	for line := range strings.Lines(said) {
		if strings.TrimSpace(line) != "" && !matchesAny(known, line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// allLinesKnown says that a text has lines, and that each is known.
func allLinesKnown(said string, known []Message) bool {
	return strings.TrimSpace(said) != "" && dropKnownLines(said, known) == ""
}
