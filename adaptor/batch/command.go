package batch

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/flightlog/flightlog/adaptor/runner"
)

// wordsLimit bounds what an error or an event repeats of a command's output.
const wordsLimit = 2000

// commandError is a command that did not do what it was asked to, in its words.
func commandError(command string, r runner.Result) error {
	how := fmt.Sprintf("exit code %d", r.Code)
	if r.Signal != "" {
		how = "killed by " + r.Signal
	}
	if said := words(r); said != "" {
		return fmt.Errorf("%s: %s: %s", command, how, said)
	}
	return fmt.Errorf("%s: %s", command, how)
}

// words are what a command said: its stderr, or else its stdout.
func words(r runner.Result) string {
	for _, out := range [][]byte{r.Stderr, r.Stdout} {
		text := strings.ToValidUTF8(strings.TrimSpace(string(out)), "?")
		if text != "" {
			return clip(text, wordsLimit)
		}
	}
	return ""
}

func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// script is a command of several: sh runs it with the arguments from $1 on. It is
// known by the name of the one that matters.
func script(name, text string, args ...string) []string {
	return append([]string{"sh", "-c", text, name}, args...)
}

// utc is a command whose times are those of no zone. It is for systems that hand
// what a submit has in its environment to the job: Dialect.Env would, too.
func utc(argv ...string) []string {
	return append([]string{"env", "LC_ALL=C", "TZ=UTC"}, argv...)
}

// called is the name of the command that matters.
func called(argv []string) string {
	if len(argv) > 3 && (argv[0] == "sh" || argv[0] == "env") {
		return argv[3]
	}
	return argv[0]
}

// whole refuses the answer of a command that did not come to its end.
func whole(command string, r runner.Result) error {
	switch {
	case r.Cut:
		return fmt.Errorf("%s printed more than %d bytes", command, runner.OutputLimit)
	case r.Signal != "":
		return commandError(command, r)
	default:
		return nil
	}
}

// text is what a command printed, in UTF-8: names of other jobs may be in any
// encoding.
func text(out []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(out), "?"), "\r\n", "\n")
}

// only says that a text has lines, and that each is of a kind.
func only(said string, kind *regexp.Regexp) bool {
	n := 0
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if !kind.MatchString(line) {
			return false
		}
		n++
	}
	return n > 0
}

// lastOf gives what read makes of the last line that it can read: a site's wrapper
// may print more around the answer to a submit.
func lastOf(out []byte, read func(line string) (Ref, bool)) (Ref, bool) {
	for _, line := range slices.Backward(strings.Split(text(out), "\n")) {
		if ref, ok := read(strings.TrimSpace(line)); ok {
			return ref, true
		}
	}
	return Ref{}, false
}

// both is all that a command said.
func both(r runner.Result) string { return text(r.Stderr) + "\n" + text(r.Stdout) }

// when reads a time of no zone in the first layout that fits. Zero: none does.
func when(s string, layouts ...string) time.Time {
	s = strings.Join(strings.Fields(s), " ")
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{} // N/A, Unknown, None, NOT_SET, -/-
}

// known is what a field says, or nothing where it says so in a word.
func known(s string) string {
	s = strings.TrimSpace(s)
	switch s {
	case "(null)", "N/A", "None assigned", "Unknown", "UNKNOWN", "none", "None", "NONE", "NOT_SET", "-", "-/-":
		return ""
	default:
		return s
	}
}

// idsOf are the ids of jobs.
func idsOf(jobs []Ref) []string {
	ids := make([]string, len(jobs))
	for i, j := range jobs {
		ids[i] = j.ID
	}
	return ids
}
