package agent

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// shebangBytes is how much of a file the kernel reads for its interpreter
// (BINPRM_BUF_SIZE, execve(2)).
const shebangBytes = 256

// execFailed is the error of an exec that failed. The kernel says of the program
// what is true of its interpreter: where that is so, the interpreter is named.
func execFailed(program string, err error) error {
	if err == nil {
		return nil
	}
	if why := interpreterFault(program); why != "" {
		return fmt.Errorf("exec %s: %s: %w", program, why, err)
	}
	return os.NewSyscallError("exec "+program, err)
}

// interpreterFault says what is wrong with the interpreter that the first line of
// a script names; empty if nothing is to be seen.
func interpreterFault(program string) string {
	line, isScript := strings.CutPrefix(firstLine(program), "#!")
	if !isScript {
		return ""
	}
	words := strings.Fields(line)
	if len(words) == 0 {
		return "its first line, #!, names no interpreter"
	}
	if strings.HasSuffix(line, "\r") && len(words) == 1 {
		return fmt.Sprintf("its lines end in CR LF, so that its interpreter is %q, with a carriage return (CR); write it with ends of LF, as by dos2unix", words[0]+"\r")
	}
	switch info, err := os.Stat(words[0]); {
	case err != nil:
		return fmt.Sprintf("its interpreter %q, which its first line names, cannot be found", words[0])
	case info.IsDir():
		return fmt.Sprintf("its interpreter %q, which its first line names, is a directory", words[0])
	case info.Mode()&0o111 == 0:
		return fmt.Sprintf("its interpreter %q, which its first line names, may not be executed", words[0])
	default:
		return ""
	}
}

// notFound is what env and shells exit with that do not find a program (env(1), POSIX).
const notFound = 127

// envFault says of a script, started by an env that did not find what the script is to be
// run with, that a carriage return is why; empty if that is not it. The kernel hands
// on what follows env as one argument (execve(2)), its end included. With -S, env splits
// it itself, at carriage returns too (GNU coreutils 8.30).
func envFault(program string) string {
	line, isScript := strings.CutPrefix(firstLine(program), "#!")
	env, name, _ := strings.Cut(strings.Trim(line, " \t"), " ")
	name = strings.TrimLeft(name, " \t")
	if !isScript || filepath.Base(env) != "env" || !strings.HasSuffix(name, "\r") || strings.HasPrefix(name, "-") {
		return ""
	}
	return fmt.Sprintf("the lines of %s end in CR LF, so that %s looks for %q, with a carriage return (CR); write it with ends of LF, as by dos2unix", program, env, name)
}

// firstLine is that of a file, as far as the kernel reads it; empty if it cannot be read.
func firstLine(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // only read
	b := make([]byte, shebangBytes)
	n, err := io.ReadFull(f, b)
	if err != nil && n == 0 {
		return ""
	}
	line, _, _ := bytes.Cut(b[:n], []byte("\n"))
	return string(line)
}
