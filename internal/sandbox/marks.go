package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Marks are the files of one attempt on this machine: facts that outlive every process. Each
// appears whole or not at all. One that is empty counts as none, but nobody can take its place.
type Marks struct {
	Dir     string
	Attempt int
}

// MarksOf are the marks of an attempt in a sandbox.
func MarksOf(dir string, attempt int) Marks {
	return Marks{filepath.Join(dir, MarksDir), attempt}
}

// Path is the path of a file of the attempt.
func (m Marks) Path(name string) string { return filepath.Join(m.Dir, MarkName(m.Attempt, name)) }

// WriteStarted leaves the mark of an agent; code conflict when another one has.
func (m Marks) WriteStarted(s Started) error {
	err := m.writeNewSmall(StartedFile, s)
	if errors.Is(err, fs.ErrExist) {
		return &pilot.Error{Code: pilot.Conflict, Op: "begin", Message: "another agent has this attempt", Err: err}
	}
	return err
}

// ReadStarted reads the agent's mark; nil when there is none.
func (m Marks) ReadStarted() (*Started, error) { return readMark[Started](m, StartedFile) }

// WriteExit leaves the outcome, unless there is one already: the first counts.
func (m Marks) WriteExit(out api.Outcome) error {
	if err := m.WriteNew(ExitFile, out); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// AnnounceStop leaves [StopFile] before the attempt's agent is signalled, and says whether it may
// be: not once there is an exit mark. The agent leaves the exit mark first, then looks for the
// stop mark, and takes no other assignment if it is there; so the signal hits no other attempt,
// whichever process is slow. Where the stop mark cannot be left the agent cannot leave its own,
// and takes no other assignment either; the same goes for an exit mark that cannot be read.
func (m Marks) AnnounceStop() bool {
	_ = m.CreateFile(StopFile, nil)
	out, _ := m.ReadExit()
	return out == nil
}

// StopAnnounced says whether the attempt's agent may have been signalled.
func (m Marks) StopAnnounced() bool {
	_, err := os.Lstat(m.Path(StopFile))
	return !errors.Is(err, fs.ErrNotExist)
}

// ReadExit reads the outcome; nil when there is none. Errors as [DecodeExit] has them.
func (m Marks) ReadExit() (*api.Outcome, error) {
	content, err := m.readFile(ExitFile)
	if err != nil {
		return nil, err
	}
	return DecodeExit(content)
}

// WriteForkedJob writes the record of a fork job, in the place of the one that is there.
func (m Marks) WriteForkedJob(j *ForkedJob) error { return m.WriteOrReplace(JobFile, j) }

// ReadForkedJob reads the record of a fork job; nil when there is none.
func (m Marks) ReadForkedJob() (*ForkedJob, error) { return readMark[ForkedJob](m, JobFile) }

// ReadBootstrap reads the mark of a batch job's script; nil when there is none.
func (m Marks) ReadBootstrap() (*Bootstrap, error) { return readMark[Bootstrap](m, BootstrapFile) }

// WriteNew writes v as JSON to a file that must not exist (fs.ErrExist).
func (m Marks) WriteNew(name string, v any) error {
	return m.publishJSON(name, v, os.Link)
}

// WriteOrReplace writes v, of one page at most, as JSON to a file that may exist.
func (m Marks) WriteOrReplace(name string, v any) error {
	err := m.writeNewSmall(name, v)
	if errors.Is(err, fs.ErrExist) {
		return m.publishJSON(name, v, os.Rename)
	}
	return err
}

// writeNewSmall is WriteNew for a mark of one page at most, which is written at one stroke:
// only a process that dies between making and writing it leaves an empty one.
func (m Marks) writeNewSmall(name string, v any) error {
	b, err := Encode(v)
	if err != nil {
		return err
	}
	return m.CreateFile(name, b)
}

// CreateFile makes a file that must not exist (fs.ErrExist).
func (m Marks) CreateFile(name string, content []byte) error {
	f, err := os.OpenFile(m.Path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name()) // it is nobody else's
	}
	return err
}

func (m Marks) publishJSON(name string, v any, publish func(from, to string) error) error {
	b, err := Encode(v)
	if err != nil {
		return err
	}
	return m.publishFile(name, b, publish)
}

// publishFile makes a file that appears whole.
func (m Marks) publishFile(name string, content []byte, publish func(from, to string) error) error {
	tmp, err := os.CreateTemp(m.Dir, filepath.Base(m.Path(name))+".*.tmp")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // after a rename there is nothing to remove
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return publish(tmp.Name(), m.Path(name))
}

// ReplaceFile writes a file that may exist, and is whole at any time.
func (m Marks) ReplaceFile(name string, content []byte) error {
	return m.publishFile(name, content, os.Rename)
}

// readMark reads a mark's JSON; nil when there is no such mark, or an empty one.
func readMark[T any](m Marks, name string) (*T, error) {
	content, err := m.readFile(name)
	if err != nil {
		return nil, err
	}
	return Decode[T](name, content)
}

// readFile reads a file of the attempt, of MaxMarkSize at most; nothing when it is not there.
func (m Marks) readFile(name string) ([]byte, error) {
	f, err := openRegular(m.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, MaxMarkSize))
}

// openRegular opens a regular file of a sandbox for reading. What a payload may have
// put in its place (a pipe that blocks, a link to elsewhere) is an error.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%w: it is no regular file", ErrGarbled)}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
