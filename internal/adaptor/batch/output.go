package batch

import (
	"context"
	"path"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// ReadOutput reads the payload's output, or else the script's, where the job's sandbox is.
func (s *System) ReadOutput(ctx context.Context, job adaptor.Handle) (api.OutputAnswer, error) {
	files, err := s.Runner.Read(ctx, sandbox.TailBytes+1, // one more shows that it was cut
		path.Join(job.Sandbox, sandbox.StdoutFile), sandbox.MarkPath(job.Sandbox, job.Attempt, sandbox.ScriptStdoutFile),
		path.Join(job.Sandbox, sandbox.StderrFile), sandbox.MarkPath(job.Sandbox, job.Attempt, sandbox.ScriptStderrFile))
	if err != nil {
		return api.OutputAnswer{}, &pilot.Error{Code: pilot.Unavailable, Op: "read the output", Err: err}
	}
	return api.OutputAnswer{Stdout: outputTail(files[0], files[1]), Stderr: outputTail(files[2], files[3])}, nil
}
