// Command flightlog is the command line of Flightlog; docs/cli.md tells all of
// it.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/flightlog/flightlog/service"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, world{
		args: os.Args[1:], stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv,
	})
	stop()
	os.Exit(code)
}

// world is what a command has of the process it runs in.
type world struct {
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

// exit ends the process with a code and without a word: all has been said.
type exit int

// Error is not shown to anybody.
func (e exit) Error() string { return "exit" }

// run runs one command line and gives its exit code.
func run(ctx context.Context, w world) int {
	a := &app{world: w}
	defer a.flush()
	root := a.root()
	root.SetArgs(w.args)
	err := root.ExecuteContext(ctx)
	var code exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case !a.begun:
		a.complain(err)
		return exitUsage
	case errors.Is(err, errUsage):
		a.complain(err)
		return exitUsage
	case ctx.Err() != nil:
		return exitInterrupted
	default:
		a.complain(err)
		return exitError
	}
}

// flush passes on what a service has said last.
func (a *app) flush() {
	if o, ok := a.stderr.(*service.Outlet); ok {
		_ = o.Sync() // it gives nil
	}
}
