package pilot

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Validate checks what can be known of a description by itself and gives every
// fault it has, in the order of its fields. Whether the resource exists, and
// what it demands, is the resource configuration's to say.
func (d *Description) Validate(index int) []Fault {
	v := validator{index: index}
	if d.UID != "" && !ValidToken(d.UID) {
		v.add("uid", TokenRule)
	}
	if d.Resource == "" {
		v.missing("resource")
	}
	v.text("resource", d.Resource)
	switch {
	case d.Runtime == 0:
		v.missing("runtime")
	case d.Runtime < 0:
		v.add("runtime", "must be positive")
	}
	v.size(d)
	if d.Memory < 0 {
		v.add("memory", "must not be negative")
	}
	v.text("access_schema", d.AccessSchema)
	v.text("queue", d.Queue)
	v.text("project", d.Project)
	v.text("job_name", d.JobName)
	v.text("sandbox", d.Sandbox)
	v.payload(d)
	v.labels(d.Labels)
	return v.faults
}

type validator struct {
	index  int
	faults []Fault
}

func (v *validator) add(field, format string, args ...any) {
	v.faults = append(v.faults, Fault{v.index, field, fmt.Sprintf(format, args...)})
}

// missing says it in RADICAL-Pilot's words (v0.35, pilot_manager.py).
func (v *validator) missing(field string) {
	v.add(field, "does not define mandatory attribute '%s'", field)
}

func (v *validator) size(d *Description) {
	switch {
	case d.Cores == 0 && d.Nodes == 0:
		v.add("cores", "does not define mandatory attribute 'cores' (or 'nodes')")
	case d.Cores != 0 && d.Nodes != 0:
		v.add("nodes", "needs 'cores' or 'nodes', not both")
	}
	v.count("cores", 1, d.Cores)
	v.count("nodes", 1, d.Nodes)
	v.count("gpus", 0, d.GPUs)
}

// count takes 0 for absent, even where the least that can be asked for is 1.
func (v *validator) count(field string, least, n int64) {
	if n < 0 || n > MaxCount {
		v.add(field, "must be between %d and %d, not %d", least, MaxCount, n)
	}
}

// text refuses what cannot stand in one line of a job script.
func (v *validator) text(field, s string) {
	switch {
	case len(s) > MaxText:
		v.add(field, "is %d bytes long, %d are allowed", len(s), MaxText)
	case !utf8.ValidString(s):
		v.add(field, "is not UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		v.add(field, "holds a control character")
	}
}

func (v *validator) payload(d *Description) {
	if d.Executable == "" && len(d.Arguments) > 0 {
		v.add("arguments", "need an 'executable'")
	}
	if d.Executable != "" && strings.TrimSpace(d.Executable) == "" {
		v.add("executable", "is blank")
	}
	total := len(d.Executable)
	v.word("executable", d.Executable)
	if len(d.Arguments) > MaxArguments {
		v.add("arguments", "has %d entries, %d are allowed", len(d.Arguments), MaxArguments)
	}
	for i, a := range d.Arguments {
		total += len(a)
		v.word(fmt.Sprintf("arguments[%d]", i), a)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Environment)) {
		total += len(name) + len(d.Environment[name])
		if !validEnvName(name) {
			v.add("environment", "%.64q is not a name: letters, digits and _ only, no digit first", name)
			continue
		}
		v.word(fmt.Sprintf("environment.%.64s", name), d.Environment[name])
	}
	if total > MaxArgBytes {
		v.add("executable", "with arguments and environment is %d bytes, %d are allowed", total, MaxArgBytes)
	}
}

// word allows everything exec(2) does, as long as JSON can carry it.
func (v *validator) word(field, s string) {
	switch {
	case strings.ContainsRune(s, 0):
		v.add(field, "holds a NUL byte")
	case !utf8.ValidString(s):
		v.add(field, "is not UTF-8")
	}
}

func (v *validator) labels(labels map[string]string) {
	if len(labels) > MaxLabels {
		v.add("labels", "has %d entries, %d are allowed", len(labels), MaxLabels)
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name == "" || !validLabelText(name) || !validLabelText(labels[name]) {
			v.add("labels", "%.64q must have a name and at most %d bytes of printable UTF-8 on either side", name, MaxLabelText)
		}
	}
}

func validLabelText(s string) bool {
	return len(s) <= MaxLabelText && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// ValidateLabels checks labels that stand outside a description.
func ValidateLabels(labels map[string]string) []Fault {
	var v validator
	v.labels(labels)
	return v.faults
}

func validEnvName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
