package resource

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// attributes are what of a description a configuration can name, as
// mandatory_args and in placeholders. Empty: not given.
var attributes = map[string]func(*pilot.Description) string{
	"uid":           func(d *pilot.Description) string { return d.UID },
	"resource":      func(d *pilot.Description) string { return d.Resource },
	"access_schema": func(d *pilot.Description) string { return d.AccessSchema },
	"runtime":       func(d *pilot.Description) string { return countOrEmpty(int64(d.Runtime.Duration() / time.Minute)) }, // minutes
	"cores":         func(d *pilot.Description) string { return countOrEmpty(d.Cores) },
	"nodes":         func(d *pilot.Description) string { return countOrEmpty(d.Nodes) },
	"gpus":          func(d *pilot.Description) string { return countOrEmpty(d.GPUs) },
	"memory":        func(d *pilot.Description) string { return countOrEmpty(int64(d.Memory) >> 20) }, // MB
	"queue":         func(d *pilot.Description) string { return d.Queue },
	"project":       func(d *pilot.Description) string { return d.Project },
	"job_name":      func(d *pilot.Description) string { return d.JobName },
	"sandbox":       func(d *pilot.Description) string { return d.Sandbox },
	"executable":    func(d *pilot.Description) string { return d.Executable },
}

func countOrEmpty(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// siteQuirks are sites that keep more in an attribute than its placeholder means:
// what follows the separator is left out. Source: RADICAL-Pilot v1.103, where
// they are branches in the code of the session.
var siteQuirks = map[string]map[string]string{
	"ornl": {"project": "_"}, // bip103_crusher is the project bip103
	"ncsa": {"project": "-"}, // bbjj-delta-cpu is the project bbjj
}

// placeholderStart begins a placeholder: %(pd.project)s, or %(pd.PROJECT)s in capitals.
const placeholderStart = "%(pd."

// Expand fills in the placeholders of the description's attributes. What the
// remote side fills in, as in %(global_sandbox)s, stays. The configuration
// itself is not changed. A value that could mean more than itself to a shell,
// or lead out of a directory, is a fault of the description.
func (c *Config) Expand(index int, d *pilot.Description) (*Config, []pilot.FieldError) {
	b, _ := c.Canonical()
	if !strings.Contains(string(b), placeholderStart) {
		return c, nil
	}
	var whole object
	if err := json.Unmarshal(b, &whole); err != nil {
		return c, []pilot.FieldError{{Index: index, Field: "resource", Reason: err.Error()}}
	}
	site, _, _ := strings.Cut(c.Label, ".")
	x := expander{index: index, d: d, separators: siteQuirks[site]}
	for _, name := range slices.Sorted(maps.Keys(whole)) {
		switch name {
		case "label", "schema", "description", "notes", "carried":
		default:
			whole[name] = x.expandValue(name, whole[name])
		}
	}
	out := &Config{}
	if b, err := json.Marshal(whole); err != nil || json.Unmarshal(b, out) != nil {
		return c, append(x.faults, pilot.FieldError{Index: index, Field: "resource", Reason: "cannot be expanded"})
	}
	return out, x.faults
}

type expander struct {
	index      int
	d          *pilot.Description
	separators map[string]string
	faults     []pilot.FieldError
}

func (x *expander) addError(field, format string, args ...any) {
	x.faults = append(x.faults, pilot.FieldError{Index: x.index, Field: field, Reason: fmt.Sprintf(format, args...)})
}

func (x *expander) expandValue(path string, v any) any {
	switch v := v.(type) {
	case string:
		return x.expandText(path, v)
	case []any:
		for i := range v {
			v[i] = x.expandValue(path, v[i])
		}
	case object:
		for name := range v {
			v[name] = x.expandValue(joinPath(path, name), v[name])
		}
	}
	return v
}

// expandText fills in one string. As in the original, %% is a percent sign, but only
// where there is a placeholder: "date +%%s" elsewhere is meant as it stands.
func (x *expander) expandText(path, s string) string {
	if !strings.Contains(s, placeholderStart) {
		return s
	}
	var b strings.Builder
	for s != "" {
		switch {
		case strings.HasPrefix(s, "%%"):
			b.WriteByte('%')
			s = s[2:]
		case strings.HasPrefix(s, placeholderStart):
			name, rest, ok := strings.Cut(s[len(placeholderStart):], ")s")
			if !ok {
				x.addError("resource", "%s has a placeholder without an end", path)
				return ""
			}
			b.WriteString(x.lookupAttribute(path, name))
			s = rest
		default:
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
	return b.String()
}

func (x *expander) lookupAttribute(path, name string) string {
	lower := strings.ToLower(name)
	get, ok := attributes[lower]
	if !ok || name != lower && name != strings.ToUpper(name) {
		x.addError("resource", "%s names %s%s)s, which no description has", path, placeholderStart, clipLine(name))
		return ""
	}
	v := get(x.d)
	if at := x.separators[lower]; at != "" {
		v, _, _ = strings.Cut(v, at)
	}
	if !isPlain(v) {
		x.addError(lower, "'%s' cannot stand in %s: letters, digits and _ . , : @ + = - / are allowed, and no '..'", clipLine(v), path)
		return ""
	}
	if name != lower {
		return strings.ToUpper(v)
	}
	return strings.ToLower(v)
}

// isPlain says that a value means nothing but itself in a path, in a URL's host
// and to a shell.
func isPlain(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("_.,:@+=-/", c) < 0 {
			return false
		}
	}
	return !slices.Contains(strings.Split(s, "/"), "..")
}
