package runnertest

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// writeProgram makes an executable of this machine, of some size.
func (h *host) writeProgram(text string) string {
	file := filepath.Join(h.TempDir(), "a program")
	content := "#!/bin/sh\necho " + text + "\nexit 0\n" + strings.Repeat("x'\x00\xff\n", 100_000)
	if err := os.WriteFile(file, []byte(content), 0o755); err != nil { //nolint:gosec // a program
		h.Fatal(err)
	}
	return file
}

func (h *host) mustStage(file string) string {
	h.Helper()
	path, err := h.Stage(h.Context(), file, h.pathTo("flight log", "bin"))
	if err != nil {
		h.Fatal(err)
	}
	return path
}

func (h *host) wantOutput(path, want string) {
	h.Helper()
	if r := h.mustRun(runner.Command{Argv: []string{path}}); string(r.Stdout) != want+"\n" || r.Code != 0 {
		h.Errorf("want %s, got %+v", want, r)
	}
}

func stageProgram(h *host) {
	file := h.writeProgram("one")
	path := h.mustStage(file)
	h.wantOutput(path, "one")
	before := h.mustRunScript(`stat -c '%i %a' "$1"`, path)
	if !strings.HasSuffix(before, " 700\n") {
		h.Errorf("its mode is %s", before)
	}
	if again := h.mustStage(file); again != path || h.mustRunScript(`stat -c '%i %a' "$1"`, path) != before {
		h.Errorf("it was sent twice: %s", again)
	}
	other := h.mustStage(h.writeProgram("two"))
	if other == path {
		h.Error("what differs has one name")
	}
	h.wantOutput(other, "two")
	h.wantOutput(path, "one")
	if err := h.Remove(h.Context(), path); err != nil {
		h.Error(err)
	}
	h.wantOutput(h.mustStage(file), "one")
	h.mustRunScript(`head -c 30 "$1" >x; cat x >"$1"`, path) // as after a full disk
	h.wantOutput(h.mustStage(file), "one")
	h.wantInvalid("a directory", func() error { _, err := h.Stage(h.Context(), h.TempDir(), h.dir); return err }())
	h.wantInvalid("a relative place", func() error { _, err := h.Stage(h.Context(), file, "bin"); return err }())
	if _, err := h.Stage(h.Context(), file+"none", h.dir); err == nil {
		h.Error("what is not there was staged")
	}
	h.mustRunScript("mkdir q; ln -s ../q q/link")
	h.wantInvalid("a link", func() error { _, err := h.Stage(h.Context(), file, h.pathTo("q", "link")); return err }())
}

func stageAtOnce(h *host) {
	file := h.writeProgram("once")
	var busy sync.WaitGroup
	for range 8 {
		busy.Go(func() {
			path, err := h.Stage(h.Context(), file, h.pathTo("b", "in"))
			if err != nil {
				h.Error(err)
				return
			}
			h.wantOutput(path, "once")
		})
	}
	busy.Wait()
	if got := h.mustRunScript("ls -A b/in | wc -l"); strings.TrimSpace(got) != "1" {
		h.Errorf("there are %s files", got)
	}
}

// stageMends: what is there under the name of the content, and is something else or
// could be changed by others, is put there anew, at once or by the next launcher.
func stageMends(h *host) {
	file := h.writeProgram("right")
	name, me := filepath.Base(h.mustStage(file)), h.mustRunScript("id -u")
	for what, spoil := range map[string]string{
		"another content of the same size": `sed -i 's/right/wrong/' "$1"`,
		"a copy that is half there":        `head -c 1000 "$1" >x; cat x >"$1"`,
		"one that others may write to":     `chmod g+w "$1"`,
		"one that nobody may execute":      `chmod 600 "$1"`,
		"a link":                           `mv "$1" real; ln -s "$PWD/real" "$1"`,
		"another user's":                   `[ "$(id -u)" != 0 ] || chown 65534 "$1"`,
	} {
		dir := h.pathTo(what)
		h.mustRunScript(`mkdir -m 700 "$1"; cp -p flight*/bin/* "$1"; set -- "$1"/*; `+spoil, dir)
		got, err := h.Stage(h.Context(), file, dir)
		if err != nil || got != path.Join(dir, name) {
			h.Errorf("%s: %s, %v", what, got, err)
			continue
		}
		check := `[ ! -L "$1" ] && stat -c '%a %u' "$1" && "$1" && touch -t 200001010000 "$1"`
		if said, want := h.mustRunScript(check, got), "700 "+me+"right\n"; said != want {
			h.Errorf("%s: its mode, its owner and what it does are %q, want %q", what, said, want)
		}
		if _, err := h.Stage(h.Context(), file, dir); err != nil || h.mustRunScript(`find "$1" -mtime +1`, got) != "" {
			h.Errorf("%s: it is as old as before: %v", what, err)
		}
	}
}

