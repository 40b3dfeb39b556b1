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
func (d *Description) Validate(index int) []FieldError {
	v := validator{index: index}
	if d.UID != "" && !ValidToken(d.UID) {
		v.addError("uid", TokenRule)
	}
	if d.Resource == "" {
		v.addMissing("resource")
	}
	v.checkText("resource", d.Resource)
	switch {
	case d.Runtime == 0:
		v.addMissing("runtime")
	case d.Runtime < 0:
		v.addError("runtime", "must be positive")
	}
	v.checkSize(d)
	if d.Memory < 0 {
		v.addError("memory", "must not be negative")
	}
	v.checkText("access_schema", d.AccessSchema)
	v.checkText("queue", d.Queue)
	v.checkText("project", d.Project)
	v.checkText("job_name", d.JobName)
	v.checkText("sandbox", d.Sandbox)
	v.checkPayload(d)
	v.checkLabels(d.Labels)
	return v.errors
}

type validator struct {
	index  int
	errors []FieldError
}

func (v *validator) addError(field, format string, args ...any) {
	v.errors = append(v.errors, FieldError{v.index, field, fmt.Sprintf(format, args...)})
}

// addMissing says it in RADICAL-Pilot's words (v0.35, pilot_manager.py).
func (v *validator) addMissing(field string) {
	v.addError(field, "does not define mandatory attribute '%s'", field)
}

func (v *validator) checkSize(d *Description) {
	switch {
	case d.Cores == 0 && d.Nodes == 0:
		v.addError("cores", "does not define mandatory attribute 'cores' (or 'nodes')")
	case d.Cores != 0 && d.Nodes != 0:
		v.addError("nodes", "needs 'cores' or 'nodes', not both")
	}
	v.checkCount("cores", 1, d.Cores)
	v.checkCount("nodes", 1, d.Nodes)
	v.checkCount("gpus", 0, d.GPUs)
}

// checkCount takes 0 for absent, even where the least that can be asked for is 1.
func (v *validator) checkCount(field string, least, n int64) {
	if n < 0 || n > MaxCount {
		v.addError(field, "must be between %d and %d, not %d", least, MaxCount, n)
	}
}

// checkText refuses what cannot stand in one line of a job script.
func (v *validator) checkText(field, s string) {
	switch {
	case len(s) > MaxText:
		v.addError(field, "is %d bytes long, %d are allowed", len(s), MaxText)
	case !utf8.ValidString(s):
		v.addError(field, "is not UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		v.addError(field, "holds a control character")
	}
}

func (v *validator) checkPayload(d *Description) {
	if d.Executable == "" && len(d.Arguments) > 0 {
		v.addError("arguments", "need an 'executable'")
	}
	if d.Executable != "" && strings.TrimSpace(d.Executable) == "" {
		v.addError("executable", "is blank")
	}
	total := len(d.Executable)
	v.checkWord("executable", d.Executable)
	if len(d.Arguments) > MaxArguments {
		v.addError("arguments", "has %d entries, %d are allowed", len(d.Arguments), MaxArguments)
	}
	for i, a := range d.Arguments {
		total += len(a)
		v.checkWord(fmt.Sprintf("arguments[%d]", i), a)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Environment)) {
		total += len(name) + len(d.Environment[name])
		if !validEnvName(name) {
			v.addError("environment", "%.64q is not a name: letters, digits and _ only, no digit first", name)
			continue
		}
		v.checkWord(fmt.Sprintf("environment.%.64s", name), d.Environment[name])
	}
	if total > MaxArgBytes {
		v.addError("executable", "with arguments and environment is %d bytes, %d are allowed", total, MaxArgBytes)
	}
}

// checkWord allows everything exec(2) does, as long as JSON can carry it.
func (v *validator) checkWord(field, s string) {
	switch {
	case strings.ContainsRune(s, 0):
		v.addError(field, "holds a NUL byte")
	case !utf8.ValidString(s):
		v.addError(field, "is not UTF-8")
	}
}

func (v *validator) checkLabels(labels map[string]string) {
	if len(labels) > MaxLabels {
		v.addError("labels", "has %d entries, %d are allowed", len(labels), MaxLabels)
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name == "" || !validLabelText(name) || !validLabelText(labels[name]) {
			v.addError("labels", "%.64q must have a name and at most %d bytes of printable UTF-8 on either side", name, MaxLabelText)
		}
	}
}

func validLabelText(s string) bool {
	return len(s) <= MaxLabelText && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// ValidateLabels checks labels that stand outside a description.
func ValidateLabels(labels map[string]string) []FieldError {
	var v validator
	v.checkLabels(labels)
	return v.errors
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
