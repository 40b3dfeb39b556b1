package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/signal"
	"syscall"

	"github.com/flightlog/flightlog/pilot"
)

// assignmentLimit bounds an assignment: a payload's arguments and environment
// are at most pilot.MaxArgBytes, and JSON may write a byte as six.
const assignmentLimit = 8*pilot.MaxArgBytes + 64<<10

// Main is an agent process: it waits for one assignment on stdin and runs it.
// Without one (stdin ends, or the process is asked to leave) it returns nil.
// SIGTERM and SIGINT ask it to leave.
func Main(ctx context.Context, stdin io.Reader, c Config) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	type message struct {
		assignment Assignment
		err        error
	}
	came := make(chan message, 1) // 1: a process that leaves cannot interrupt the reader
	go func() {
		var m message
		m.err = json.NewDecoder(io.LimitReader(stdin, assignmentLimit)).Decode(&m.assignment)
		came <- m
	}()
	select {
	case <-ctx.Done():
		return nil
	case m := <-came:
		switch {
		case errors.Is(m.err, io.EOF):
			return nil
		case m.err != nil:
			return &pilot.Error{Code: pilot.Invalid, Op: "read assignment", Err: m.err}
		}
		return Run(ctx, c, m.assignment)
	}
}
