package fork

import (
	"context"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/sandbox"
)

// ReadOutput reads the sandbox.
func (s *System) ReadOutput(ctx context.Context, job adaptor.Handle) (api.OutputAnswer, error) {
	if at := placeOf(job.Job.Host, job.Job.Boot, job.Job.Space); s.place.visibilityOf(&at) == seesNothing {
		return api.OutputAnswer{}, s.hiddenError(&at)
	}
	return api.OutputAnswer{
		Stdout: sandbox.ReadTail(job.Sandbox, sandbox.StdoutFile), Stderr: sandbox.ReadTail(job.Sandbox, sandbox.StderrFile),
	}, ctx.Err()
}
