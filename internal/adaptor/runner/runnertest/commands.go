package runnertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// Words are such as quoting gets wrong.
var Words = []string{
	"", " ", "a b", "'", "''", `"`, `\`, `\\`, `\'`, "\n", "\n\n", "a\nb\n", "\r\n", "\t", "$HOME", "${HOME}", "$(id)", "`id`",
	"!", "!!", "!x", `\!`, "*", "?", "[a]", "{a,b}", "~", "~root", "#", "# x", "&", "a&b", ";", "|", ">", "<", "(", ")", "%s", "%%", "^", "=", "a=b",
	"-n", "--", "\\0101", "\\n", "\xff\xfe", "\xc3", "grüße", "日本", "\x01\x1b[0m", "\x7f", "'$(id)'", `'"'"'`, "if", "\\\n", "@file", "$'a'", "$0", "$$",
	strings.Repeat("long' ", 5000),
}

func exitCodes(h *host) {
	for _, code := range []int{0, 1, 2, 3, 65, 126, 127, 128, 137, 255} {
		r := h.mustRun(runner.Command{Argv: []string{"sh", "-c", fmt.Sprintf("echo out; echo err >&2; exit %d", code)}})
		if r.Code != code || r.Signal != "" || string(r.Stdout) != "out\n" || string(r.Stderr) != "err\n" || r.Truncated {
			h.Errorf("exit %d: %+v", code, r)
		}
	}
}

func signalsAreReported(h *host) {
	for _, name := range []string{"KILL", "TERM", "SEGV", "USR1", "ABRT"} {
		r := h.mustRun(runner.Command{Argv: []string{"sh", "-c", "echo out; ulimit -c 0; kill -" + name + " $$; sleep 100"}})
		if r.Signal != name || r.Code != -1 || string(r.Stdout) != "out\n" {
			h.Errorf("%s: %+v", name, r)
		}
	}
}

func unstartedDidNothing(h *host) {
	for what, c := range map[string]runner.Command{
		"no words":            {},
		"an empty word":       {Argv: []string{""}},
		"no such command":     {Argv: []string{"no-such-command-anywhere"}},
		"no such file":        {Argv: []string{h.pathTo("none")}},
		"a directory":         {Argv: []string{h.dir}},
		"no such directory":   {Argv: []string{"true"}, Dir: h.pathTo("none")},
		"a relative one":      {Argv: []string{"true"}, Dir: "none"},
		"a NUL in a word":     {Argv: []string{"true", "a\x00b"}},
		"a NUL in a variable": {Argv: []string{"true"}, Env: []string{"A=a\x00b"}},
		"no variable":         {Argv: []string{"true"}, Env: []string{"A"}},
	} {
		r, err := h.Runner.Run(h.Context(), c)
		if h.mayHaveStarted(what, err) {
			h.Errorf("%s: may have started: %v, %+v", what, err, r)
		}
	}
}

func wordsArrive(h *host) {
	r := h.mustRun(runner.Command{Argv: append([]string{"printf", `%s\0`}, Words...)})
	if want := strings.Join(Words, "\x00") + "\x00"; string(r.Stdout) != want || len(r.Stderr) > 0 || r.Code != 0 {
		h.Errorf("want %.2000q\ngot  %.2000q, %s", want, r.Stdout, r.Stderr)
	}
	dir := "a 'dir'\n$(x)\\"
	h.mustWrite(h.pathTo(dir), runner.File{Name: "do it=", Content: []byte("#!/bin/sh\nprintf %s \"$1\"\n"), Mode: 0o700})
	for _, name := range []string{h.pathTo(dir, "do it="), "./do it=", "do it="} {
		r = h.mustRun(runner.Command{Argv: []string{name, "$1"}, Dir: h.pathTo(dir), Env: []string{"PATH=" + h.pathTo(dir) + ":/usr/bin:/bin"}})
		if string(r.Stdout) != "$1" {
			h.Errorf("%s: %+v", name, r)
		}
	}
}

