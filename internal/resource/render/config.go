package render

import (
	"strings"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// defaultWorkdir is where sandboxes go if nobody has said it.
const defaultWorkdir = "$HOME/flightlog"

// WithConfig returns the Spec with all that a resource says filled in. The Description
// is one that the resource's Check gave. Errors: code unsupported if there is
// no way to the resource, invalid with the faults of its placeholders.
func (s Spec) WithConfig(known *Systems, cfg *resource.Config) (*Spec, error) {
	full, faults := cfg.Expand(0, &s.Description)
	if len(faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Op: "render", FieldErrors: faults}
	}
	if err := full.Supported(known.Names()); err != nil {
		return nil, err
	}
	e, err := full.Endpoint()
	if err != nil {
		return nil, err
	}
	s.System, s.Transport, s.Options = e.System, e.Transport, e.Options
	a := &full.Architecture
	s.Node = Node{Cores: full.UsableCores(), GPUs: full.UsableGPUs(), SMT: a.SMT, GPU: a.GPU, Exclusive: a.Exclusive}
	s.Constraints = a.Options
	s.ParallelEnvironment = full.SPMDVariation
	s.PreBootstrap = full.Bootstrap()
	s.AgentDir = full.AgentDir
	s.Sandbox = s.sandboxIn(full.DefaultRemoteWorkdir)
	return &s, nil
}

// sandboxIn is <base>/<manager>/<pilot>, as package fork has it.
func (s *Spec) sandboxIn(workdir string) string {
	base := workdir
	if s.Description.Sandbox != "" {
		base = s.Description.Sandbox
	}
	if base == "" {
		base = defaultWorkdir
	}
	return strings.TrimRight(base, "/") + "/" + s.Key.Manager + "/" + s.Key.Pilot
}
