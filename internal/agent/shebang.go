package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// shebangBytes is how much of a file the kernel reads for its interpreter
// (BINPRM_BUF_SIZE, execve(2)).
const shebangBytes = 256

// execFailed is the error of an exec that failed. The kernel says of the program
// what is true of its interpreter, and not what is wrong with it: where something is to
// be seen, it is named.
func execFailed(program string, err error) error {
	if err == nil {
		return nil
	}
	why := interpreterFault(program)
	if why == "" {
		why = programFault(program, err)
	}
	if why != "" {
		return fmt.Errorf("exec %s: %s: %w", program, why, err)
	}
	return os.NewSyscallError("exec "+program, err)
}

// programFault says why the kernel does not run a file that has no interpreter, or whose
// interpreter is well; empty if nothing is to be seen.
func programFault(program string, err error) string {
	info, e := os.Stat(program)
	switch {
	case e != nil || info.IsDir():
		return ""
	case errors.Is(err, fs.ErrPermission) && info.Mode()&0o111 == 0:
		return fmt.Sprintf("its mode, %04o, lets nobody execute it; 'chmod +x' does", info.Mode().Perm())
	case errors.Is(err, fs.ErrPermission) && onNoexecMount(program):
		return "its file system is mounted noexec: nothing there may be executed; give it to its interpreter as an argument, or put it elsewhere"
	case !errors.Is(err, unix.ENOEXEC):
		return ""
	case info.Size() == 0:
		return "it is empty"
	}
	switch line := firstLine(program); {
	case strings.HasPrefix(line, "\xef\xbb\xbf#!"):
		return "a byte order mark (BOM) stands before its #!; write it without one"
	case strings.HasPrefix(line, "\x7fELF"):
		return "it is a program for other machines, or damaged"
	case strings.HasPrefix(line, "#!"):
		return ""
	default:
		return "it begins neither as a program nor as a script, with #! and an interpreter"
	}
}

// onNoexecMount says whether a file is where nothing may be executed.
func onNoexecMount(file string) bool {
	var where unix.Statfs_t
	return unix.Statfs(file, &where) == nil && where.Flags&unix.ST_NOEXEC != 0
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
	case info.Mode()&0o111 == 0 || onNoexecMount(words[0]):
		return fmt.Sprintf("its interpreter %q, which its first line names, may not be executed", words[0])
	default:
		return ""
	}
}

const (
	// exitNotFound is what env and shells exit with that do not find a program (env(1), POSIX).
	exitNotFound = 127
	// exitMisused is what shells and other interpreters exit with that do not know an option.
	exitMisused = 2
)

// startFault says why what a script is to be run with began and did not run it, as the
// code it exited with and the script's first line tell; empty if they do not.
func startFault(program string, code int, environ []string) string {
	switch code {
	case exitNotFound:
		return envFault(program, environ)
	case exitMisused:
		return optionFault(program)
	default:
		return ""
	}
}

// optionFault says that the option of a script's interpreter ends in a carriage return.
func optionFault(program string) string {
	line, isScript := strings.CutPrefix(firstLine(program), "#!")
	_, option, _ := strings.Cut(strings.TrimLeft(line, " \t"), " ")
	option = strings.TrimLeft(option, " \t")
	if !isScript || !strings.HasPrefix(option, "-") || !strings.HasSuffix(option, "\r") {
		return ""
	}
	return fmt.Sprintf("the lines of %s end in CR LF, so that its interpreter has the option %q, with a carriage return (CR); write it with ends of LF, as by dos2unix", program, option)
}

// envFault says of a script, started by an env that exited with exitNotFound, what is to be
// run with it and is not there; empty if that is not it. The kernel hands on what
// follows env as one argument (execve(2)), its end included. With -S, env splits it
// itself, at carriage returns too (GNU coreutils 8.30).
func envFault(program string, environ []string) string {
	line, isScript := strings.CutPrefix(firstLine(program), "#!")
	env, name, _ := strings.Cut(strings.Trim(line, " \t"), " ")
	name = strings.TrimLeft(name, " \t")
	if !isScript || filepath.Base(env) != "env" {
		return ""
	}
	if split, ok := strings.CutPrefix(name, "-S"); ok {
		words := slices.DeleteFunc(strings.Fields(split), func(w string) bool { return strings.Contains(w, "=") }) // variables
		if len(words) == 0 {
			return ""
		}
		name = words[0]
	}
	switch {
	case strings.HasPrefix(name, "-") || name == "":
		return ""
	case strings.HasSuffix(name, "\r"):
		return fmt.Sprintf("the lines of %s end in CR LF, so that %s looks for %q, with a carriage return (CR); write it with ends of LF, as by dos2unix", program, env, name)
	case !inPath(name, environ):
		return fmt.Sprintf("%s finds no %q, which the first line of %s wants it to run, in the PATH of the payload", env, name, program)
	default:
		return ""
	}
}

// inPath says whether a program is there, where env looks for it.
func inPath(name string, environ []string) bool {
	if strings.Contains(name, "/") {
		_, err := os.Stat(name)
		return err == nil
	}
	path := ""
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			path = value
		}
	}
	return path == "" || slices.ContainsFunc(filepath.SplitList(path), func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	})
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
