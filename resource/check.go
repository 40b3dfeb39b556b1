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
func (c *Config) Check(index int, d *pilot.Description) (pilot.Description, []string, []pilot.Fault) {
	k := checker{Config: c, index: index, d: *d}
	k.defaults()
	k.mandatory()
	k.runtime()
	k.size()
	full, faults := c.Expand(index, &k.d)
	k.faults = append(k.faults, faults...)
	if len(faults) == 0 {
		if err := full.Supported(); err != nil {
			k.add("access_schema", "%s", err)
		}
		k.workdir(full)
		k.sandbox(full)
	}
	return k.d, k.notes, k.faults
}

type checker struct {
	*Config
	index  int
	d      pilot.Description
	notes  []string
	faults []pilot.Fault
}

func (k *checker) add(field, format string, args ...any) {
	k.faults = append(k.faults, pilot.Fault{Index: k.index, Field: field, Reason: fmt.Sprintf(format, args...)})
}

func (k *checker) note(format string, args ...any) {
	k.notes = append(k.notes, fmt.Sprintf(format, args...))
}

// processes says whether pilots are plain processes: there are no queues and
// no nodes to be had.
func (k *checker) processes() bool {
	e, err := k.Endpoint()
	return err == nil && e.System == "fork"
}

func (k *checker) defaults() {
	if k.processes() {
		return
	}
	if k.d.Queue == "" && k.DefaultQueue != "" && !strings.Contains(k.DefaultQueue, mark) {
		k.d.Queue = k.DefaultQueue
		k.note("queue: '%s', the default of %s", k.d.Queue, k.Label)
	}
	if k.d.Project == "" && k.DefaultProject != "" && !strings.Contains(k.DefaultProject, mark) {
		k.d.Project = k.DefaultProject
		k.note("project: '%s', the default of %s", k.d.Project, k.Label)
	}
}

// mandatory says it in RADICAL-Pilot's words (v0.35, pilot_manager.py).
func (k *checker) mandatory() {
	for _, name := range k.MandatoryArgs {
		get, known := attributes[name]
		switch {
		case !known:
			k.add(shown(name), "is required for '%s', and is no attribute this version knows", k.Label)
		case get(&k.d) == "":
			k.add(name, "does not define attribute '%s' which is required for '%s'", name, k.Label)
		}
	}
}

func (k *checker) runtime() {
	if k.MaxRuntime > 0 && k.d.Runtime > k.MaxRuntime {
		k.add("runtime", "%s is more than %s allows: %s", k.d.Runtime, k.Label, k.MaxRuntime)
	}
}

// size rounds cores up to whole nodes, which is what batch systems give out
// where the cores of a node are known.
func (k *checker) size() {
	cores, gpus := k.UsableCores(), k.UsableGPUs()
	asked := max(k.d.Cores, k.d.Nodes, k.d.GPUs)
	if k.processes() || cores == 0 || asked <= 0 || asked > pilot.MaxCount || min(k.d.Cores, k.d.Nodes, k.d.GPUs) < 0 {
		return
	}
	nodes := k.d.Nodes
	if nodes == 0 {
		nodes = ceil(k.d.Cores, cores)
		if gpus > 0 {
			nodes = max(nodes, ceil(k.d.GPUs, gpus))
		}
		k.round(nodes, cores)
	}
	if k.GPUsPerNode > 0 && k.d.GPUs > nodes*gpus {
		k.add("gpus", "%d are more than %d nodes of %s have: %d each", k.d.GPUs, nodes, k.Label, gpus)
	}
}

func (k *checker) round(nodes, cores int64) {
	switch whole := nodes * cores; {
	case whole > pilot.MaxCount:
		k.add("cores", "%d rounded up to %d whole nodes of %d are more than %d", k.d.Cores, nodes, cores, pilot.MaxCount)
	case whole != k.d.Cores:
		k.note("cores: %d instead of %d, which is %d whole nodes of %d", whole, k.d.Cores, nodes, cores)
		k.d.Cores = whole
	}
}

func ceil(n, per int64) int64 { return (n + per - 1) / per }

// workdir refuses a default directory that a placeholder left without a part,
// as /scratch//x for a description without a project.
func (k *checker) workdir(full *Config) {
	before, after := k.DefaultRemoteWorkdir, full.DefaultRemoteWorkdir
	if k.d.Sandbox != "" || before == after {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		for _, form := range []string{name, strings.ToUpper(name)} {
			if attributes[name](&k.d) == "" && strings.Contains(before, mark+form+")s") {
				k.add(name, "is needed on %s, whose directory for pilots is %s", k.Label, before)
			}
		}
	}
}

// sandbox refuses a relative path, which would be one of a launcher's directory, and
// says what is not rooted well in RADICAL-Pilot's words (v0.35, pilot_manager.py).
func (k *checker) sandbox(full *Config) {
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
		k.add("sandbox", "'%s' is a relative path: name a directory of %s that begins with /%s", shown(dir), k.Label, or)
		return
	}
	if !k.processes() && commands(dir) {
		k.add("sandbox", "holds more than a path and variables ($NAME)")
		return
	}
	if len(full.ValidRoots) == 0 {
		return
	}
	for _, root := range full.ValidRoots {
		if within(dir, root) {
			return
		}
	}
	k.add("sandbox", "Working directory for resource '%s' defined as '%s' but needs to be rooted in %s",
		k.Label, shown(dir), some(full.ValidRoots))
}
