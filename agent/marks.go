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

	"github.com/flightlog/flightlog/agent/proc"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// MarksDir is the directory inside a sandbox that is ours.
const MarksDir = ".flightlog"

// Marks are the files of one attempt: facts that outlive every process. Each
// appears whole or not at all.
type Marks struct {
	Dir string
}

// MarksOf are the marks of an attempt in a sandbox.
func MarksOf(sandbox string, attempt int) Marks {
	return Marks{filepath.Join(sandbox, MarksDir, strconv.Itoa(attempt))}
}

// Started is the mark of the one agent that may run the attempt.
type Started struct {
	proc.Identity
	Token    string    `json:"token"`
	Instance string    `json:"instance"`
	At       time.Time `json:"at"`
}

const (
	startedMark = "started"
	exitMark    = "exit"
)

// Begin leaves the mark of an agent; code conflict when another one has.
func (m Marks) Begin(s Started) error {
	err := m.Once(startedMark, s)
	if errors.Is(err, fs.ErrExist) {
		return &pilot.Error{Code: pilot.Conflict, Op: "begin", Message: "another agent has this attempt", Err: err}
	}
	return err
}

// Started reads the agent's mark; nil when there is none.
func (m Marks) Started() (*Started, error) { return read[Started](m, startedMark) }

// End leaves the outcome, unless there is one already: the first counts.
func (m Marks) End(out api.Outcome) error {
	if err := m.Once(exitMark, out); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Exit reads the outcome; nil when there is none.
func (m Marks) Exit() (*api.Outcome, error) { return read[api.Outcome](m, exitMark) }

// Once writes v as JSON to a file that must not exist (fs.ErrExist).
func (m Marks) Once(name string, v any) error {
	return m.write(name, v, os.Link)
}

// Replace writes v as JSON to a file that may exist.
func (m Marks) Replace(name string, v any) error {
	return m.write(name, v, os.Rename)
}

func (m Marks) write(name string, v any, publish func(from, to string) error) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(m.Dir, name+".*.tmp")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // after a rename there is nothing to remove
	_, err = tmp.Write(append(b, '\n'))
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return publish(tmp.Name(), filepath.Join(m.Dir, name))
}

// markLimit bounds a mark: two tails of 4 KiB in JSON, escaped, are far below.
const markLimit = 1 << 20

// Read reads a mark's JSON into v; false when there is no such mark.
func (m Marks) Read(name string, v any) (bool, error) {
	f, err := open(filepath.Join(m.Dir, name))
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
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("mark %s: %w", name, err)
	}
	return true, nil
}

func read[T any](m Marks, name string) (*T, error) {
	var v T
	if ok, err := m.Read(name, &v); !ok || err != nil {
		return nil, err
	}
	return &v, nil
}

// open opens a regular file of a sandbox for reading. What a payload may have
// put in its place (a pipe that blocks, a link to elsewhere) is an error.
func open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
