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

	"github.com/flightlog/flightlog/pilot"
)

// Idle is the line by which an agent process says that it waits for an
// assignment: at first, and when all of the one before is over.
const Idle = "idle\n"

// assignmentLimit bounds an assignment: a payload's arguments and environment
// are at most pilot.MaxArgBytes, and JSON may write a byte as six.
const assignmentLimit = 8*pilot.MaxArgBytes + 64<<10

// An agent process is let go when it has served so many pilots, or has so much
// memory: whatever it may have gathered goes with it. A fresh one has 6 MiB.
const (
	servedLimit = 1000
	memoryLimit = 48 << 20
)

// firstUnknown is the first file descriptor after stdin, stdout and stderr.
const firstUnknown = 3

// Main is an agent process: it says on stdout that it is idle, takes an
// assignment from stdin, runs it, and does so again as long as it is as good
// as new; else it returns. It returns nil when stdin ends between two
// assignments or when it is asked to leave there (SIGTERM, SIGINT).
func Main(ctx context.Context, stdin io.Reader, stdout io.Writer, c Config) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	broken := make(chan os.Signal, 1) // 1: never read; that nobody listens to stdout is an error there, and no death
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)
	if c.Alone {
		// What we inherited open, and do not know of, no payload inherits of us.
		_ = unix.CloseRange(firstUnknown, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) // kernels before 5.11 cannot
	}
	in := newInbox(stdin)
	for range servedLimit {
		if _, err := io.WriteString(stdout, Idle); err != nil {
			return nil // who started us has gone
		}
		a, err := in.next(ctx)
		if a == nil || err != nil {
			return err
		}
		spotless, err := serve(ctx, c, *a)
		if !spotless || err != nil || memory() > memoryLimit {
			return err
		}
	}
	return nil
}

// inbox reads assignments, one JSON value after the other.
type inbox struct {
	limited *io.LimitedReader
	decoder *json.Decoder
}

func newInbox(stdin io.Reader) *inbox {
	limited := &io.LimitedReader{R: stdin}
	return &inbox{limited, json.NewDecoder(limited)}
}

// next waits for an assignment; nil when there will be none, or ctx ends.
func (i *inbox) next(ctx context.Context) (*Assignment, error) {
	type message struct {
		assignment Assignment
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

// memory is what the Go runtime has of the system.
func memory() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() - sample[1].Value.Uint64()
}
