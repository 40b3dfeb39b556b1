package runner

import (
	"context"
	"fmt"
)

// Runner is a way to one account on one machine. All methods may be called at
// the same time; each ends with its context.
type Runner interface {
	// Run runs a command to its end. However it exits, that is a Result; an
	// *Error says that it is not known how it exited.
	Run(ctx context.Context, c Command) (Result, error)
	// Expand gives the path that a login shell there makes of a path with $NAME,
	// ${NAME}, a leading ~ and $(commands): absolute and without symbolic links.
	// The directory is made if it is not there.
	Expand(ctx context.Context, path string) (string, error)
	// Write makes the directory, with parents, for this account alone (0700) and
	// puts files there. One that exists is replaced. Code invalid: the directory,
	// or its last but one part, is a link or another user's.
	Write(ctx context.Context, dir string, files ...File) error
	// Read gives the files in the order asked; of each at most the last limit
	// bytes. What is no regular file, or not there, is nil.
	Read(ctx context.Context, limit int64, paths ...string) ([][]byte, error)
	// Remove removes files and whole directories, without following links; what
	// is not there is no error.
	Remove(ctx context.Context, paths ...string) error
	// Stage puts an executable of this machine into a directory there, made as
	// Write makes it, and gives its path. The name holds the hash of the content, so
	// that what is there already is not sent again; its times become those of now. A
	// *UnusableDirError: the directory does not do, because another user may change what it
	// holds, nothing in it can be executed, or it cannot be written.
	Stage(ctx context.Context, file, dir string) (string, error)
	// Identity names account and machine: equal for Runners that lead to the same.
	Identity() string
	// Close ends what the Runner keeps open.
	Close() error
}

// Reacher is a Runner with a way to its machine that may be closed for a while.
type Reacher interface {
	// Reach says why nothing can be run there now; nil: as far as is known, it can.
	Reach(ctx context.Context) error
}

// Command is what to run. It is found in the PATH of the place it runs at.
type Command struct {
	Argv  []string
	Dir   string   // absolute; empty: the home directory
	Env   []string // NAME=value, beside what a login has there
	Unset []string // names, or beginnings of names that end in *, that it must not see; one after a ! it may see all the same
	// LoginUmask has it run with the umask that a login has, and not with this process's.
	// By ssh every command has that.
	LoginUmask bool
	Stdin      []byte
}

// Result is how a command ended.
type Result struct {
	Stdout, Stderr []byte // at most OutputLimit bytes of each
	Truncated      bool   // there was more
	Code           int    // exit code; -1 if a signal ended it
	Signal         string // that ended it, as in "KILL"; empty: none
}

// OutputLimit bounds what is kept of a command's output: a listing of 100,000
// jobs has some 10 MiB.
const OutputLimit = 32 << 20

// File is one to write.
type File struct {
	Name    string // relative to the directory, one part or more; no ".."
	Content []byte
	Mode    uint32 // 0: 0600
}

// Error says that there is no Result.
type Error struct {
	Started bool // it may have run; false: it certainly did nothing
	Err     error
}

// Error gives the cause's words.
func (e *Error) Error() string {
	if e.Started {
		return fmt.Sprintf("no answer: %v", e.Err)
	}
	return fmt.Sprintf("not started: %v", e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// UnusableDirError says that a directory does not do for what is to be put there. Nothing
// else is wrong.
type UnusableDirError struct {
	Dir string
	Err error
}

// Error gives the cause's words.
func (e *UnusableDirError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UnusableDirError) Unwrap() error { return e.Err }
