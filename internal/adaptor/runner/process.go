package runner

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Run runs a command in a process group of its own, which is killed when ctx
// ends. It lasts until all that the command started have closed its output, as
// it would by ssh.
func (l *Local) Run(ctx context.Context, c Command) (Result, error) {
	return l.runWithEnviron(ctx, &c, l.environ)
}

// runWithEnviron runs it where a login sees that environment.
func (l *Local) runWithEnviron(ctx context.Context, c *Command, environ []string) (Result, error) {
	if err := checkContext(ctx); err != nil {
		return Result{}, err
	}
	if err := c.validate(); err != nil {
		return Result{}, notStartedError(err)
	}
	p, err := l.startProcess(c, c.buildEnviron(environ))
	if err != nil {
		return Result{}, notStartedError(err)
	}
	return p.awaitResult(ctx, c.Stdin)
}

// process is a command that runs, and our ends of its pipes.
type process struct {
	cmd       *exec.Cmd
	in        *os.File // nil: it reads nothing
	out, errs *os.File
	killed    chan struct{}
}

func (l *Local) startProcess(c *Command, environ []string) (*process, error) {
	dir := cmp.Or(c.Dir, l.home)
	path, err := lookPath(c.Argv[0], dir, environ)
	if err != nil {
		return nil, err
	}
	args := c.Argv
	if c.LoginUmask {
		args = append([]string{"/bin/sh", "-c", `umask "$0" && exec "$@"`, loginUmask(loginDefs), path}, c.Argv[1:]...)
		path = args[0]
	}
	p := &process{killed: make(chan struct{})}
	p.cmd = &exec.Cmd{
		Path: path, Args: args, Dir: dir, Env: environ,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	theirs, err := p.openPipes(len(c.Stdin) > 0)
	if err == nil {
		err = p.cmd.Start()
	}
	for _, f := range theirs {
		_ = f.Close()
	}
	if err != nil {
		p.closePipes()
		return nil, err
	}
	return p, nil
}

// openPipes opens them and gives the command's ends.
func (p *process) openPipes(stdin bool) (theirs []*os.File, err error) {
	var w *os.File
	if p.out, w, err = os.Pipe(); err != nil {
		return theirs, err
	}
	p.cmd.Stdout, theirs = w, append(theirs, w)
	if p.errs, w, err = os.Pipe(); err != nil {
		return theirs, err
	}
	p.cmd.Stderr, theirs = w, append(theirs, w)
	if !stdin {
		return theirs, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return theirs, err
	}
	p.cmd.Stdin, p.in = r, w
	return append(theirs, r), nil
}

func (p *process) closePipes() {
	for _, f := range []*os.File{p.in, p.out, p.errs} {
		_ = f.Close() // of nil: an error, and no more
	}
}

// awaitResult waits for the command. It is not reaped before nobody can kill its group
// any more: until then no other process or group has its number.
func (p *process) awaitResult(ctx context.Context, stdin []byte) (Result, error) {
	defer p.closePipes()
	stop := context.AfterFunc(ctx, p.killGroup)
	var r Result
	var cut [2]bool
	var busy sync.WaitGroup
	if p.in != nil {
		busy.Go(func() {
			_, _ = p.in.Write(stdin) // what it does not read is its own affair
			_ = p.in.Close()
		})
	}
	busy.Go(func() { r.Stdout, cut[0] = readLimited(p.out) })
	r.Stderr, cut[1] = readLimited(p.errs)
	busy.Wait()
	p.awaitExit()
	alive := stop()
	if !alive {
		<-p.killed
	}
	err := p.cmd.Wait()
	if !alive {
		return Result{}, noAnswerError(context.Cause(ctx))
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return Result{}, noAnswerError(err)
	}
	r.Truncated = cut[0] || cut[1]
	r.Code = p.cmd.ProcessState.ExitCode()
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		r.Signal = strings.TrimPrefix(unix.SignalName(status.Signal()), "SIG")
	}
	return r, nil
}

// killGroup ends the group, and our waiting for whoever left it with our pipes.
func (p *process) killGroup() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	for _, f := range []*os.File{p.in, p.out, p.errs} {
		if f != nil {
			_ = f.SetDeadline(time.Unix(1, 0))
		}
	}
	close(p.killed)
}

// awaitExit waits for the command's end and leaves it to be reaped.
func (p *process) awaitExit() {
	for unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
		continue
	}
}

// readLimited reads all and keeps the first OutputLimit bytes.
func readLimited(r io.Reader) (kept []byte, cut bool) {
	var b bytes.Buffer
	_, _ = b.ReadFrom(io.LimitReader(r, OutputLimit)) // an error is the end
	n, _ := io.Copy(io.Discard, r)
	return b.Bytes(), n > 0
}
