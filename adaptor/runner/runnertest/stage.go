package runnertest

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/flightlog/flightlog/adaptor/runner"
)

// program makes an executable of this machine, of some size.
func (h *host) program(text string) string {
	file := filepath.Join(h.TempDir(), "a program")
	content := "#!/bin/sh\necho " + text + "\nexit 0\n" + strings.Repeat("x'\x00\xff\n", 100_000)
	if err := os.WriteFile(file, []byte(content), 0o755); err != nil { //nolint:gosec // a program
		h.Fatal(err)
	}
	return file
}

func (h *host) stage(file string) string {
	h.Helper()
	path, err := h.Stage(h.Context(), file, h.path("flight log", "bin"))
	if err != nil {
		h.Fatal(err)
	}
	return path
}

func (h *host) says(path, want string) {
	h.Helper()
	if r := h.run(runner.Command{Argv: []string{path}}); string(r.Stdout) != want+"\n" || r.Code != 0 {
		h.Errorf("want %s, got %+v", want, r)
	}
}

func stage(h *host) {
	file := h.program("one")
	path := h.stage(file)
	h.says(path, "one")
	before := h.sh(`stat -c '%i %a' "$1"`, path)
	if !strings.HasSuffix(before, " 700\n") {
		h.Errorf("its mode is %s", before)
	}
	if again := h.stage(file); again != path || h.sh(`stat -c '%i %a' "$1"`, path) != before {
		h.Errorf("it was sent twice: %s", again)
	}
	other := h.stage(h.program("two"))
	if other == path {
		h.Error("what differs has one name")
	}
	h.says(other, "two")
	h.says(path, "one")
	if err := h.Remove(h.Context(), path); err != nil {
		h.Error(err)
	}
	h.says(h.stage(file), "one")
	h.sh(`head -c 30 "$1" >x; cat x >"$1"`, path) // as after a full disk
	h.says(h.stage(file), "one")
	h.refused("a directory", func() error { _, err := h.Stage(h.Context(), h.TempDir(), h.dir); return err }())
	h.refused("a relative place", func() error { _, err := h.Stage(h.Context(), file, "bin"); return err }())
	if _, err := h.Stage(h.Context(), file+"none", h.dir); err == nil {
		h.Error("what is not there was staged")
	}
	h.sh("mkdir q; ln -s ../q q/link")
	h.refused("a link", func() error { _, err := h.Stage(h.Context(), file, h.path("q", "link")); return err }())
}

func stageAtOnce(h *host) {
	file := h.program("once")
	var busy sync.WaitGroup
	for range 8 {
		busy.Go(func() {
			path, err := h.Stage(h.Context(), file, h.path("b", "in"))
			if err != nil {
				h.Error(err)
				return
			}
			h.says(path, "once")
		})
	}
	busy.Wait()
	if got := h.sh("ls -A b/in | wc -l"); strings.TrimSpace(got) != "1" {
		h.Errorf("there are %s files", got)
	}
}
