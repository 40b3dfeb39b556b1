package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/pilot"
)

// MarksDir is the directory inside a sandbox that is ours.
const MarksDir = ".flightlog"

// Marks are the files of one attempt: facts that outlive every process. Each
// appears whole or not at all; an empty one, of who died as it wrote, counts as
// none, but nobody can take its place.
type Marks struct {
	Dir     string
	Attempt int
}

// MarksOf are the marks of an attempt in a sandbox.
func MarksOf(sandbox string, attempt int) Marks {
	return Marks{filepath.Join(sandbox, MarksDir), attempt}
}

// Path is where a mark of that name is. A directory for each attempt would
// cost more than all of its marks.
func (m Marks) Path(name string) string {
	return filepath.Join(m.Dir, strconv.Itoa(m.Attempt)+"."+name)
}

// Started is the mark of the one agent that may run the attempt.
type Started struct {
	proc.Identity
	Serial   int       `json:"serial,omitempty"` // see Assignment
	Token    string    `json:"token"`
	Instance string    `json:"instance"`
	At       time.Time `json:"at"`
}

const (
	startedMark = "started"
	exitMark    = "exit"
	stopMark    = "stop"
)

// WriteStarted leaves the mark of an agent; code conflict when another one has.
func (m Marks) WriteStarted(s Started) error {
	err := m.writeNewSmall(startedMark, s)
	if errors.Is(err, fs.ErrExist) {
		return &pilot.Error{Code: pilot.Conflict, Op: "begin", Message: "another agent has this attempt", Err: err}
	}
	return err
}

// ReadStarted reads the agent's mark; nil when there is none.
func (m Marks) ReadStarted() (*Started, error) { return readMark[Started](m, startedMark) }

// WriteExit leaves the outcome, unless there is one already: the first counts.
func (m Marks) WriteExit(out api.Outcome) error {
	if err := m.WriteNew(exitMark, out); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// AnnounceStop leaves the word that somebody is about to signal the attempt's agent,
// and says whether that is right: not once there is an exit mark. The agent
// leaves that one first and then looks for this one, and takes no other
// assignment if it is there. So the signal hits no other attempt, whoever is
// slow. Where this word cannot be left the agent cannot leave its own, and then
// takes no other assignment either; that goes for an exit mark not to be read.
func (m Marks) AnnounceStop() bool {
	_ = m.createFile(stopMark, nil)
	out, _ := m.ReadExit()
	return out == nil
}

// StopAnnounced says whether somebody may have signalled the attempt's agent.
func (m Marks) StopAnnounced() bool {
	_, err := os.Lstat(m.Path(stopMark))
	return !errors.Is(err, fs.ErrNotExist)
}

// ReadExit reads the outcome; nil when there is none.
func (m Marks) ReadExit() (*api.Outcome, error) {
	out, err := readMark[api.Outcome](m, exitMark)
	if out != nil && out.Kind == "" {
		return nil, fmt.Errorf("mark %s: %w: it says nothing", exitMark, ErrGarbled)
	}
	return out, err
}

// ErrGarbled is a mark that holds something else than a mark: it never will be one.
var ErrGarbled = errors.New("not what a mark holds")

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

// writeNewSmall is Once for a mark of one page at most, which is written at one stroke:
// only who dies between making and writing it leaves an empty one.
func (m Marks) writeNewSmall(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return m.createFile(name, append(b, '\n'))
}

// createFile makes a file that must not exist (fs.ErrExist).
func (m Marks) createFile(name string, content []byte) error {
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
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return m.publishFile(name, append(b, '\n'), publish)
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

// replaceFile writes a file that may exist, and is whole at any time.
func (m Marks) replaceFile(name string, content []byte) error {
	return m.publishFile(name, content, os.Rename)
}

// markLimit bounds a mark: two tails of 4 KiB in JSON, escaped, are far below.
const markLimit = 1 << 20

// Read reads a mark's JSON into v; false when there is no such mark.
func (m Marks) Read(name string, v any) (bool, error) {
	f, err := openRegular(m.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, markLimit))
	if err != nil {
		return false, err
	}
	if len(b) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("mark %s: %w: %w", name, ErrGarbled, err)
	}
	return true, nil
}

func readMark[T any](m Marks, name string) (*T, error) {
	var v T
	if ok, err := m.Read(name, &v); !ok || err != nil {
		return nil, err
	}
	return &v, nil
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
