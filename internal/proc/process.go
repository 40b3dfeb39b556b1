package proc

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process holds on to one process by a pidfd: whatever becomes of its pid,
// Wait and Signal mean that process. Close it.
type Process struct {
	Identity
	file *os.File
}

// Open gets hold of a process; ErrGone when it has ended (a zombie has), or
// was of another boot, or when another process has its pid now.
func Open(id Identity) (*Process, error) {
	boot, err := Boot()
	if err != nil {
		return nil, err
	}
	if id.PID < 2 || id.Boot != boot {
		return nil, ErrGone
	}
	fd, err := unix.PidfdOpen(id.PID, 0)
	if isGone(err) || errors.Is(err, unix.EINVAL) { // EINVAL: the pid of a thread
		return nil, ErrGone
	}
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	// The fd is held before the start time is read: if that is right, then no
	// later process can be meant.
	p, err := FromPidfd(fd, id)
	if err != nil {
		return nil, err
	}
	stat, err := ReadStat(id.PID)
	if err == nil && (stat.Start != id.Start || stat.HasEnded()) {
		err = ErrGone
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// FromPidfd takes over a pidfd that is known to be that process's, as of a child
// just started.
func FromPidfd(pidfd int, id Identity) (*Process, error) {
	if err := unix.SetNonblock(pidfd, true); err != nil { // else NewFile keeps it out of the poller
		_ = unix.Close(pidfd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &Process{Identity: id, file: os.NewFile(uintptr(pidfd), "pidfd")}, nil
}

// Close lets go of the process; a Wait returns.
func (p *Process) Close() { _ = p.file.Close() }

// Alive says whether the process has not ended.
func (p *Process) Alive() bool {
	alive := true
	p.withFD(func(fd int) { alive = !pidfdReadable(fd) })
	return alive
}

// Wait blocks until the process has ended, and reaps it if it is a child of
// this one. It holds no thread. It ends with ctx, and with Close.
func (p *Process) Wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = p.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	err = raw.Read(func(fd uintptr) bool {
		if !pidfdReadable(int(fd)) {
			return false
		}
		reapChild(int(fd))
		return true
	})
	if ctx.Err() != nil && err != nil {
		return context.Cause(ctx)
	}
	return err
}

// Signal sends a signal; ErrGone when the process has ended.
func (p *Process) Signal(sig syscall.Signal) error {
	err := fs.ErrClosed
	p.withFD(func(fd int) { err = unix.PidfdSendSignal(fd, sig, nil, 0) })
	if isGone(err) {
		return ErrGone
	}
	return err
}

func (p *Process) withFD(f func(fd int)) {
	raw, err := p.file.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}

// pidfdReadable is what a pidfd is once its process has ended.
func pidfdReadable(fd int) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, 0)
		if !errors.Is(err, unix.EINTR) {
			return n > 0 && poll[0].Revents != 0
		}
	}
}

// reapChild waits by pidfd, so that it can take no other child's status. It is an
// error, of no interest, if the process is not our child.
func reapChild(fd int) {
	for {
		err := unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOHANG, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// isGone: ESRCH also comes from reading files of a process that just went.
func isGone(err error) bool {
	return errors.Is(err, unix.ESRCH) || errors.Is(err, fs.ErrNotExist)
}
