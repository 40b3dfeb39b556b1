package resource

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// declaredSystems are systems that a site describes, and broken says what is wrong with those
// whose file was refused.
var (
	declaredSystems []string
	brokenSystems   = map[string]string{}
)

// knownSystems are the systems an endpoint can name, driven those that pilots can be launched on.
func knownSystems() []string { return slices.Concat(systems, declaredSystems, undrivenSystems) }

func drivenSystems() []string {
	well := slices.DeleteFunc(slices.Clone(declaredSystems), func(name string) bool { return brokenSystems[name] != "" })
	return slices.Concat(systems, well)
}

// DeclareSystem lets endpoints name one system more: a lower-case word. A process does
// it before anything else of it reads a configuration. Errors: code invalid for a
// name that means something else.
func DeclareSystem(name string) error {
	_, taken := shortSchemes[name]
	if taken || slices.Contains(systems, name) || slices.Contains(undrivenSystems, name) || slices.Contains(transports, name) || !validScheme(name) || strings.Contains(name, "+") {
		return pilot.Errorf(pilot.Invalid, "'%s' cannot be the name of a system: a word of small letters and digits that is none yet", clipLine(name))
	}
	if !slices.Contains(declaredSystems, name) {
		declaredSystems = append(declaredSystems, name)
	}
	delete(brokenSystems, name)
	return nil
}

// DeclareBrokenSystem lets endpoints name a system whose description was refused for these
// faults: they are read, and are of no use. The next Declare of the name mends that. Errors:
// those of Declare.
func DeclareBrokenSystem(name string, faults []Diagnostic) error {
	if err := DeclareSystem(name); err != nil {
		return err
	}
	brokenSystems[name] = faults[0].String()
	if more := len(faults) - 1; more > 0 {
		brokenSystems[name] += fmt.Sprintf(", and %d more", more)
	}
	return nil
}
