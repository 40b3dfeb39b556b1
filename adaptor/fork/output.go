package fork

import (
	"context"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/agent"
	"github.com/flightlog/flightlog/api"
)

// Output reads the sandbox.
func (s *System) Output(ctx context.Context, job adaptor.Handle) (api.OutputAnswer, error) {
	if job.Job.Host != "" && job.Job.Host != s.machine {
		return api.OutputAnswer{}, elsewhereError(job.Job.Host, s.machine)
	}
	return api.OutputAnswer{
		Stdout: agent.Tail(job.Sandbox, agent.StdoutFile), Stderr: agent.Tail(job.Sandbox, agent.StderrFile),
	}, ctx.Err()
}
