package batch

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// Saying is something that a batch system's commands print. Tables of them give each
// a meaning; docs/batch-words.md shows them all.
type Saying struct {
	Pattern *regexp.Regexp
	Words   string // what Pattern was made of; see phrase
	Source  string // where the program's authors list it, or where it was seen
}

// Refusal is what a submit that failed means.
type Refusal struct {
	Saying
	Class adaptor.Class
}

// Reason is what the system's words about an ended job mean.
type Reason struct {
	Saying
	Cause pilot.CauseCode
}

// phrase makes an expression of words as they are printed. Case does not count; a
// blank is any white space, for some programs wrap their lines; … is anything in a
// line, * anything in a word, and ^ at the beginning is the beginning of a line.
// What begins or ends with a letter or a digit does not match within a word.
func phrase(words string) *regexp.Regexp {
	rest, begins := strings.CutPrefix(words, "^")
	var b strings.Builder
	b.WriteString("(?im)")
	if begins {
		b.WriteString(`^[ \t]*`)
	}
	if first, _ := utf8.DecodeRuneInString(rest); inWord(first) {
		b.WriteString(`\b`)
	}
	for i, word := range strings.Fields(rest) {
		if i > 0 {
			b.WriteString(`\s+`)
		}
		escaped := regexp.QuoteMeta(word)
		b.WriteString(strings.NewReplacer("…", `[^\n]*?`, `\*`, `\S*`).Replace(escaped))
	}
	if last, _ := utf8.DecodeLastRuneInString(rest); inWord(last) {
		b.WriteString(`\b`)
	}
	return regexp.MustCompile(b.String())
}

func inWord(r rune) bool {
	return r < utf8.RuneSelf && (r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r))
}

// saying makes sayings of one source.
func saying(source string, words ...string) []Saying {
	out := make([]Saying, len(words))
	for i, w := range words {
		out[i] = Saying{Pattern: phrase(w), Words: w, Source: source}
	}
	return out
}

// refused makes refusals of one class and one source.
func refused(class adaptor.Class, source string, words ...string) []Refusal {
	var out []Refusal
	for _, s := range saying(source, words...) {
		out = append(out, Refusal{Saying: s, Class: class})
	}
	return out
}

// because makes reasons of one cause and one source.
func because(cause pilot.CauseCode, source string, words ...string) []Reason {
	var out []Reason
	for _, s := range saying(source, words...) {
		out = append(out, Reason{Saying: s, Cause: cause})
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

// because gives an ended job without a cause that of its reason.
func (r *Record) because(reasons []Reason) {
	if r.Phase == adaptor.Ended && r.Cause == "" {
		r.Cause = causeOf(reasons, r.Reason)
	}
}

// Answered reads the answer to a submit: the id of the job there is, or the class of
// the failure. A sentence that names the job counts whatever comes beside it: warnings
// have commands exit otherwise than with 0. What exits with 0, names no job and is not
// known to say that there is none, is Uncertain, as is every word that nobody knows, but
// of a command that did not begin.
func (d *Dialect) Answered(r runner.Result) (Ref, adaptor.Class) {
	if r.Code == 0 && r.Signal == "" {
		if ref, ok := d.Submitted(r); ok {
			return ref, ""
		}
	}
	if d.Sentence != nil {
		if all := d.Sentence.FindAllStringSubmatch(both(r), -1); len(all) > 0 {
			last := all[len(all)-1]
			return Ref{ID: last[1], Cluster: last[2]}, ""
		}
	}
	said := both(r)
	switch {
	case r.Signal != "", r.Code == 0 && !anyOf(d.Nothing, said):
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

func anyOf(known []Saying, said string) bool {
	for _, s := range known {
		if s.Pattern.MatchString(said) {
			return true
		}
	}
	return false
}

// without gives a text without the lines that are known, and without empty ones.
func without(said string, known []Saying) string {
	var b strings.Builder
	for line := range strings.Lines(said) {
		if strings.TrimSpace(line) != "" && !anyOf(known, line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// every says that a text has lines, and that each is known.
func every(said string, known []Saying) bool {
	return strings.TrimSpace(said) != "" && without(said, known) == ""
}
