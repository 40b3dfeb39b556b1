package pilot

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
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
// cannot be read or is not known, where encoding/json would stop at the first.
// The fields that are well are set; Validate judges their values.
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
		if err := json.Unmarshal(given[name], into.Field(at).Addr().Interface()); err != nil {
			into.Field(at).SetZero()
			v.add(name, "%s", reasonOf(err))
		}
	}
	return d, v.faults
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
		return "a list of strings"
	case reflect.Map:
		return "an object of strings"
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
