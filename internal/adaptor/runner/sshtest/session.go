package sshtest

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// serveSession waits for the one command of a session and runs it.
func (p *peer) serveSession(c ssh.NewChannel) {
	ch, requests, err := c.Accept()
	if err != nil {
		return
	}
	defer func() { _ = ch.Close() }()
	var command *runningCommand
	var busy sync.WaitGroup
	for r := range requests {
		switch {
		case p.isFrozen():
		case r.Type == "exec" && command == nil:
			var body struct{ Line string }
			_ = ssh.Unmarshal(r.Payload, &body)
			fault := None
			n := int(p.execs.Add(1)) - 1
			if p.Inject != nil {
				fault = p.Inject(n, body.Line)
			}
			if fault == CutBefore {
				_ = p.conn.Close()
				continue
			}
			_ = r.Reply(fault != Refuse, nil)
			if fault == Refuse {
				_ = ch.Close()
				continue
			}
			command = &runningCommand{peer: p, ch: ch, failure: fault, line: body.Line}
			command.startShell()
			busy.Go(command.copyStreams)
		case r.Type == "signal" && command != nil:
			var body struct{ Name string }
			_ = ssh.Unmarshal(r.Payload, &body)
			command.sendSignal(body.Name)
		default:
			_ = r.Reply(false, nil)
		}
	}
	busy.Wait()
}

// runningCommand is a command.
type runningCommand struct {
	*peer
	ch      ssh.Channel
	failure Failure
	line    string

	cmd       *exec.Cmd // nil: there is a handler
	in        io.WriteCloser
	out, errs io.ReadCloser
}

// startShell runs the shell in a session of its own, as sshd does.
func (r *runningCommand) startShell() {
	if r.Handle != nil {
		return
	}
	shell := r.Shell
	if shell == nil {
		shell = []string{"/bin/sh", "-c"}
	}
	r.cmd = exec.Command(shell[0], append(shell[1:len(shell):len(shell)], r.line)...) //nolint:gosec,noctx // it is a server of commands
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	r.cmd.Dir = r.Home
	r.cmd.Env = r.Env
	if r.Env == nil {
		r.cmd.Env = []string{"HOME=" + r.Home, "PATH=/usr/bin:/bin", "SHELL=/bin/sh", "USER=somebody"}
	}
	r.in, _ = r.cmd.StdinPipe()
	r.out, _ = r.cmd.StdoutPipe()
	r.errs, _ = r.cmd.StderrPipe()
	if err := r.cmd.Start(); err != nil {
		panic(err)
	}
}

func (r *runningCommand) sendSignal(name string) {
	if r.cmd != nil {
		_ = syscall.Kill(-r.cmd.Process.Pid, unix.SignalNum("SIG"+name))
	}
}

// copyStreams moves what goes in and out, and tells the end.
func (r *runningCommand) copyStreams() {
	_, _ = io.WriteString(r.ch, r.Noise)
	_, _ = io.WriteString(r.ch.Stderr(), r.Noise)
	if r.cmd == nil {
		r.endOrFail(func() error {
			return r.sendStatus(r.Handle(r.line, r.ch, r.ch))
		})
		return
	}
	var busy sync.WaitGroup
	go func() {
		_, _ = io.Copy(r.in, r.ch)
		_ = r.in.Close()
	}()
	var stdout io.Writer = r.ch
	if r.failure != None {
		stdout = &partialWriter{w: r.ch, all: r.failure == NoStatus, none: r.failure == CutAfter || r.failure >= Hang}
	}
	busy.Go(func() { _, _ = io.Copy(stdout, r.out); _, _ = io.Copy(io.Discard, r.out) })
	busy.Go(func() { _, _ = io.Copy(r.ch.Stderr(), r.errs); _, _ = io.Copy(io.Discard, r.errs) })
	busy.Wait()
	_ = r.cmd.Wait()
	r.endOrFail(func() error { return r.sendExit(r.cmd.ProcessState) })
}

func (r *runningCommand) endOrFail(tell func() error) {
	switch r.failure {
	case CutAfter, CutInside:
		_ = r.conn.Close()
	case CutAtStatus:
		_ = tell()
		_ = r.conn.Close()
	case Garbage:
		_ = tell()
		_, _ = r.conn.Write(make([]byte, 1<<10))
		_ = r.ssh.Wait()
	case Hang:
		_ = r.ssh.Wait()
	case Freeze:
		r.freeze.Do(func() { close(r.frozen) })
		_ = r.ssh.Wait()
	case NoStatus:
		_ = r.ch.Close()
	default:
		_ = tell()
		_ = r.ch.Close()
	}
}

func (r *runningCommand) sendStatus(code int) error {
	_, err := r.ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)})) //nolint:gosec // 0 to 255
	return err
}

func (r *runningCommand) sendExit(state *os.ProcessState) error {
	status, _ := state.Sys().(syscall.WaitStatus)
	if !status.Signaled() {
		return r.sendStatus(status.ExitStatus())
	}
	name := strings.TrimPrefix(unix.SignalName(status.Signal()), "SIG")
	_, err := r.ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
		Name          string
		Dumped        bool
		Message, Lang string
	}{Name: name}))
	return err
}

// partialWriter passes on the first half of each thing written, or nothing, or all.
type partialWriter struct {
	w         io.Writer
	all, none bool
}

func (h *partialWriter) Write(b []byte) (int, error) {
	n := len(b) / 2
	if h.all {
		n = len(b)
	}
	if h.none {
		n = 0
	}
	if _, err := h.w.Write(b[:n]); err != nil {
		return 0, err
	}
	return len(b), nil
}
