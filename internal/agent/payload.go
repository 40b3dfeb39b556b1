package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/flightlog/flightlog/internal/sandbox"
)

// payload is a running payload: a process group.
type payload struct {
	group int              // its first process's pid; 0 for a payload that only holds the allocation
	ended chan processExit // gives one

	mu     sync.Mutex
	reaped bool // the group's number may be another's
}

// processExit is how the first process ended.
type processExit struct {
	code   int
	signal syscall.Signal // 0: it exited by itself
	why    string         // what is known of the cause; mostly empty
}

func (e processExit) String() string {
	if e.signal != 0 {
		return fmt.Sprintf("killed by signal %d (%s)", int(e.signal), e.signal)
	}
	if e.why != "" {
		return fmt.Sprintf("exit code %d: %s", e.code, e.why)
	}
	return fmt.Sprintf("exit code %d", e.code)
}

// payloadCommand is what to start.
type payloadCommand struct {
	path    string
	argv    []string
	environ []string
	dir     string
}

// startProcess starts the payload, its output in files of its directory.
func (c *payloadCommand) startProcess() (*payload, error) {
	files, err := c.openFiles()
	if err != nil {
		return nil, err
	}
	p := &payload{ended: make(chan processExit, 1)} // 1: who stopped listening need not be waited for
	started := make(chan error)
	go func() {
		// The kernel ties the parent-death signal to the thread that forked: it
		// must last as long as the payload.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.forkExec(p, files)
		for _, f := range files {
			_ = f.Close()
		}
		started <- err
		if err == nil {
			e := p.waitAndReap()
			if e.signal == 0 {
				e.why = startFault(c.path, e.code, c.environ)
			}
			p.ended <- e
		}
	}()
	return p, <-started
}

func (c *payloadCommand) forkExec(p *payload, files []*os.File) (err error) {
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = f.Fd()
	}
	p.group, err = syscall.ForkExec(c.path, c.argv, &syscall.ProcAttr{
		Dir: c.dir, Env: c.environ, Files: fds,
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	return execFailed(c.path, err)
}

// openFiles are stdin, stdout and stderr. Output of an earlier attempt goes.
func (c *payloadCommand) openFiles() ([]*os.File, error) {
	null, err := os.Open(os.DevNull)
	files := []*os.File{null}
	for _, name := range []string{sandbox.StdoutFile, sandbox.StderrFile} {
		if err != nil {
			break
		}
		var f *os.File
		f, err = os.OpenFile(filepath.Join(c.dir, name),
			os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
		files = append(files, f)
	}
	if err != nil {
		for _, f := range files {
			_ = f.Close() // of nil: an error, nothing else
		}
		return nil, err
	}
	return files, nil
}

// waitAndReap waits for the first process, kills what is left of its group, and only
// then reaps it: until then the group's number cannot be another's.
func (p *payload) waitAndReap() processExit {
	for {
		err := unix.Waitid(unix.P_PID, p.group, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.signalGroup(syscall.SIGKILL)
	p.mu.Lock() // a zombie is waited for: that takes no time
	defer p.mu.Unlock()
	p.reaped = true
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(p.group, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return processExit{code: -1} // somebody else reaped it
		case status.Signaled():
			return processExit{signal: status.Signal()}
		default:
			return processExit{code: status.ExitStatus()}
		}
	}
}

// signalGroup goes to the whole group, if there is one.
func (p *payload) signalGroup(signals ...syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, sig := range signals {
		if p.group > 0 && !p.reaped {
			_ = syscall.Kill(-p.group, sig) // it has ended: nothing to do
		}
	}
}
