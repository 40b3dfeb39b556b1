package batch

import (
	"context"
	"path"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/agent"
	"github.com/flightlog/flightlog/pilot"
)

// ReadOutput reads the payload's output, or else the script's, where the job's sandbox is.
func (s *System) ReadOutput(ctx context.Context, job adaptor.Handle) (api.OutputAnswer, error) {
	dir := marksDir(job.Sandbox)
	files, err := s.Runner.Read(ctx, agent.TailBytes+1, // one more shows that it was cut
		path.Join(job.Sandbox, agent.StdoutFile), path.Join(dir, markName(job.Attempt, "job.out")),
		path.Join(job.Sandbox, agent.StderrFile), path.Join(dir, markName(job.Attempt, "job.err")))
	if err != nil {
		return api.OutputAnswer{}, &pilot.Error{Code: pilot.Unavailable, Op: "read the output", Err: err}
	}
	return api.OutputAnswer{Stdout: outputTail(files[0], files[1]), Stderr: outputTail(files[2], files[3])}, nil
}
