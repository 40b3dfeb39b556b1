package main

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

func (x *descriptionFlags) register(f *pflag.FlagSet) {
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

func (x *descriptionFlags) given(f *pflag.FlagSet) bool {
	return slices.ContainsFunc(descriptionNames, f.Changed)
}

// apply sets in d what was given on the command line.
func (x *descriptionFlags) apply(f *pflag.FlagSet, d *pilot.Description, payload []string) error {
	for name, set := range map[string]func() error{
		"uid":      func() error { d.UID = x.d.UID; return nil },
		"resource": func() error { d.Resource = x.d.Resource; return nil },
		"schema":   func() error { d.AccessSchema = x.d.AccessSchema; return nil },
		"cores":    func() error { d.Cores = x.d.Cores; return nil },
		"nodes":    func() error { d.Nodes = x.d.Nodes; return nil },
		"gpus":     func() error { d.GPUs = x.d.GPUs; return nil },
		"queue":    func() error { d.Queue = x.d.Queue; return nil },
		"project":  func() error { d.Project = x.d.Project; return nil },
		"job-name": func() error { d.JobName = x.d.JobName; return nil },
		"sandbox":  func() error { d.Sandbox = x.d.Sandbox; return nil },
		"cleanup":  func() error { d.Cleanup = x.d.Cleanup; return nil },
		"label":    func() error { d.Labels = merged(d.Labels, x.labels); return nil },
		"runtime":  func() (err error) { d.Runtime, err = parsedRuntime(x.runtime); return },
		"memory":   func() (err error) { d.Memory, err = parsedMemory(x.memory); return },
		"env":      func() (err error) { d.Environment, err = environment(d.Environment, x.env); return },
	} {
		if !f.Changed(name) {
			continue
		}
		if err := set(); err != nil {
			return misused("--%s: %v", name, err)
		}
	}
	if len(payload) > 0 {
		d.Executable, d.Arguments = payload[0], payload[1:]
	}
	return nil
}

func parsedRuntime(text string) (pilot.Runtime, error) {
	d, err := pilot.ParseRuntime(text)
	return pilot.Runtime(d), err
}

func parsedMemory(text string) (pilot.Memory, error) { return pilot.ParseMemory(text) }

func environment(base map[string]string, pairs []string) (map[string]string, error) {
	more := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not NAME=VALUE", pair)
		}
		more[name] = value
	}
	return merged(base, more), nil
}

// merged is a new map: descriptions of one file may share one by a YAML alias.
func merged(base, more map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{base, more} {
		maps.Copy(all, m)
	}
	return all
}
