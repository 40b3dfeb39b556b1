package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// Text gives what the file says of one resource, in the form of 2025, as JSON
// that ParseResource reads; nil if it says nothing of it.
func (s *Site) Text(label string) []byte {
	site, host, _ := strings.Cut(label, ".")
	o, ok := s.hosts[host]
	if !ok || site != s.Name {
		return nil
	}
	b, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		panic(err) // it was JSON before
	}
	return append(b, '\n')
}

// FindFlaws are what a site would make unusable that is usable, or not there,
// without it: resources, laid over the catalogue, that do not resolve under
// each of their schemas. Contrary are names of schemas that lead nowhere;
// what is incomplete, layers to come may complete. The catalogue is not changed.
func (c *Catalogue) FindFlaws(s *Site) (contrary, incomplete []Diagnostic) {
	after := c.WithLayer(Layer{Name: s.File, Sites: []*Site{s}})
	for _, label := range s.Labels() {
		seen := map[string]bool{}
		for _, schema := range slices.Concat([]string{""}, after.Schemas(label)) {
			_, err := after.Resolve(label, schema)
			if err == nil || seen[err.Error()] {
				continue
			}
			if _, before := c.Resolve(label, schema); before != nil && before.Error() == err.Error() {
				continue
			}
			seen[err.Error()] = true
			_, host, _ := strings.Cut(label, ".")
			f := Diagnostic{File: clipLine(s.File), Key: host, Reason: err.Error()}
			if pilot.CodeOf(err) == pilot.NotFound {
				contrary = append(contrary, f)
			} else {
				incomplete = append(incomplete, f)
			}
		}
	}
	return contrary, incomplete
}

// DiagnosticsOf are the faults of a file that Parse refused, or the error itself.
func DiagnosticsOf(file string, err error) []Diagnostic {
	if e, ok := errors.AsType[*FileError](err); ok {
		return e.Diagnostics
	}
	return []Diagnostic{{File: clipLine(file), Reason: err.Error()}}
}

// Select gives the site without resources that are not named, and with every
// name that it does not have as a fault.
func (s *Site) Select(labels []string) (*Site, error) {
	out := &Site{Name: s.Name, File: s.File, Notices: s.Notices, hosts: map[string]object{}}
	var faults []Diagnostic
	for _, label := range labels {
		site, host, _ := strings.Cut(label, ".")
		o, ok := s.hosts[host]
		if !ok || site != s.Name {
			faults = append(faults, Diagnostic{File: clipLine(s.File), Key: clipLine(label), Reason: fmt.Sprintf("is not in it; what is: %s", joinNames(s.Labels()))})
			continue
		}
		out.hosts[host] = o
	}
	if len(faults) > 0 {
		return nil, newFileError(faults)
	}
	return out, nil
}
