package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// FileEnv names the file of --config where that is not given.
const FileEnv = "FLIGHTLOG_CONFIG"

// machineFile is the file of the machine.
const machineFile = "/etc/flightlog/config.yaml"

// Source says where to look.
type Source struct {
	File   string // of --config; it must be there
	Getenv func(string) string
	System string // the file of the machine; empty: /etc/flightlog/config.yaml
}

// AddFlag adds --config to the flags of a command.
func AddFlag(set *pflag.FlagSet, file *string) {
	set.StringVar(file, "config", "", "configuration `file`, over those of the machine and of the user ("+FileEnv+")")
}

// Setting is what one key is.
type Setting struct {
	Key
	Text   string
	Origin string // "default", "FILE:LINE", the variable or the flag that said so
}

// Settings are what all keys are, but for what flags say.
type Settings struct {
	all   []Setting
	Files []string // that were read, in order
}

// Load reads files and environment. Code invalid: the cause, a
// *resource.FileError, names every fault, for a program that left one out would
// do what nobody meant.
func Load(src Source) (*Settings, error) {
	s := &Settings{}
	var faults []resource.Diagnostic
	layers := map[string]layerValue{}
	for rank, path := range src.listFiles() {
		if path == "" {
			continue
		}
		said, wrong, missing := readFile(path)
		if missing && rank == len(src.listFiles())-1 {
			wrong = []resource.Diagnostic{{File: path, Reason: "no such file"}}
		}
		faults = append(faults, wrong...)
		if missing || wrong != nil {
			continue
		}
		s.Files = append(s.Files, path)
		for key, v := range said {
			layers[key] = layerValue{rank, v.text, fmt.Sprintf("%s:%d", path, v.line)}
		}
	}
	for i := range keys {
		k := &keys[i]
		if text := src.Getenv(k.Env); text != "" {
			if err := k.check(text); err != nil {
				faults = append(faults, resource.Diagnostic{File: k.Env, Reason: err.Error()})
				continue
			}
			layers[k.Path] = layerValue{len(src.listFiles()), text, k.Env}
		}
	}
	if len(faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Op: "configuration", Err: &resource.FileError{Diagnostics: faults}}
	}
	// A context says where the servers are: an address of an earlier layer would
	// overrule it.
	if c, ok := layers["nats.context"]; ok && layers["nats.url"].rank < c.rank {
		delete(layers, "nats.url")
	}
	for _, k := range keys {
		v := Setting{Key: k, Text: k.Default, Origin: "default"}
		if l, ok := layers[k.Path]; ok {
			v.Text, v.Origin = l.text, l.origin
		}
		s.all = append(s.all, v)
	}
	return s, nil
}

// layerValue is what one layer says of a key.
type layerValue struct {
	rank         int
	text, origin string
}

// listFiles are those to read, in order; the last one must be there if it is named.
func (src *Source) listFiles() []string {
	first := src.System
	if first == "" {
		first = machineFile
	}
	named := src.File
	if named == "" {
		named = src.Getenv(FileEnv)
	}
	return []string{first, userFile(src.Getenv), named}
}

// userFile is the user's own; empty: he has no home.
func userFile(getenv func(string) string) string {
	base := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(base) {
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return ""
		}
		base = filepath.Join(home, ".config")
	}
	return filepath.Join(base, "flightlog", "config.yaml")
}

// All gives every key.
func (s *Settings) All() []Setting { return slices.Clone(s.all) }

// Apply gives the flags of a program what they were not given on the command
// line.
func (s *Settings) Apply(program string, set *pflag.FlagSet) error {
	if url := set.Lookup("url"); url != nil && set.Changed("context") && !url.Changed {
		if err := url.Value.Set(""); err != nil { // the context says where the servers are
			return err
		}
	}
	for i := range s.all {
		v := &s.all[i]
		f := set.Lookup(v.Flag)
		if f == nil || !v.isOf(program) || f.Changed || v.Origin == "default" {
			continue
		}
		if v.Path == "nats.url" && set.Changed("context") {
			continue
		}
		if err := setFlag(f, v.Text); err != nil {
			return pilot.Errorf(pilot.Invalid, "%s: %s: %w", v.Origin, v.Path, err)
		}
	}
	return nil
}

// setFlag sets a flag. The first value of a list takes the place of the default.
func setFlag(f *pflag.Flag, text string) error {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.Replace(strings.Split(text, ","))
	}
	return f.Value.Set(text)
}

// UnknownVariables gives the variables of the environment that begin like ours and are
// none that this version knows.
func UnknownVariables(environ []string) []string {
	known := map[string]bool{FileEnv: true, "FLIGHTLOG_MANAGER": true, "FLIGHTLOG_OUTPUT": true, "FLIGHTLOG_HTTP_TOKEN": true}
	for i := range keys {
		known[keys[i].Env] = true
	}
	var strange []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "FLIGHTLOG_") && !known[name] {
			strange = append(strange, name)
		}
	}
	slices.Sort(strange)
	return strange
}

// UncoveredFlags gives, for tests, what the keys of a program and its flags do not
// have in common, and where their defaults differ. Flags without a key are
// those named.
func UncoveredFlags(program string, set *pflag.FlagSet, without ...string) []string {
	var wrong []string
	has := map[string]bool{}
	for i := range keys {
		k := &keys[i]
		if !k.isOf(program) {
			continue
		}
		has[k.Flag] = true
		f := set.Lookup(k.Flag)
		switch {
		case f == nil:
			wrong = append(wrong, "key "+k.Path+" has no flag --"+k.Flag)
		case k.Default != "" && strings.Trim(f.DefValue, "[]") != k.Default:
			wrong = append(wrong, fmt.Sprintf("key %s has default %q, its flag %q", k.Path, k.Default, f.DefValue))
		}
	}
	set.VisitAll(func(f *pflag.Flag) {
		if !has[f.Name] && !slices.Contains(without, f.Name) {
			wrong = append(wrong, "flag --"+f.Name+" has no key")
		}
	})
	return wrong
}
