package runnertest

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// Open gives a Runner and a directory of its account: empty, absolute, without
// links in it, and in a directory of the same account. Both last for a test.
type Open func(t *testing.T) (r runner.Runner, dir string)

// Test is the contract.
func Test(t *testing.T, open Open) {
	for name, law := range map[string]func(h *host){
		"exit codes":                    exitCodes,
		"signals":                       signalsAreReported,
		"what cannot start did nothing": unstartedDidNothing,
		"words arrive as they are":      wordsArrive,
		"environment":                   environmentArrives,
		"directories":                   directoriesAreEntered,
		"input":                         inputArrives,
		"output is bounded":             outputIsBounded,
		"a deadline ends the command":   deadlineKillsAll,
		"many at once":                  manyAtOnce,
		"files come back":               filesComeBack,
		"writing makes directories":     writeMakes,
		"writing replaces":              writeReplaces,
		"writing refuses":               writeRefuses,
		"reading takes regular files":   readRegular,
		"reading takes the end":         readEnd,
		"removing":                      removeTrees,
		"removing refuses":              removeRefuses,
		"expanding":                     expandPaths,
		"expanding refuses":             expandRefuses,
		"staging":                       stageProgram,
		"staging at once":               stageAtOnce,
		"staging mends":                 stageMends,
		"staging refuses places":        stageRefuses,
		"staging where nothing runs":    stageNoExec,
		"what has ended starts nothing": endedContextDoesNothing,
		"identity":                      identityIsStable,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, dir := open(t)
			law(&host{T: t, Runner: r, dir: dir})
		})
	}
}

// host is a Runner whose commands must not fail.
type host struct {
	*testing.T
	runner.Runner
	dir string
}

func (h *host) pathTo(parts ...string) string { return path.Join(append([]string{h.dir}, parts...)...) }

func (h *host) mustRun(c runner.Command) runner.Result {
	h.Helper()
	r, err := h.Runner.Run(h.Context(), c)
	if err != nil {
		h.Fatalf("%q: %v", c.Argv, err)
	}
	return r
}

// mustRunScript gives what a script prints, and fails unless it ends well.
func (h *host) mustRunScript(script string, args ...string) string {
	h.Helper()
	r := h.mustRun(runner.Command{Argv: append([]string{"sh", "-c", script, "sh"}, args...), Dir: h.dir})
	if r.Code != 0 || r.Truncated {
		h.Fatalf("%s: %+v", script, r)
	}
	return string(r.Stdout)
}

func (h *host) mustWrite(dir string, files ...runner.File) {
	h.Helper()
	if err := h.Write(h.Context(), dir, files...); err != nil {
		h.Fatal(err)
	}
}

func (h *host) mustRead(limit int64, paths ...string) [][]byte {
	h.Helper()
	got, err := h.Read(h.Context(), limit, paths...)
	if err != nil {
		h.Fatal(err)
	}
	if len(got) != len(paths) {
		h.Fatalf("%d answers to %d paths", len(got), len(paths))
	}
	return got
}

// wantInvalid wants an error of code invalid.
func (h *host) wantInvalid(what string, err error) {
	h.Helper()
	if pilot.CodeOf(err) != pilot.Invalid {
		h.Errorf("%s: want code invalid, got %v", what, err)
	}
}

// mayHaveStarted gives what an error says: it may have started.
func (h *host) mayHaveStarted(what string, err error) bool {
	h.Helper()
	e, ok := errors.AsType[*runner.Error](err)
	if !ok {
		h.Fatalf("%s: want a runner.Error, got %v", what, err)
	}
	return e.Started
}

func identityIsStable(h *host) {
	if first := h.Identity(); first == "" || h.Identity() != first {
		h.Errorf("%q, and then %q", first, h.Identity())
	}
}

func endedContextDoesNothing(h *host) {
	ctx, end := context.WithCancelCause(h.Context())
	cause := errors.New("it is time")
	end(cause)
	_, err := h.Runner.Run(ctx, runner.Command{Argv: []string{"touch", h.pathTo("x")}})
	if h.mayHaveStarted("run", err) || !errors.Is(err, cause) {
		h.Errorf("want the cause, not started; got %v", err)
	}
	if err := h.Write(ctx, h.pathTo("a", "b"), runner.File{Name: "f"}); !errors.Is(err, cause) {
		h.Errorf("write: %v", err)
	}
	if _, err := h.Read(ctx, 1, h.pathTo("a")); !errors.Is(err, cause) {
		h.Errorf("read: %v", err)
	}
	if err := h.Remove(ctx, h.pathTo("a")); !errors.Is(err, cause) {
		h.Errorf("remove: %v", err)
	}
	if _, err := h.Expand(ctx, h.pathTo("c")); !errors.Is(err, cause) {
		h.Errorf("expand: %v", err)
	}
	if out := h.mustRunScript("ls -A"); out != "" {
		h.Errorf("something was done: %s", out)
	}
}

// sortedLines are sorted, and without those of variables that any shell makes.
func sortedLines(s string) []string {
	out := slices.DeleteFunc(strings.Split(s, "\n"), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return cmp.Or(name, "_") == "_" || name == "SHLVL" || name == "OLDPWD"
	})
	slices.Sort(out)
	return out
}
