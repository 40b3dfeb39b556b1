package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// item is one description of a file: its fields, and where they stand.
type item struct {
	file   string
	line   int                // where it begins
	json   json.RawMessage    // as the service would take it
	lines  map[string]int     // of fields and their entries, by the names that faults have
	faults []pilot.FieldError // of how it is written; the index is not set
}

func (x *item) addFault(line int, field, format string, args ...any) {
	x.setLine(field, line)
	x.lines[field] = line
	f := pilot.FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
	if n := len(x.faults); n == 0 || x.faults[n-1] != f { // what is merged again and again says it once
		x.faults = append(x.faults, f)
	}
}

// setLine says where a field stands, unless that was said before.
func (x *item) setLine(field string, line int) {
	if x.lines == nil {
		x.lines = map[string]int{}
	}
	if _, known := x.lines[field]; !known {
		x.lines[field] = line
	}
}

// lineOf is the line of a field or entry, or of the nearest thing around it.
func (x *item) lineOf(field string) int {
	if line, ok := x.lines[field]; ok {
		return line
	}
	if at := strings.IndexAny(field, ".["); at >= 0 {
		if line, ok := x.lines[field[:at]]; ok {
			return line
		}
	}
	return x.line
}

// addDuplicate says of a field that it stands there two times.
func (x *item) addDuplicate(field string, first, second int) {
	x.addFault(second, field, "is there twice: it stands in line %d too", first)
}

// decodeDescription reads an item and gives what cannot be read of it.
func (x *item) decodeDescription(index int) (pilot.Description, []pilot.FieldError) {
	d, unread := pilot.DecodeDescription(index, x.json)
	var faults []pilot.FieldError
	told := map[string]bool{}
	for _, f := range x.faults {
		f.Index, told[f.Field] = index, true
		faults = append(faults, f)
	}
	for _, f := range unread {
		if !told[f.Field] {
			faults = append(faults, f)
		}
	}
	return d, faults
}

// fileFault is what is wrong with a file as a whole. It is of no item, which its field
// says, as that of every fault of the command line does.
func fileFault(file string, line int, format string, args ...any) pilot.FieldError {
	at := file
	if line > 0 {
		at = fmt.Sprintf("%s:%d", file, line)
	}
	return pilot.FieldError{Field: "--file", Reason: at + ": " + fmt.Sprintf(format, args...)}
}

// parseFile reads the descriptions of a file: one, a list, or several of either as YAML
// documents or JSON values one behind the other. What can be read is given beside the
// faults of the file as a whole.
func parseFile(file string, b []byte) ([]item, []pilot.FieldError) {
	items, values, notJSON := jsonItems(b)
	if notJSON == nil {
		return assignFile(file, items, values, nil)
	}
	before := items
	items, values, notYAML := yamlItems(b)
	if notYAML == nil {
		return assignFile(file, items, values, nil)
	}
	if len(items) == 0 {
		items = before
	}
	return assignFile(file, items, values, []pilot.FieldError{unreadableFault(file, notJSON, notYAML)})
}

// assignFile are items of a file, in which so many values are.
func assignFile(file string, items []item, values int, faults []pilot.FieldError) ([]item, []pilot.FieldError) {
	for i := range items {
		items[i].file = file
	}
	if values == 0 && len(faults) == 0 {
		faults = append(faults, fileFault(file, 0, "holds no description"))
	}
	return items, faults
}

// unreadableFault says why a file is none of what its name says, or of both.
func unreadableFault(file string, notJSON, notYAML error) pilot.FieldError {
	line, why := syntaxOf(notYAML)
	switch filepath.Ext(file) {
	case ".yaml", ".yml":
		return fileFault(file, line, "is not YAML: %s", why)
	case ".json":
		line, why = syntaxOf(notJSON)
		return fileFault(file, line, "is not JSON: %s", why)
	}
	return fileFault(file, 0, "is neither JSON (%v) nor YAML (%v)", notJSON, notYAML)
}

// syntaxError is where a text ends to be what it should be.
type syntaxError struct {
	line int // 0: not known
	why  string
}

func (e *syntaxError) Error() string {
	if e.line == 0 {
		return e.why
	}
	return fmt.Sprintf("line %d: %s", e.line, e.why)
}

func syntaxOf(err error) (line int, why string) {
	if e, ok := err.(*syntaxError); ok { //nolint:errorlint // ours, and never wrapped
		return e.line, e.why
	}
	return 0, err.Error()
}
