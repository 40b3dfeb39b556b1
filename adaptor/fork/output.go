package fork

import (
	"context"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/agent"
	"github.com/flightlog/flightlog/api"
)

// Output reads the sandbox.
func (s *System) Output(ctx context.Context, job adaptor.Handle) (api.OutputAnswer, error) {
	if at := placeOf(job.Job.Host, job.Job.Boot, job.Job.Space); s.place.sees(&at) == hidden {
		return api.OutputAnswer{}, s.hiddenError(&at)
	}
	return api.OutputAnswer{
		Stdout: agent.Tail(job.Sandbox, agent.StdoutFile), Stderr: agent.Tail(job.Sandbox, agent.StderrFile),
	}, ctx.Err()
}
