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

// descriptionFields are those of a Description by their JSON names, which is also what a
// request may say.
var descriptionFields = func() map[string]int {
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
func DecodeDescription(index int, b []byte) (Description, []FieldError) {
	var d Description
	v := validator{index: index}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(b, &given); err != nil || given == nil {
		v.addError("", "must be an object that describes a pilot, not %s", kindOfJSON(bytes.TrimSpace(b)))
		return d, v.errors
	}
	into := reflect.ValueOf(&d).Elem()
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at, known := descriptionFields[name]
		if !known {
			v.addError(clipText(name), "is not known")
			continue
		}
		v.readField(name, given[name], into.Field(at).Addr().Interface())
	}
	return d, v.errors
}

// DecodeField reads a field of a request that is not one of a description; raw
// is nil where it is absent.
func DecodeField(name string, raw json.RawMessage, into any) []FieldError {
	var v validator
	if raw != nil {
		v.readField(name, raw, into)
	}
	return v.errors
}

func (v *validator) readField(name string, raw json.RawMessage, into any) {
	switch into := into.(type) {
	case *[]string:
		v.readStrings(name, raw, into)
	case *map[string]string:
		v.readStringMap(name, raw, into)
	default:
		if err := json.Unmarshal(raw, into); err != nil {
			reflect.ValueOf(into).Elem().SetZero()
			v.addError(name, "%s", reasonOf(err))
		}
	}
}

// maxEntryFaults are told of one field; more help nobody.
const maxEntryFaults = 100

func (v *validator) readStrings(name string, raw json.RawMessage, into *[]string) {
	var given []json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		v.addError(name, "must be a list of strings, not %s", kindOfJSON(raw))
		return
	}
	if given == nil {
		return
	}
	*into = make([]string, len(given))
	wrong := 0
	for i := range given {
		wrong += v.readString(name, wrong, "["+strconv.Itoa(i)+"]", given[i], &(*into)[i])
	}
	v.addOmitted(name, wrong)
}

func (v *validator) readStringMap(name string, raw json.RawMessage, into *map[string]string) {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		v.addError(name, "must be an object of strings, not %s", kindOfJSON(raw))
		return
	}
	if given == nil {
		return
	}
	*into = make(map[string]string, len(given))
	wrong := 0
	for _, key := range slices.Sorted(maps.Keys(given)) {
		var text string
		bad := v.readString(name, wrong, "."+clipText(key), given[key], &text)
		if bad == 0 {
			(*into)[key] = text
		}
		wrong += bad
	}
	v.addOmitted(name, wrong)
}

// readString reads one of several strings and gives how many of them are wrong: 0 or 1.
func (v *validator) readString(name string, before int, at string, raw json.RawMessage, into *string) int {
	err := json.Unmarshal(raw, into)
	if err == nil {
		return 0
	}
	if before < maxEntryFaults {
		v.addError(name+at, "%s", reasonOf(err))
	}
	return 1
}

func (v *validator) addOmitted(name string, wrong int) {
	if wrong > maxEntryFaults {
		v.addError(name, "has %d more entries that are no strings", wrong-maxEntryFaults)
	}
}

// MergeFieldErrors gives the faults of a list item by item: those of what could not
// be read, and of those found in the rest all that do not follow from it. A field
// that could not be read looks absent, and is not called missing as well.
func MergeFieldErrors(unread, found []FieldError) []FieldError {
	type place struct {
		index int
		field string
	}
	gone := make(map[place]bool, len(unread))
	told := make(map[FieldError]bool, len(unread))
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
	slices.SortStableFunc(all, func(a, b FieldError) int { return cmp.Compare(a.Index, b.Index) })
	return all
}

// reasonOf says in words of JSON why a field cannot be read.
func reasonOf(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return "must be " + kindOfGo(wrong.Type) + ", not " + clipText(wrong.Value)
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

// clipText bounds what is said back of a stranger's text.
func clipText(s string) string {
	if len(s) > MaxToken {
		s = s[:MaxToken] + "…"
	}
	return strings.ToValidUTF8(s, "�")
}
