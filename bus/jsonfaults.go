package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// maxFaults are listed of one request; more help nobody.
const maxFaults = 100

// locateFaults finds which fields of a JSON value do not fit a struct, having failed
// with cause as a whole: encoding/json stops at the first and does not always
// name it.
func locateFaults(data []byte, into any, cause error) []pilot.FieldError {
	var l faultLocator
	l.checkValue(reflect.TypeOf(into), data, 0, "")
	if len(l.faults) == 0 {
		l.addFault(0, "", cause.Error())
	}
	return l.faults
}

type faultLocator struct{ faults []pilot.FieldError }

func (l *faultLocator) addFault(index int, field, reason string) {
	if len(l.faults) < maxFaults {
		l.faults = append(l.faults, pilot.FieldError{Index: index, Field: field, Reason: reason})
	}
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// checkValue descends to the values that do not fit t.
func (l *faultLocator) checkValue(t reflect.Type, raw []byte, index int, field string) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	err := dec.Decode(reflect.New(t).Interface())
	if err == nil || len(l.faults) >= maxFaults {
		return
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var ours *pilot.Error
	known := errors.As(err, &ours) && reflect.PointerTo(t).Implements(unmarshaler)
	switch {
	case known && len(ours.FieldErrors) > 0: // the type has found them itself
		for _, f := range ours.FieldErrors {
			l.addFault(f.Index, joinField(field, f.Field), f.Reason)
		}
	case known:
		l.addFault(index, field, ours.Error())
	case t.Kind() == reflect.Struct:
		l.checkFields(t, raw, index, field, err)
	case t.Kind() == reflect.Slice:
		l.checkItems(t, raw, index, field, err)
	case t.Kind() == reflect.Map:
		l.checkEntries(t, raw, index, field, err)
	default:
		l.addFault(index, field, faultReason(err))
	}
}

func (l *faultLocator) checkFields(t reflect.Type, raw []byte, index int, field string, err error) {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		l.addFault(index, field, faultReason(err))
		return
	}
	for _, name := range sortedNames(object) {
		if f, ok := fieldOf(t, name); ok {
			l.checkValue(f.Type, object[name], index, joinField(field, name))
		} else {
			l.addFault(index, joinField(field, fmt.Sprintf("%.64s", name)), "is not known")
		}
	}
}

// checkItems numbers the items of a request's list by the fault's index; those of
// lists further down are part of the field's name.
func (l *faultLocator) checkItems(t reflect.Type, raw []byte, index int, field string, err error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		l.addFault(index, field, faultReason(err))
		return
	}
	for i, item := range list {
		if t.Elem().Kind() == reflect.Struct && !strings.Contains(field, ".") {
			l.checkValue(t.Elem(), item, i, "")
		} else {
			l.checkValue(t.Elem(), item, index, fmt.Sprintf("%s[%d]", field, i))
		}
	}
}

func (l *faultLocator) checkEntries(t reflect.Type, raw []byte, index int, field string, err error) {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		l.addFault(index, field, faultReason(err))
		return
	}
	for _, name := range sortedNames(object) {
		l.checkValue(t.Elem(), object[name], index, joinField(field, fmt.Sprintf("%.64s", name)))
	}
}

// fieldOf finds a field as encoding/json does: by its tag, whatever the case.
func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "" {
			tag = f.Name
		}
		if f.IsExported() && tag != "-" && strings.EqualFold(tag, name) {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

func faultReason(err error) string {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err.Error()
	}
	return fmt.Sprintf("is %s, must be %s", describeValue(wrong.Value), describeType(wrong.Type))
}

// describeValue says what a value is; what encoding/json calls "number 1.5" is one.
func describeValue(value string) string {
	kind, text, _ := strings.Cut(value, " ")
	switch {
	case text != "":
		return text
	case kind == "array":
		return "a list"
	case kind == "object":
		return "an object"
	case kind == "bool":
		return "true or false"
	default:
		return "a " + kind
	}
}

// describeType says in JSON's words what a type takes.
func describeType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number within bounds"
	}
}

func joinField(field, name string) string {
	if field == "" || name == "" {
		return field + name
	}
	return field + "." + name
}

func sortedNames(object map[string]json.RawMessage) []string {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
