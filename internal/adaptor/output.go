package adaptor

import (
	"context"

	"github.com/flightlog/flightlog/api"
)

// OutputReader is an Adaptor that can show what the payload of a job has printed so far.
type OutputReader interface {
	// ReadOutput gives the ends of it, empty where there is none yet. Code unavailable:
	// the sandbox cannot be seen from here, or not now.
	ReadOutput(ctx context.Context, job Handle) (api.OutputAnswer, error)
}
