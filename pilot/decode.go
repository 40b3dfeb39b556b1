package pilot

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// fields are those of a Description by their JSON names, which is also what a
// request may say.
var fields = func() map[string]int {
	t := reflect.TypeFor[Description]()
	byName := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		byName[name] = i
	}
	return byName
}()

// DecodeDescription reads one item of a request and gives every field that
// cannot be read or is not known, where encoding/json would stop at the first;
// of arguments, environment and labels every entry. What is well is set;
// Validate judges the values.
func DecodeDescription(index int, b []byte) (Description, []Fault) {
	var d Description
	v := validator{index: index}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(b, &given); err != nil || given == nil {
		v.add("", "must be an object that describes a pilot, not %s", kindOfJSON(bytes.TrimSpace(b)))
		return d, v.faults
	}
	into := reflect.ValueOf(&d).Elem()
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at, known := fields[name]
		if !known {
			v.add(cut(name), "is not known")
			continue
		}
		v.read(name, given[name], into.Field(at).Addr().Interface())
	}
	return d, v.faults
}

// DecodeField reads a field of a request that is not one of a description; raw
// is nil where it is absent.
func DecodeField(name string, raw json.RawMessage, into any) []Fault {
	var v validator
	if raw != nil {
		v.read(name, raw, into)
	}
	return v.faults
}

func (v *validator) read(name string, raw json.RawMessage, into any) {
	switch into := into.(type) {
	case *[]string:
		v.list(name, raw, into)
	case *map[string]string:
		v.entries(name, raw, into)
	default:
		if err := json.Unmarshal(raw, into); err != nil {
			reflect.ValueOf(into).Elem().SetZero()
			v.add(name, "%s", reasonOf(err))
		}
	}
}

// maxEntryFaults are told of one field; more help nobody.
const maxEntryFaults = 100

func (v *validator) list(name string, raw json.RawMessage, into *[]string) {
	var given []json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		v.add(name, "must be a list of strings, not %s", kindOfJSON(raw))
		return
	}
	if given == nil {
		return
	}
	*into = make([]string, len(given))
	wrong := 0
	for i := range given {
		wrong += v.entry(name, wrong, "["+strconv.Itoa(i)+"]", given[i], &(*into)[i])
	}
	v.more(name, wrong)
}

func (v *validator) entries(name string, raw json.RawMessage, into *map[string]string) {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		v.add(name, "must be an object of strings, not %s", kindOfJSON(raw))
		return
	}
	if given == nil {
		return
	}
	*into = make(map[string]string, len(given))
	wrong := 0
	for _, key := range slices.Sorted(maps.Keys(given)) {
		var text string
		bad := v.entry(name, wrong, "."+cut(key), given[key], &text)
		if bad == 0 {
			(*into)[key] = text
		}
		wrong += bad
	}
	v.more(name, wrong)
}

// entry reads one of several strings and gives how many of them are wrong: 0 or 1.
func (v *validator) entry(name string, before int, at string, raw json.RawMessage, into *string) int {
	err := json.Unmarshal(raw, into)
	if err == nil {
		return 0
	}
	if before < maxEntryFaults {
		v.add(name+at, "%s", reasonOf(err))
	}
	return 1
}

func (v *validator) more(name string, wrong int) {
	if wrong > maxEntryFaults {
		v.add(name, "has %d more entries that are no strings", wrong-maxEntryFaults)
	}
}

// MergeFaults gives the faults of a list item by item: those of what could not
// be read, and of those found in the rest all that do not follow from it. A field
// that could not be read looks absent, and is not called missing as well.
func MergeFaults(unread, found []Fault) []Fault {
	type place struct {
		index int
		field string
	}
	gone := make(map[place]bool, len(unread))
	told := make(map[Fault]bool, len(unread))
	all := slices.Clone(unread)
	for _, f := range unread {
		gone[place{f.Index, f.Field}], told[f] = true, true
	}
	for _, f := range found {
		is := func(field string) bool { return gone[place{f.Index, field}] }
		root, _, _ := strings.Cut(f.Field, "[")
		root, _, _ = strings.Cut(root, ".")
		size := root == "cores" && is("nodes")
		payload := f.Field == "arguments" && is("executable")
		if !is("") && !is(f.Field) && !is(root) && !size && !payload && !told[f] {
			all, told[f] = append(all, f), true
		}
	}
	slices.SortStableFunc(all, func(a, b Fault) int { return cmp.Compare(a.Index, b.Index) })
	return all
}

// reasonOf says in words of JSON why a field cannot be read.
func reasonOf(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return "must be " + kindOfGo(wrong.Type) + ", not " + cut(wrong.Value)
	}
	return err.Error()
}

// kindOfGo names a field's type in words of JSON.
func kindOfGo(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	default:
		return "a string"
	}
}

// cut bounds what is said back of a stranger's text.
func cut(s string) string {
	if len(s) > MaxToken {
		s = s[:MaxToken] + "…"
	}
	return strings.ToValidUTF8(s, "�")
}
