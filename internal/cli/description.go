package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/flightlog/flightlog/pilot"
)

// descriptionFlags are the fields of a description as flags.
type descriptionFlags struct {
	d       pilot.Description
	runtime string
	memory  string
	env     []string
	labels  map[string]string
}

// descriptionNames are the flags that register makes.
var descriptionNames = []string{
	"uid", "resource", "schema", "runtime", "cores", "nodes", "gpus", "memory", "queue", "project",
	"job-name", "sandbox", "cleanup", "env", "label",
}

func (x *descriptionFlags) addFlags(f *pflag.FlagSet) {
	d := &x.d
	f.StringVar(&d.UID, "uid", "", "name of the pilot; made by the service if absent")
	f.StringVarP(&d.Resource, "resource", "r", "", "where, `site.host`, e.g. local.localhost")
	f.StringVar(&d.AccessSchema, "schema", "", "how to reach the resource, one of its access schemas")
	f.StringVarP(&x.runtime, "runtime", "t", "", "how long: minutes, 90m, 1h30m or 01:30:00")
	f.Int64VarP(&d.Cores, "cores", "c", 0, "cores; or give --nodes")
	f.Int64VarP(&d.Nodes, "nodes", "N", 0, "whole nodes")
	f.Int64Var(&d.GPUs, "gpus", 0, "GPUs")
	f.StringVar(&x.memory, "memory", "", "memory: 4GiB, 512M; a bare number is MB")
	f.StringVarP(&d.Queue, "queue", "q", "", "queue of the batch system")
	f.StringVar(&d.Project, "project", "", "account to charge")
	f.StringVar(&d.JobName, "job-name", "", "name that the batch system shows")
	f.StringVar(&d.Sandbox, "sandbox", "", "existing `directory` to make the pilot's in")
	f.BoolVar(&d.Cleanup, "cleanup", false, "remove the pilot's directory once it has ended")
	f.StringArrayVarP(&x.env, "env", "e", nil, "`NAME=VALUE` in the payload's environment")
	f.StringToStringVarP(&x.labels, "label", "l", nil, "label, `name=value`")
}

func (x *descriptionFlags) anyGiven(f *pflag.FlagSet) bool {
	return slices.ContainsFunc(descriptionNames, f.Changed)
}

// parseTexts reads the flags whose texts mean something else, and gives every fault of them.
func (x *descriptionFlags) parseTexts(f *pflag.FlagSet) (faults []pilot.FieldError) {
	wrong := func(name string, err error) {
		if err != nil {
			faults = append(faults, flagFault(name, ": %v", err))
		}
	}
	var err error
	if f.Changed("runtime") {
		x.d.Runtime, err = parseRuntime(x.runtime)
		wrong("runtime", err)
	}
	if f.Changed("memory") {
		x.d.Memory, err = parseMemory(x.memory)
		wrong("memory", err)
	}
	x.d.Environment = map[string]string{}
	for _, pair := range x.env {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			wrong("env", fmt.Errorf("%q is not NAME=VALUE", pair))
			continue
		}
		x.d.Environment[name] = value
	}
	return faults
}

// flagFault is what is wrong with a flag, which begins its reason. It is of no item.
func flagFault(name, format string, args ...any) pilot.FieldError {
	return pilot.FieldError{Field: "--" + name, Reason: "--" + name + fmt.Sprintf(format, args...)}
}

// applyTo sets in d what was given on the command line and parse has read.
func (x *descriptionFlags) applyTo(f *pflag.FlagSet, d *pilot.Description, payload []string) {
	for name, set := range map[string]func(){
		"uid":      func() { d.UID = x.d.UID },
		"resource": func() { d.Resource = x.d.Resource },
		"schema":   func() { d.AccessSchema = x.d.AccessSchema },
		"cores":    func() { d.Cores = x.d.Cores },
		"nodes":    func() { d.Nodes = x.d.Nodes },
		"gpus":     func() { d.GPUs = x.d.GPUs },
		"queue":    func() { d.Queue = x.d.Queue },
		"project":  func() { d.Project = x.d.Project },
		"job-name": func() { d.JobName = x.d.JobName },
		"sandbox":  func() { d.Sandbox = x.d.Sandbox },
		"cleanup":  func() { d.Cleanup = x.d.Cleanup },
		"label":    func() { d.Labels = mergeMaps(d.Labels, x.labels) },
		"runtime":  func() { d.Runtime = x.d.Runtime },
		"memory":   func() { d.Memory = x.d.Memory },
		"env":      func() { d.Environment = mergeMaps(d.Environment, x.d.Environment) },
	} {
		if f.Changed(name) {
			set()
		}
	}
	if len(payload) > 0 {
		d.Executable, d.Arguments = payload[0], payload[1:]
	}
}

func parseRuntime(text string) (pilot.Runtime, error) {
	d, err := pilot.ParseRuntime(text)
	return pilot.Runtime(d), err
}

func parseMemory(text string) (pilot.Memory, error) { return pilot.ParseMemory(text) }

// mergeMaps is a new map: descriptions of one file may share one by a YAML alias.
func mergeMaps(base, more map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{base, more} {
		maps.Copy(all, m)
	}
	return all
}
