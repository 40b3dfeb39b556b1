package resource

import (
	"maps"
	"slices"
)

// usualSchemas are the schemas of RADICAL-Pilot's files of 2015.
var usualSchemas = []string{"ssh", "gsissh", "local", "go"}

// modernize brings a resource of 2015 into the form of 2025, so that layers of
// both can be merged:
//
//	{"schemas": ["ssh"], "ssh": {…}}  →  {"schemas": {"ssh": {…}}, "default_schema": "ssh"}
//
// An override may say only {"ssh": {…}}: an object that names an endpoint is a
// schema, listed or not, and so is one with a usual name. What is of 2025 stays as it is. v is not changed.
func (s *shaper) modernize(path string, v object) object {
	o := maps.Clone(v)
	renameKey(o, "lrms", "resource_manager")
	renameKey(o, "default_sandbox_base", "default_remote_workdir")
	delete(o, "label") // RADICAL-Pilot's loader sets it; ours does too
	sections := takeSchemas2014(o)
	if listed, ok := o["schemas"].([]any); ok {
		delete(o, "schemas")
		s.takeListedSchemas(path, o, listed, sections)
	}
	for name, v := range o {
		section, ok := v.(object)
		if _, known := resourceKeys[name]; known || !ok || name == "schemas" {
			continue
		}
		_, manager := section["job_manager_endpoint"]
		_, files := section["filesystem_endpoint"]
		if manager || files || slices.Contains(usualSchemas, name) {
			sections[name] = section
			delete(o, name)
		}
	}
	if len(sections) == 0 {
		return o
	}
	switch given := o["schemas"].(type) {
	case nil:
		o["schemas"] = sections
	case object:
		all := maps.Clone(sections)
		maps.Copy(all, given)
		o["schemas"] = all
	}
	return o
}

// takeSchemas2014 takes the schemas of a resource of 2014, which had no more than two:
//
//	{"remote_job_manager_endpoint": …, "local_job_manager_endpoint": …}
//
// Those of 2013 had none, and the endpoints of {"URL": …, "filesystem": …}.
func takeSchemas2014(o object) object {
	for from, to := range map[string]string{"URL": "job_manager_endpoint", "filesystem": "filesystem_endpoint"} {
		if _, ok := o[from].(string); ok {
			renameKey(o, from, to)
		}
	}
	sections := object{}
	for _, name := range []string{"remote", "local"} {
		section := object{}
		for _, what := range []string{"job_manager_endpoint", "job_manager_hop", "filesystem_endpoint"} {
			if v, ok := o[name+"_"+what]; ok {
				section[what] = v
				delete(o, name+"_"+what)
			}
		}
		if len(section) > 0 {
			sections[name] = section
		}
	}
	if _, given := o["default_schema"]; !given && sections["remote"] != nil {
		o["default_schema"] = "remote"
	}
	return sections
}

// takeListedSchemas takes the schemas of a list; the first is the default.
func (s *shaper) takeListedSchemas(path string, o object, names []any, into object) {
	at := joinPath(path, "schemas")
	for i, v := range names {
		name, ok := v.(string)
		if !ok {
			s.addDiagnostic(at, "must be a list of names, and %s is none", kindOf(v))
			continue
		}
		if _, ours := resourceKeys[name]; ours || name == "schemas" {
			s.addDiagnostic(at, "lists %s, which cannot be the name of a schema", name)
			continue
		}
		if _, given := o["default_schema"]; i == 0 && !given {
			o["default_schema"] = name
		}
		section, there := o[name]
		if !there {
			section = object{} // an override may list what a lower layer describes
		}
		into[name] = section
		delete(o, name)
	}
}

// renameKey lets a key have its later name, unless that is given too.
func renameKey(o object, from, to string) {
	v, there := o[from]
	if _, taken := o[to]; there && !taken {
		o[to] = v
	}
	delete(o, from)
}
