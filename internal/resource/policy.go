package resource

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// Policy is what the owner of a resource lets pilots do. It stands in files of
// the service, under the key policy; what clients put cannot say it. Managers
// hold pilots to it when they are submitted, launchers to that of their own
// files when they launch. Zero fields allow all.
type Policy struct {
	// Executables are absolute paths, or patterns of them (path.Match), of what
	// may be a payload. Where there are any, a payload is named by its clean
	// absolute path, and the loader of programs is not told to load others (LD_…).
	// What an allowed program starts is not looked at.
	Executables []string `json:"executables,omitempty"`
	// Users are the actors that may submit: users of the bus, where it knows any;
	// else who clients say they are. On whose behalf a user says he acts counts for
	// nothing.
	Users      []string      `json:"users,omitempty"`
	Roots      []string      `json:"roots,omitempty"` // where sandboxes of users may lie, whatever valid_roots says
	MaxCores   int64         `json:"max_cores,omitempty"`
	MaxNodes   int64         `json:"max_nodes,omitempty"`
	MaxRuntime pilot.Runtime `json:"max_runtime,omitempty"`
	MaxPilots  int64         `json:"max_pilots,omitempty"`  // that live at once, in the tenant
	SubmitRate int64         `json:"submit_rate,omitempty"` // pilots in any minute, in the tenant
}

// policyKeys are the keys of a policy.
var policyKeys = map[string]keySpec{
	"executables": {kind: kindTexts},
	"users":       {kind: kindTexts},
	"roots":       {kind: kindTexts},
	"max_cores":   {kind: kindCount},
	"max_nodes":   {kind: kindCount},
	"max_runtime": {kind: kindRuntime},
	"max_pilots":  {kind: kindCount},
	"submit_rate": {kind: kindCount},
}

// Check gives what a description, as it is to be kept, has against the policy.
// How many pilots there are already is not looked at.
func (p *Policy) Check(index int, actor string, d *pilot.Description) []pilot.FieldError {
	var faults []pilot.FieldError
	add := func(field, format string, args ...any) {
		faults = append(faults, pilot.FieldError{Index: index, Field: field, Reason: fmt.Sprintf(format, args...)})
	}
	if len(p.Users) > 0 && !slices.Contains(p.Users, actor) {
		add("", "%.80q may not submit to this resource", actor)
	}
	if p.MaxCores > 0 && d.Cores > p.MaxCores {
		add("cores", "%d are more than the policy of this resource allows: %d", d.Cores, p.MaxCores)
	}
	if p.MaxNodes > 0 && d.Nodes > p.MaxNodes {
		add("nodes", "%d are more than the policy of this resource allows: %d", d.Nodes, p.MaxNodes)
	}
	if p.MaxRuntime > 0 && d.Runtime > p.MaxRuntime {
		add("runtime", "%s is more than the policy of this resource allows: %s", d.Runtime, p.MaxRuntime)
	}
	if len(p.Roots) > 0 && d.Sandbox != "" && !slices.ContainsFunc(p.Roots, func(root string) bool { return isWithin(d.Sandbox, root) }) {
		add("sandbox", "is not below %s", joinNames(p.Roots))
	}
	if len(p.Executables) > 0 {
		p.checkPayload(d, add)
	}
	return faults
}

func (p *Policy) checkPayload(d *pilot.Description, add func(field, format string, args ...any)) {
	allowed := func(pattern string) bool {
		fits, err := path.Match(pattern, d.Executable)
		return err == nil && fits && path.IsAbs(d.Executable) && path.Clean(d.Executable) == d.Executable
	}
	if d.Executable != "" && !slices.ContainsFunc(p.Executables, allowed) {
		add("executable", "%.200q is none that the policy of this resource allows: %s", d.Executable, joinNames(p.Executables))
	}
	for name := range d.Environment {
		if strings.HasPrefix(name, "LD_") {
			add("environment", "%.80q is not allowed by the policy of this resource", name)
		}
	}
}

// HasPolicy says whether a file has a policy for one of its resources, or for one
// of their access schemas.
func (s *Site) HasPolicy() bool {
	for _, host := range s.hosts {
		if _, said := host["policy"]; said {
			return true
		}
		schemas, _ := host["schemas"].(object)
		for _, value := range schemas {
			if schema, ok := value.(object); ok && schema["policy"] != nil {
				return true
			}
		}
	}
	return false
}
