package resource

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// declared are systems that a site describes, and broken says what is wrong with those
// whose file was refused.
var (
	declared []string
	broken   = map[string]string{}
)

// known are the systems an endpoint can name, driven those that pilots can be launched on.
func known() []string { return slices.Concat(systems, declared, undriven) }

func driven() []string {
	well := slices.DeleteFunc(slices.Clone(declared), func(name string) bool { return broken[name] != "" })
	return slices.Concat(systems, well)
}

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
	delete(broken, name)
	return nil
}

// DeclareBroken lets endpoints name a system whose description was refused for these
// faults: they are read, and are of no use. The next Declare of the name mends that. Errors:
// those of Declare.
func DeclareBroken(name string, faults []Fault) error {
	if err := Declare(name); err != nil {
		return err
	}
	broken[name] = faults[0].String()
	if more := len(faults) - 1; more > 0 {
		broken[name] += fmt.Sprintf(", and %d more", more)
	}
	return nil
}
