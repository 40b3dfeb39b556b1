package resource

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// Check compares a description, valid by itself, with what the resource
// demands. It gives the description as it is to be kept (defaults filled in,
// cores rounded up to whole nodes), what was changed, in words for the user,
// and every fault, one of them if this build has no way to the resource. d is
// not changed.
func (c *Config) Check(known *Systems, index int, d *pilot.Description) (pilot.Description, []string, []pilot.FieldError) {
	k := checker{Config: c, index: index, d: *d}
	k.applyDefaults()
	k.checkMandatory()
	k.checkRuntime()
	k.checkSize()
	full, faults := c.Expand(index, &k.d)
	k.faults = append(k.faults, faults...)
	if len(faults) == 0 {
		if err := full.Supported(known); err != nil {
			k.addError("access_schema", "%s", err)
		}
		k.checkWorkdir(full)
		k.checkSandbox(full)
	}
	return k.d, k.notes, k.faults
}

type checker struct {
	*Config
	index  int
	d      pilot.Description
	notes  []string
	faults []pilot.FieldError
}

func (k *checker) addError(field, format string, args ...any) {
	k.faults = append(k.faults, pilot.FieldError{Index: k.index, Field: field, Reason: fmt.Sprintf(format, args...)})
}

func (k *checker) addNote(format string, args ...any) {
	k.notes = append(k.notes, fmt.Sprintf(format, args...))
}

// runsProcesses says whether pilots are plain processes: there are no queues and
// no nodes to be had.
func (k *checker) runsProcesses() bool {
	e, err := k.Endpoint()
	return err == nil && e.System == "fork"
}

func (k *checker) applyDefaults() {
	if k.runsProcesses() {
		return
	}
	if k.d.Queue == "" && k.DefaultQueue != "" && !strings.Contains(k.DefaultQueue, placeholderStart) {
		k.d.Queue = k.DefaultQueue
		k.addNote("queue: '%s', the default of %s", k.d.Queue, k.Label)
	}
	if k.d.Project == "" && k.DefaultProject != "" && !strings.Contains(k.DefaultProject, placeholderStart) {
		k.d.Project = k.DefaultProject
		k.addNote("project: '%s', the default of %s", k.d.Project, k.Label)
	}
}

// checkMandatory says it in RADICAL-Pilot's words (v0.35, pilot_manager.py).
func (k *checker) checkMandatory() {
	for _, name := range k.MandatoryArgs {
		get, known := attributes[name]
		switch {
		case !known:
			k.addError(clipLine(name), "is required for '%s', and is no attribute this version knows", k.Label)
		case get(&k.d) == "":
			k.addError(name, "does not define attribute '%s' which is required for '%s'", name, k.Label)
		}
	}
}

func (k *checker) checkRuntime() {
	if k.MaxRuntime > 0 && k.d.Runtime > k.MaxRuntime {
		k.addError("runtime", "%s is more than %s allows: %s", k.d.Runtime, k.Label, k.MaxRuntime)
	}
}

// checkSize rounds cores up to whole nodes, which is what batch systems give out
// where the cores of a node are known.
func (k *checker) checkSize() {
	cores, gpus := k.UsableCores(), k.UsableGPUs()
	asked := max(k.d.Cores, k.d.Nodes, k.d.GPUs)
	if k.runsProcesses() || cores == 0 || asked <= 0 || asked > pilot.MaxCount || min(k.d.Cores, k.d.Nodes, k.d.GPUs) < 0 {
		return
	}
	nodes := k.d.Nodes
	if nodes == 0 {
		nodes = ceilDiv(k.d.Cores, cores)
		if gpus > 0 {
			nodes = max(nodes, ceilDiv(k.d.GPUs, gpus))
		}
		k.roundCores(nodes, cores)
	}
	if k.GPUsPerNode > 0 && k.d.GPUs > nodes*gpus {
		k.addError("gpus", "%d are more than %d nodes of %s have: %d each", k.d.GPUs, nodes, k.Label, gpus)
	}
}

func (k *checker) roundCores(nodes, cores int64) {
	switch whole := nodes * cores; {
	case whole > pilot.MaxCount:
		k.addError("cores", "%d rounded up to %d whole nodes of %d are more than %d", k.d.Cores, nodes, cores, pilot.MaxCount)
	case whole != k.d.Cores:
		k.addNote("cores: %d instead of %d, which is %d whole nodes of %d", whole, k.d.Cores, nodes, cores)
		k.d.Cores = whole
	}
}

func ceilDiv(n, per int64) int64 { return (n + per - 1) / per }

// checkWorkdir refuses a default directory that a placeholder left without a part,
// as /scratch//x for a description without a project.
func (k *checker) checkWorkdir(full *Config) {
	before, after := k.DefaultRemoteWorkdir, full.DefaultRemoteWorkdir
	if k.d.Sandbox != "" || before == after {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		for _, form := range []string{name, strings.ToUpper(name)} {
			if attributes[name](&k.d) == "" && strings.Contains(before, placeholderStart+form+")s") {
				k.addError(name, "is needed on %s, whose directory for pilots is %s", k.Label, before)
			}
		}
	}
}

// checkSandbox refuses a relative path, which would be one of a launcher's directory, and
// says what is not rooted well in RADICAL-Pilot's words (v0.35, pilot_manager.py).
func (k *checker) checkSandbox(full *Config) {
	dir := k.d.Sandbox
	if dir == "" {
		return
	}
	here := full.System() == "fork" // nothing is expanded there
	if !strings.HasPrefix(dir, "/") && (here || !strings.HasPrefix(dir, "$") && !strings.HasPrefix(dir, "~")) {
		or := " or begins with ~ or $NAME"
		if here {
			or = ""
		}
		k.addError("sandbox", "'%s' is a relative path: name a directory of %s that begins with /%s", clipLine(dir), k.Label, or)
		return
	}
	if !k.runsProcesses() && hasCommands(dir) {
		k.addError("sandbox", "holds more than a path and variables ($NAME)")
		return
	}
	if len(full.ValidRoots) == 0 {
		return
	}
	for _, root := range full.ValidRoots {
		if isWithin(dir, root) {
			return
		}
	}
	k.addError("sandbox", "Working directory for resource '%s' defined as '%s' but needs to be rooted in %s",
		k.Label, clipLine(dir), joinNames(full.ValidRoots))
}
