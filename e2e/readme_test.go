package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sampleUID is what the README shows for the uid of a pilot.
var sampleUID = regexp.MustCompile(`pilot-[0-9a-z]{26}`)

// tenLines are the commands of the README's section of that name.
func tenLines(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "\n## Ten lines\n")
	section, _, _ = strings.Cut(section, "\nStop it")
	var commands []string
	for line := range strings.Lines(section) {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ "); ok {
			commands = append(commands, command)
		}
	}
	if len(commands) != 5 || strings.Count(strings.TrimSpace(section), "\n") != 9 {
		t.Fatalf("the ten lines are %q", section)
	}
	return commands
}

// TestE2EReadme runs the ten lines as they stand there, but for the pilot's uid, in a
// shell: with no wait between them, and no credentials that anybody names.
func TestE2EReadme(t *testing.T) {
	h := newFixture(t)
	home := t.TempDir()
	if err := os.Symlink(binDir, filepath.Join(home, "bin")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "Makefile"), []byte("build:\n"), 0o600); err != nil { // it is built
		t.Fatal(err)
	}
	script := "set -meu\ntrap 'kill %1; wait' EXIT\n"
	for _, command := range tenLines(t) {
		command = sampleUID.ReplaceAllLiteralString(command, "$uid")
		if strings.HasPrefix(command, "bin/flightlog submit ") {
			command = "uid=$(" + command + "); echo $uid"
		}
		script += command + "\n"
	}
	shell := exec.CommandContext(t.Context(), "bash", "-c", script)
	shell.Dir, shell.Env = home, append(h.env, "FLIGHTLOG_UP_LISTEN="+h.listen)
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`(?m)^ready: nats://` + h.listen + `$`, `(?m)^pilot-[0-9a-z]{26}$`, `pilot-[0-9a-z]{26} +DONE +yes`, `(?m)^78498$`} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}
