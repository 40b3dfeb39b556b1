package render

import (
	"maps"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// Systems holds the batch systems that scripts can be written for: those of this build, and
// those that a site describes in files. It never changes; With and WithBroken return a
// larger one. A nil *Systems holds those of this build alone.
type Systems struct {
	names    *resource.Systems
	declared map[string]*dialect
}

// Names returns the systems as endpoints name them.
func (s *Systems) Names() *resource.Systems {
	if s == nil {
		return nil
	}
	return s.names
}

// all returns every dialect by the name of its system.
func (s *Systems) all() map[string]*dialect {
	if s == nil {
		return dialects
	}
	all := maps.Clone(dialects)
	maps.Copy(all, s.declared)
	return all
}

// List returns the names of the systems of endpoints that there are scripts for, sorted.
func (s *Systems) List() []string { return slices.Sorted(maps.Keys(s.all())) }

// With returns the systems with one more, for which scripts are written by a syntax; it takes
// the place of an earlier one of that name. Errors: code invalid, with the faults of the
// syntax, or for a name that means something else.
func (s *Systems) With(name string, syntax Syntax) (*Systems, error) {
	if faults := syntax.Check(); len(faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Op: "declare", FieldErrors: faults}
	}
	names, err := s.Names().With(name)
	if err != nil {
		return nil, err
	}
	more := &Systems{names: names, declared: map[string]*dialect{}}
	if s != nil {
		maps.Copy(more.declared, s.declared)
	}
	more.declared[name] = syntax.toDialect(name)
	return more, nil
}

// WithBroken returns the systems with one more that endpoints can name and nothing can be
// launched on, for its description was refused for these faults. Errors: code invalid for a
// name that means something else.
func (s *Systems) WithBroken(name string, faults []resource.Diagnostic) (*Systems, error) {
	names, err := s.Names().WithBroken(name, faults)
	if err != nil {
		return nil, err
	}
	more := &Systems{names: names}
	if s != nil {
		more.declared = s.declared
	}
	return more, nil
}

// dialectOf returns how scripts for an endpoint's system are written.
func (s *Systems) dialectOf(system, transport string) (*dialect, error) {
	if transport != "" && transport != "ssh" && transport != "local" {
		return nil, pilot.Errorf(pilot.Unsupported, "unsupported transport %.64q: only ssh, or none", transport)
	}
	d, ok := s.all()[system]
	if !ok {
		return nil, pilot.Errorf(pilot.Unsupported, "unsupported system %.64q: known are %s", system, strings.Join(s.List(), ", "))
	}
	return d, nil
}
