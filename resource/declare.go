package resource

import (
	"slices"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// declared are systems that a site describes.
var declared []string

// known are the systems an endpoint can name, driven those that pilots can be launched on.
func known() []string  { return slices.Concat(driven(), undriven) }
func driven() []string { return slices.Concat(systems, declared) }

// Declare lets endpoints name one system more: a lower-case word. A process does
// it before anything else of it reads a configuration. Errors: code invalid for a
// name that means something else.
func Declare(name string) error {
	_, taken := short[name]
	if taken || slices.Contains(systems, name) || slices.Contains(undriven, name) || slices.Contains(transports, name) || !validScheme(name) || strings.Contains(name, "+") {
		return pilot.Errorf(pilot.Invalid, "'%s' cannot be the name of a system: a word of small letters and digits that is none yet", shown(name))
	}
	if !slices.Contains(declared, name) {
		declared = append(declared, name)
	}
	return nil
}