func environmentArrives(h *host) {
	c := runner.Command{Argv: []string{"printenv", "-0"}}
	for i, word := range Words {
		name := fmt.Sprint("FL_", i)
		c.Argv = append(c.Argv, name)
		c.Env = append(c.Env, name+"=before", name+"="+word)
	}
	r := h.mustRun(c)
	if want := strings.Join(Words, "\x00") + "\x00"; string(r.Stdout) != want {
		h.Errorf("want %.2000q\ngot  %.2000q, %s", want, r.Stdout, r.Stderr)
	}
	env := runner.Command{Argv: []string{"env"}}
	plain := sortedLines(string(h.mustRun(env).Stdout))
	if !slices.ContainsFunc(plain, func(s string) bool { return strings.HasPrefix(s, "PATH=/") }) {
		h.Errorf("there is no PATH: %q", plain)
	}
	env.Env = []string{"FL_A=1", "FL_AB=2", "FL_B=a b", "PA=3"}
	want := append(slices.Clone(plain), env.Env...)
	slices.Sort(want)
	if got := sortedLines(string(h.mustRun(env).Stdout)); !slices.Equal(got, want) {
		h.Errorf("want %q\ngot  %q", want, got)
	}
	env.Unset = []string{"PATH", "!HOSTNAME", "HO*", "!HOME", "FL_A*", "no such", "$(id)", "*x"} // what Env says stays
	want = slices.DeleteFunc(want, func(s string) bool {
		return strings.HasPrefix(s, "PATH=") || strings.HasPrefix(s, "HO") && !strings.HasPrefix(s, "HOME=") && !strings.HasPrefix(s, "HOSTNAME=")
	})
	if got := sortedLines(string(h.mustRun(env).Stdout)); !slices.Equal(got, want) {
		h.Errorf("want %q\ngot  %q", want, got)
	}
}

func directoriesAreEntered(h *host) {
	if got := h.mustRun(runner.Command{Argv: []string{"pwd"}, Dir: h.dir}); string(got.Stdout) != h.dir+"\n" {
		h.Errorf("want %s, got %+v", h.dir, got)
	}
	got := h.mustRun(runner.Command{Argv: []string{"sh", "-c", `[ "$(pwd -P)" = "$(cd && pwd -P)" ] || pwd`}})
	if got.Code != 0 || len(got.Stdout) > 0 {
		h.Errorf("not at home: %+v", got)
	}
}

func inputArrives(h *host) {
	all := make([]byte, 1<<20+17)
	for i := range all {
		all[i] = byte(i * i >> 3)
	}
	for _, in := range [][]byte{nil, {0}, []byte("a\n"), all} {
		if r := h.mustRun(runner.Command{Argv: []string{"cat"}, Stdin: in}); !bytes.Equal(r.Stdout, in) {
			h.Errorf("%d bytes come back as %d; %s", len(in), len(r.Stdout), r.Stderr)
		}
	}
	if r := h.mustRun(runner.Command{Argv: []string{"true"}, Stdin: all}); r.Code != 0 {
		h.Errorf("who does not read: %+v", r)
	}
}

func outputIsBounded(h *host) {
	script := fmt.Sprintf("dd if=/dev/zero bs=1048576 count=%d; exit 3", runner.OutputLimit>>20+1)
	r := h.mustRun(runner.Command{Argv: []string{"sh", "-c", script}})
	if len(r.Stdout) != runner.OutputLimit || len(r.Stderr) == 0 || !r.Truncated || r.Code != 3 {
		h.Errorf("%d and %d bytes, cut %v, exit %d", len(r.Stdout), len(r.Stderr), r.Truncated, r.Code)
	}
}

// deadlineKillsAll: the pipe alive is open for writing as long as any of the command's
// processes lives.
func deadlineKillsAll(h *host) {
	h.mustRunScript("mkfifo alive started")
	victim := runner.Command{Dir: h.dir, Argv: []string{"sh", "-c", "exec 3>alive; sleep 1000 & echo up >started; wait"}}
	ctx, end := context.WithCancelCause(h.Context())
	cause := errors.New("it is time")
	var busy sync.WaitGroup
	busy.Go(func() { h.mustRunScript("cat alive") }) // until the last of them has died
	busy.Go(func() {
		defer end(cause)
		h.mustRunScript("cat started")
	})
	_, err := h.Runner.Run(ctx, victim)
	if !h.mayHaveStarted("run", err) || !errors.Is(err, cause) {
		h.Errorf("want the cause, and that it may have run; got %v", err)
	}
	busy.Wait()
}

func manyAtOnce(h *host) {
	var busy sync.WaitGroup
	for i := range 50 {
		busy.Go(func() {
			word := strconv.Itoa(i)
			name := path.Join("many", word)
			r, err := h.Runner.Run(h.Context(), runner.Command{Argv: []string{"sh", "-c", `cat; echo "$1" >&2; exit "$1"`, "sh", word}, Stdin: []byte(word)})
			if err != nil || string(r.Stdout) != word || string(r.Stderr) != word+"\n" || r.Code != i {
				h.Errorf("%d: %+v, %v", i, r, err)
			}
			if err := h.Write(h.Context(), h.dir, runner.File{Name: name, Content: []byte(word)}); err != nil {
				h.Error(err)
			}
			got, err := h.Read(h.Context(), 100, h.pathTo(name))
			if err != nil || string(got[0]) != word {
				h.Errorf("%d: %q, %v", i, got, err)
			}
		})
	}
	busy.Wait()
}
