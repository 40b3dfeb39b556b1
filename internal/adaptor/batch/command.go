package batch

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// wordsLimit bounds what an error or an event repeats of a command's output.
const wordsLimit = 2000

// commandError is a command that did not do what it was asked to, in its words.
func commandError(command string, r runner.Result) error {
	how := fmt.Sprintf("exit code %d", r.Code)
	if r.Signal != "" {
		how = "killed by " + r.Signal
	}
	if said := errorText(r); said != "" {
		return fmt.Errorf("%s: %s: %s", command, how, said)
	}
	return fmt.Errorf("%s: %s", command, how)
}

// errorText are what a command said: its stderr, or else its stdout.
func errorText(r runner.Result) string {
	for _, out := range [][]byte{r.Stderr, r.Stdout} {
		text := strings.ToValidUTF8(strings.TrimSpace(string(out)), "?")
		if text != "" {
			return clipText(text, wordsLimit)
		}
	}
	return ""
}

func clipText(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// scriptCommand is a command of several: sh runs it with the arguments from $1 on. It is
// known by the name of the one that matters.
func scriptCommand(name, text string, args ...string) []string {
	return append([]string{"sh", "-c", text, name}, args...)
}

// utcCommand is a command whose times are those of no zone. It is for systems that hand
// what a submit has in its environment to the job: Dialect.Env would, too.
func utcCommand(argv ...string) []string {
	return append([]string{"env", "LC_ALL=C", "TZ=UTC"}, argv...)
}

// commandName is the name of the command that matters.
func commandName(argv []string) string {
	if len(argv) > 3 && (argv[0] == "sh" || argv[0] == "env") {
		return argv[3]
	}
	return argv[0]
}

// checkComplete refuses the answer of a command that did not come to its end.
func checkComplete(command string, r runner.Result) error {
	switch {
	case r.Truncated:
		return fmt.Errorf("%s printed more than %d bytes", command, runner.OutputLimit)
	case r.Signal != "":
		return commandError(command, r)
	default:
		return nil
	}
}

// decodeText is what a command printed, in UTF-8: names of other jobs may be in any
// encoding.
func decodeText(out []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(out), "?"), "\r\n", "\n")
}

// allLinesMatch says that a text has lines, and that each is of a kind.
func allLinesMatch(said string, kind *regexp.Regexp) bool {
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

// readLastLine gives what read makes of the last line that it can read: a site's wrapper
// may print more around the answer to a submit.
func readLastLine(out []byte, read func(line string) (Ref, bool)) (Ref, bool) {
	for _, line := range slices.Backward(strings.Split(decodeText(out), "\n")) {
		if ref, ok := read(strings.TrimSpace(line)); ok {
			return ref, true
		}
	}
	return Ref{}, false
}

// combinedOutput is all that a command said.
func combinedOutput(r runner.Result) string {
	return decodeText(r.Stderr) + "\n" + decodeText(r.Stdout)
}

// parseTime reads a time of no zone in the first layout that fits. Zero: none does.
func parseTime(s string, layouts ...string) time.Time {
	s = strings.Join(strings.Fields(s), " ")
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{} // N/A, Unknown, None, NOT_SET, -/-
}

// emptyIfNull is what a field says, or nothing where it says so in a word.
func emptyIfNull(s string) string {
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
