package resource

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// Systems holds the names of the batch systems that endpoints can name: those of this build,
// and those that a site describes in files. It never changes; With and WithBroken return a
// larger one. A nil *Systems holds those of this build alone.
type Systems struct {
	declared []string
	broken   map[string]string // why a system cannot be used whose file was refused
}

// known returns the systems an endpoint can name.
func (s *Systems) known() []string {
	if s == nil {
		return slices.Concat(systems, undrivenSystems)
	}
	return slices.Concat(systems, s.declared, undrivenSystems)
}

// driven returns the systems that pilots can be launched on.
func (s *Systems) driven() []string {
	if s == nil {
		return systems
	}
	usable := slices.DeleteFunc(slices.Clone(s.declared), func(name string) bool { return s.broken[name] != "" })
	return slices.Concat(systems, usable)
}

// faultOf returns why a system cannot be used whose file was refused, or "".
func (s *Systems) faultOf(name string) string {
	if s == nil {
		return ""
	}
	return s.broken[name]
}

// clone returns a copy that may be changed before it is handed on.
func (s *Systems) clone() *Systems {
	if s == nil {
		return &Systems{broken: map[string]string{}}
	}
	return &Systems{declared: slices.Clone(s.declared), broken: maps.Clone(s.broken)}
}

// With returns the systems with one more: its name is a lower-case word. A broken system of
// that name is usable again. Errors: code invalid for a name that means something else.
func (s *Systems) With(name string) (*Systems, error) {
	_, taken := shortSchemes[name]
	if taken || slices.Contains(systems, name) || slices.Contains(undrivenSystems, name) || slices.Contains(transports, name) || !validScheme(name) || strings.Contains(name, "+") {
		return nil, pilot.Errorf(pilot.Invalid, "'%s' cannot be the name of a system: a word of small letters and digits that is none yet", clipLine(name))
	}
	more := s.clone()
	if !slices.Contains(more.declared, name) {
		more.declared = append(more.declared, name)
	}
	delete(more.broken, name)
	return more, nil
}

// WithBroken returns the systems with one more whose description was refused for these
// faults: endpoints can name it, and nothing can be launched there. With of the same name
// mends that. Errors: those of With.
func (s *Systems) WithBroken(name string, faults []Diagnostic) (*Systems, error) {
	more, err := s.With(name)
	if err != nil {
		return nil, err
	}
	more.broken[name] = faults[0].String()
	if n := len(faults) - 1; n > 0 {
		more.broken[name] += fmt.Sprintf(", and %d more", n)
	}
	return more, nil
}

// knows reports whether an endpoint names a system and a transport that are known.
func (s *Systems) knows(e *Endpoint) bool {
	_, short := shortSchemes[e.scheme]
	return short || slices.Contains(s.known(), e.System) && (e.Transport == "" || slices.Contains(transports, e.Transport))
}

// ParseEndpoint reads a URL as the function of that name does, and refuses with code
// unsupported one that names a system or a transport that is not known.
func (s *Systems) ParseEndpoint(raw string) (Endpoint, error) {
	e, err := ParseEndpoint(raw)
	if err == nil && !s.knows(&e) {
		err = pilot.Errorf(pilot.Unsupported, "unsupported system in '%s'; supported are %s, also with +ssh",
			clipLine(raw), strings.Join(s.driven(), ", "))
	}
	return e, err
}
