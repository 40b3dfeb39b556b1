package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
		"no first line of the sort": {"echo x\n", "exec format error"},
	} {
		sandbox := t.TempDir()
		program := filepath.Join(sandbox, "work")
		if err := os.WriteFile(program, []byte(c.text), 0o700); err != nil { //nolint:gosec // it is to be run
			t.Fatal(err)
		}
		run := command{path: program, argv: []string{program}, dir: sandbox}
		_, err := run.start()
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), program) || strings.Contains(err.Error(), "\r") {
			t.Errorf("%s: %v; want %q", name, err, c.says)
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
		"CR LF":                 {"#!" + env + " sh\r\n", `looks for "sh\r", with a carriage return (CR)`},
		"CR LF after blanks":    {"#! " + env + " \t sh\r\n", `looks for "sh\r"`},
		"CR LF behind options":  {"#!" + env + " sh -e\r\n", `looks for "sh -e\r"`},
		"LF":                    {"#!" + env + " sh\n", ""},
		"missing, without a CR": {"#!" + env + " no-such-program\n", ""},
		"another interpreter":   {"#!/bin/sh\n", ""},
	} {
		sandbox := t.TempDir()
		program := filepath.Join(sandbox, "work")
		if err := os.WriteFile(program, []byte(c.line+"exit 127\n"), 0o700); err != nil { //nolint:gosec // it is to be run
			t.Fatal(err)
		}
		run := command{path: program, argv: []string{program}, environ: os.Environ(), dir: sandbox}
		p, err := run.start()
		if err != nil {
			t.Fatal(name, err)
		}
		e := <-p.ended
		if said := e.String(); e.code != notFound || strings.Contains(said, "\r") || c.says == "" && said != "exit code 127" ||
			!strings.Contains(said, c.says) {
			t.Errorf("%s: %s; want %q", name, said, c.says)
		}
	}
}