// stageRefuses: no directory is used where another user could put something, or put
// another directory in its place.
func stageRefuses(h *host) {
	file := h.writeProgram("one")
	for what, c := range map[string]struct{ spoil, says string }{
		"a group writes to it":               {"chmod 770 above/place", "chmod go-w"},
		"all write to it":                    {"chmod 707 above/place", "chmod go-w"},
		"all write to it, and it is sticky":  {"chmod 1777 above/place", "chmod go-w"},
		"all write above it":                 {"chmod 707 above", "another user"},
		"somebody else's group writes above": {`[ "$(id -u)" = 0 ] && chown :65534 above && chmod 770 above || chmod 707 above`, "another user"},
		"it is another user's":               {`[ "$(id -u)" = 0 ] && chown 65534 above/place || chmod 707 above/place`, ""},
		"what is above it is another user's": {`[ "$(id -u)" = 0 ] && chown 65534 above || chmod 707 above`, ""},
		"a link leads to it":                 {"mv above b; ln -s b above", ""},
	} {
		dir := h.pathTo(what, "above", "place")
		h.mustRunScript(`mkdir "$1" && cd "$1" && mkdir -m 700 -p above/place && `+c.spoil, h.pathTo(what))
		_, err := h.Stage(h.Context(), file, dir)
		h.wantInvalid(what, err)
		if place, ok := errors.AsType[*runner.UnusableDirError](err); !ok || place.Dir != dir || !strings.Contains(err.Error(), c.says) {
			h.Errorf("%s: %v", what, err)
		}
		if left := h.mustRunScript(`find "$1"/. -type f`, h.pathTo(what)); left != "" {
			h.Errorf("%s: there is %s", what, left)
		}
	}
	h.mustRunScript("mkdir -m 1777 sticky; mkdir -m 700 sticky/own")
	if _, err := h.Stage(h.Context(), file, h.pathTo("sticky", "own", "place")); err != nil {
		h.Errorf("below a directory in which nobody can delete what is another's: %v", err)
	}
}

// stageNoExec: where nothing can be executed, that is said.
func stageNoExec(h *host) {
	h.mustRunScript("mkdir home")
	if h.mustRunScript("id -u") != "0\n" || h.mustRunScript("mount -t tmpfs -o noexec,mode=700 none home 2>/dev/null && echo yes || :") != "yes\n" {
		h.Skip("only root can mount")
	}
	h.Cleanup(func() {
		if r, err := h.Runner.Run(context.Background(), runner.Command{Argv: []string{"umount", h.pathTo("home")}}); err != nil || r.Code != 0 {
			h.Errorf("umount: %+v, %v", r, err)
		}
	})
	file, dir := h.writeProgram("one"), h.pathTo("home", "cache", "agents")
	for range 2 {
		_, err := h.Stage(h.Context(), file, dir)
		if place, ok := errors.AsType[*runner.UnusableDirError](err); !ok || place.Dir != dir || !strings.Contains(err.Error(), "noexec") {
			h.Errorf("mounted noexec: %v", err)
		}
	}
	h.mustRunScript("mount -o remount,exec home")
	path, err := h.Stage(h.Context(), file, dir)
	if err != nil {
		h.Fatal(err)
	}
	h.wantOutput(path, "one")
	if left := h.mustRunScript("ls -A home/cache/agents | wc -l"); left != "1\n" {
		h.Errorf("there are %s files", left)
	}
	h.mustRunScript("mount -o remount,ro home")
	if again, err := h.Stage(h.Context(), file, dir); err != nil || again != path {
		h.Errorf("what is there, on a file system that is read-only: %s, %v", again, err)
	}
	_, err = h.Stage(h.Context(), h.writeProgram("two"), dir)
	if _, ok := errors.AsType[*runner.UnusableDirError](err); !ok || !strings.Contains(strings.ToLower(err.Error()), "read-only") {
		h.Errorf("a file system that is read-only: %v", err)
	}
}
