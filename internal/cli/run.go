// Package cli is the command line of Flightlog, which docs/cli.md describes:
// one function for each command, each with its flags. Run runs the one of this process.
package cli

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/flightlog/flightlog/internal/app"
)

// Run runs the command line of this process until it ends or ctx does, and
// returns the exit code.
func Run(ctx context.Context) int {
	return runCommandLine(ctx, processEnv{
		args: os.Args[1:], stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv,
	})
}

// processEnv is the part of a process that a command uses.
type processEnv struct {
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

// The exit codes, as docs/cli.md has them. 124 is that of timeout(1), 130 what
// a shell reports of a process that ended by an interrupt.
const (
	exitError       = 1
	exitUsage       = 2
	exitOtherwise   = 3
	exitDeadline    = 124
	exitInterrupted = 130
)

// exitCodeError ends the process with a code and prints nothing, because the command
// has printed already why.
type exitCodeError int

// Error is not shown to anybody.
func (e exitCodeError) Error() string { return "exit" }

// runCommandLine runs one command line and returns its exit code.
func runCommandLine(ctx context.Context, e processEnv) int {
	a := &commandLine{processEnv: e}
	defer a.flushStderr()
	root := a.rootCommand()
	root.SetArgs(e.args)
	err := root.ExecuteContext(ctx)
	var code exitCodeError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case !a.parsed:
		a.reportError(err)
		return exitUsage
	case errors.Is(err, errUsage):
		a.reportError(err)
		return exitUsage
	case ctx.Err() != nil:
		return exitInterrupted
	default:
		a.reportError(err)
		return exitError
	}
}

// flushStderr passes on what a service has said last.
func (a *commandLine) flushStderr() {
	if o, ok := a.stderr.(*app.LossyWriter); ok {
		_ = o.Sync() // it gives nil
	}
}
