package batch

import (
	"slices"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/internal/resource/render"
)

// dialects are the systems that need no file of their own; nothing changes them.
var dialects = []*Dialect{&Slurm, &SGE, &PBSPro, &Torque, &LSF, &Cobalt, &Process}

// Systems holds all that is known of batch systems: their names in endpoints, how their
// scripts are written, and their dialects. Those of this build are in every one, those that a
// site describes in files are added with With when a process starts. It never changes: two
// services of one process may have different ones. A nil *Systems holds those of this build.
type Systems struct {
	scripts  *render.Systems
	declared []*Dialect
}

// Scripts returns the systems as those that scripts are written for.
func (s *Systems) Scripts() *render.Systems {
	if s == nil {
		return nil
	}
	return s.scripts
}

// Names returns the systems as endpoints name them.
func (s *Systems) Names() *resource.Systems { return s.Scripts().Names() }

// LookupDialect returns the dialect of an endpoint's system. pbs is what RADICAL-Pilot called
// Torque before it knew PBS Pro.
func (s *Systems) LookupDialect(system string) (*Dialect, bool) {
	if system == "pbs" {
		system = "torque"
	}
	all := dialects
	if s != nil {
		all = slices.Concat(s.declared, dialects)
	}
	for _, d := range all {
		if d.Name == system {
			return d, true
		}
	}
	return nil, false
}

// With returns the systems with one more, which takes the place of an earlier one of its
// name. Errors: code invalid.
func (s *Systems) With(d *Declared) (*Systems, error) {
	scripts, err := s.Scripts().With(d.Dialect.Name, d.Script)
	if err != nil {
		return nil, err
	}
	more := &Systems{scripts: scripts, declared: []*Dialect{&d.Dialect}}
	if s != nil {
		more.declared = append(more.declared, s.declared...)
	}
	return more, nil
}

// WithBroken returns the systems with one more that endpoints can name and nothing can be
// launched on, for its file was refused for these faults. Errors: code invalid for a name
// that no file can declare.
func (s *Systems) WithBroken(name string, faults []resource.Diagnostic) (*Systems, error) {
	scripts, err := s.Scripts().WithBroken(name, faults)
	if err != nil {
		return nil, err
	}
	more := &Systems{scripts: scripts}
	if s != nil {
		more.declared = s.declared
	}
	return more, nil
}
