package batch

import (
	"fmt"
	"strings"

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
