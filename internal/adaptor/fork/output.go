package fork

import (
	"context"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/agent"
)

// ReadOutput reads the sandbox.
func (s *System) ReadOutput(ctx context.Context, job adaptor.Handle) (api.OutputAnswer, error) {
	if at := placeOf(job.Job.Host, job.Job.Boot, job.Job.Space); s.place.visibilityOf(&at) == seesNothing {
		return api.OutputAnswer{}, s.hiddenError(&at)
	}
	return api.OutputAnswer{
		Stdout: agent.ReadTail(job.Sandbox, agent.StdoutFile), Stderr: agent.ReadTail(job.Sandbox, agent.StderrFile),
	}, ctx.Err()
}
