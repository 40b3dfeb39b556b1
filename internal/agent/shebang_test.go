package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAPayloadWithoutItsInterpreterNamesIt(t *testing.T) {
	// Not parallel: a fork elsewhere would keep the files open for writing (ETXTBSY).
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plain"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, says string }{
		"CR LF":                     {"#!/bin/sh\r\necho x\r\n", `its interpreter is "/bin/sh\r", with a carriage return (CR)`},
		"CR LF after a blank":       {"#! /bin/sh\r\n", `its interpreter is "/bin/sh\r"`},
		"missing":                   {"#!/no/such/python3\n", `its interpreter "/no/such/python3", which its first line names, cannot be found: no such file`},
		"missing, with an option":   {"#!/no/such/python3 -u\n", `"/no/such/python3"`},
		"missing, CR behind that":   {"#!/no/such/python3 -u\r\n", `"/no/such/python3"`},
		"a directory":               {"#!" + dir + "\n", "is a directory"},
		"not executable":            {"#!" + dir + "/plain\n", "may not be executed"},
		"none":                      {"#!\n", "names no interpreter"},
		"no first line of the sort": {"echo x\n", "it begins neither as a program nor as a script, with #! and an interpreter: exec format error"},
		"a byte order mark":         {"\xef\xbb\xbf#!/bin/sh\n", "a byte order mark (BOM) stands before its #!"},
		"empty":                     {"", "it is empty: exec format error"},
		"of another machine":        {"\x7fELF\x02\x01\x01", "it is a program for other machines, or damaged"},
	} {
		sandbox := t.TempDir()
		program := filepath.Join(sandbox, "work")
		if err := os.WriteFile(program, []byte(c.text), 0o700); err != nil { //nolint:gosec // it is to be run
			t.Fatal(err)
		}
		run := payloadCommand{path: program, argv: []string{program}, dir: sandbox}
		_, err := run.startProcess()
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), program) || strings.Contains(err.Error(), "\r") {
			t.Errorf("%s: %v; want %q", name, err, c.says)
		}
	}
}

// TestAPayloadThatMayNotBeExecutedSaysWhy: its mode, or where it is.
func TestAPayloadThatMayNotBeExecutedSaysWhy(t *testing.T) {
	// Not parallel, as the test above.
	dir := t.TempDir()
	start := func(program string, mode os.FileMode) error {
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
		_, err := (&payloadCommand{path: program, argv: []string{program}, dir: dir}).startProcess()
		return err
	}
	if err := start(filepath.Join(dir, "work"), 0o644); err == nil || !strings.Contains(err.Error(), "its mode, 0644, lets nobody execute it; 'chmod +x' does: permission denied") {
		t.Errorf("without the right: %v", err)
	}
	mount := t.TempDir()
	if err := unix.Mount("tmpfs", mount, "tmpfs", unix.MS_NOEXEC, "size=64k"); err != nil {
		t.Skipf("no file system can be mounted: %v", err)
	}
	defer unix.Unmount(mount, 0)
	if err := start(filepath.Join(mount, "work"), 0o755); err == nil || !strings.Contains(err.Error(), "its file system is mounted noexec") {
		t.Errorf("on noexec: %v", err)
	}
}

// TestAnOptionWithACarriageReturnIsNamed: the interpreter starts, and does not know it.
func TestAnOptionWithACarriageReturnIsNamed(t *testing.T) {
	// Not parallel, as the tests above.
	for line, says := range map[string]string{
		"#!/bin/sh -e\r": `has the option "-e\r", with a carriage return (CR)`,
		"#! /bin/sh  -e": "",
	} {
		program := filepath.Join(t.TempDir(), "work")
		if err := os.WriteFile(program, []byte(line+"\nexit 2\n"), 0o700); err != nil { //nolint:gosec // it is to be run
			t.Fatal(err)
		}
		p, err := (&payloadCommand{path: program, argv: []string{program}, dir: filepath.Dir(program)}).startProcess()
		if err != nil {
			t.Fatal(err)
		}
		e := <-p.ended
		if said := e.String(); e.code != exitMisused || says == "" && said != "exit code 2" || !strings.Contains(said, says) {
			t.Errorf("%q: %s; want %q", line, said, says)
		}
	}
}

// TestAnInterpreterThatEnvDoesNotFindIsNamed: env starts, and fails by itself.
func TestAnInterpreterThatEnvDoesNotFindIsNamed(t *testing.T) {
	// Not parallel, as the test above.
	env, err := exec.LookPath("env")
	if err != nil {
		t.Skip(err)
	}
	for name, c := range map[string]struct{ line, says string }{
		"CR LF":                {"#!" + env + " sh\r\n", `looks for "sh\r", with a carriage return (CR)`},
		"CR LF after blanks":   {"#! " + env + " \t sh\r\n", `looks for "sh\r"`},
		"CR LF behind options": {"#!" + env + " sh -e\r\n", `looks for "sh -e\r"`},
		"LF":                   {"#!" + env + " sh\n", ""},
		"missing":              {"#!" + env + " no-such-program\n", `finds no "no-such-program"`},
		"missing, split":       {"#!" + env + " -S A=1 no-such-program -u\n", `finds no "no-such-program"`},
		"missing, its path":    {"#!" + env + " /no/such-program\n", `finds no "/no/such-program"`},
		"split":                {"#!" + env + " -S A=1 sh -e\n", ""},
		"another interpreter":  {"#!/bin/sh\n", ""},
	} {
		sandbox := t.TempDir()
		program := filepath.Join(sandbox, "work")
		if err := os.WriteFile(program, []byte(c.line+"exit 127\n"), 0o700); err != nil { //nolint:gosec // it is to be run
			t.Fatal(err)
		}
		run := payloadCommand{path: program, argv: []string{program}, environ: os.Environ(), dir: sandbox}
		p, err := run.startProcess()
		if err != nil {
			t.Fatal(name, err)
		}
		e := <-p.ended
		if said := e.String(); e.code != exitNotFound || strings.Contains(said, "\r") || c.says == "" && said != "exit code 127" ||
			!strings.Contains(said, c.says) {
			t.Errorf("%s: %s; want %q", name, said, c.says)
		}
	}
}
