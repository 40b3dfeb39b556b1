package adaptor

import (
	"context"
	"errors"
	"time"
)

// Call is one call of a batch system's own command (sbatch, qstat), or of what
// stands for one in a system that has none.
type Call struct {
	System  string // "slurm"
	Command string // the command's name without its path and arguments: there are few
	Result  string // see ResultOf; there are few
	Took    time.Duration
}

// Observer is told of calls when they are over; nil: nobody is. It must not
// block, and is called from several goroutines at once.
type Observer func(Call)

// ObserveCall tells of a call that began then and ended now with err.
func (o Observer) ObserveCall(system, command string, begun time.Time, err error) {
	if o != nil {
		o(Call{System: system, Command: command, Result: ResultOf(err), Took: time.Since(begun)})
	}
}

// ForSystem gives what is told of one system's calls.
func (o Observer) ForSystem(system string) func(command, result string, took time.Duration) {
	return func(command, result string, took time.Duration) {
		if o != nil {
			o(Call{System: system, Command: command, Result: result, Took: took})
		}
	}
}

// ResultOf names what came of a call: ok, the class of an *Error (rejected,
// throttled, not_sent, unknown), timeout, or error.
func ResultOf(err error) string {
	var classed *Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &classed):
		return string(classed.Class)
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	default:
		return "error"
	}
}
