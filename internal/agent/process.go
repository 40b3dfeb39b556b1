package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"os/signal"
	"runtime/metrics"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// assignmentLimit bounds an assignment: a payload's arguments and environment
// are at most pilot.MaxArgBytes, and JSON may write a byte as six.
const assignmentLimit = 8*pilot.MaxArgBytes + 64<<10

// An agent process is let go when it has served so many pilots, or has so much
// memory: whatever it may have gathered goes with it. A fresh one has 6 MiB.
const (
	maxServed = 1000
	maxMemory = 48 << 20
)

// firstUnknownFD is the first file descriptor after stdin, stdout and stderr.
const firstUnknownFD = 3

// RunProcess is an agent process: it says on stdout that it is idle, takes an
// assignment from stdin, runs it, and does so again as long as it is as good
// as new; else it returns. It returns nil when stdin ends between two
// assignments or when it is asked to leave there (SIGTERM, SIGINT).
func RunProcess(ctx context.Context, stdin io.Reader, stdout io.Writer, c Config) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	broken := make(chan os.Signal, 1) // 1: never read; that nobody listens to stdout is an error there, and no death
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)
	if c.OwnProcess {
		// What we inherited open, and do not know of, no payload inherits of us.
		_ = unix.CloseRange(firstUnknownFD, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) // kernels before 5.11 cannot
	}
	in := newAssignmentReader(stdin)
	for range maxServed {
		if _, err := io.WriteString(stdout, sandbox.Idle); err != nil {
			return nil // who started us has gone
		}
		a, err := in.readNext(ctx)
		if a == nil || err != nil {
			return err
		}
		reusable, err := serveAssignment(ctx, c, *a)
		if !reusable || err != nil || runtimeMemory() > maxMemory {
			return err
		}
	}
	return nil
}

// assignmentReader reads assignments, one JSON value after the other.
type assignmentReader struct {
	limited *io.LimitedReader
	decoder *json.Decoder
}

func newAssignmentReader(stdin io.Reader) *assignmentReader {
	limited := &io.LimitedReader{R: stdin}
	return &assignmentReader{limited, json.NewDecoder(limited)}
}

// readNext waits for an assignment; nil when there will be none, or ctx ends.
func (i *assignmentReader) readNext(ctx context.Context) (*sandbox.Assignment, error) {
	type message struct {
		assignment sandbox.Assignment
		err        error
	}
	i.limited.N = assignmentLimit
	came := make(chan message, 1) // 1: a process that leaves cannot interrupt the reader
	go func() {
		var m message
		m.err = i.decoder.Decode(&m.assignment)
		came <- m
	}()
	select {
	case <-ctx.Done():
		return nil, nil //nolint:nilnil // no assignment is an answer
	case m := <-came:
		switch {
		case errors.Is(m.err, io.EOF):
			return nil, nil //nolint:nilnil // no assignment is an answer
		case m.err != nil:
			return nil, &pilot.Error{Code: pilot.Invalid, Op: "read assignment", Err: m.err}
		}
		return &m.assignment, nil
	}
}

// runtimeMemory is what the Go runtime has of the system.
func runtimeMemory() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() - sample[1].Value.Uint64()
}
