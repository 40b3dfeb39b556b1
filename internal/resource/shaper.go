package resource

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/flightlog/flightlog/pilot"
)

// shaper checks values against what is known of their keys, and gives them the
// one form that the two dialects have in common.
type shaper struct {
	*document
	faults            []Diagnostic
	schemaDiagnostics map[string][]Diagnostic // those of access schemas of the host at hand, by schema
}

func (s *shaper) addDiagnostic(path, format string, args ...any) {
	s.faults = append(s.faults, s.faultAt(path, format, args...))
}

// shapeObject shapes what an object says of known keys; others stay as they are.
func (s *shaper) shapeObject(path string, o object, known map[string]keySpec) object {
	out := make(object, len(o))
	for _, name := range slices.Sorted(maps.Keys(o)) {
		at := joinPath(path, name)
		s.refuseNUL(at, name)
		out[name] = s.shapeValue(at, o[name], known[name])
	}
	return out
}

// shapeValue gives v in the form of its kind; nil, which unsets a key, fits all.
func (s *shaper) shapeValue(path string, v any, k keySpec) any {
	s.refuseNUL(path, v)
	if v == nil || k.kind == kindAny {
		return v
	}
	if v == "" && !k.kind.isText() { // RADICAL-Pilot's way to say nothing
		return nil
	}
	if o, ok := v.(object); ok && (k.kind == kindObject || k.kind == kindTextOrObject) {
		return s.shapeObject(path, o, k.nested)
	}
	shaped, ok := convertValue(v, k.kind)
	if !ok {
		s.addDiagnostic(path, "must be %s, not %s", kindNames[k.kind], kindOf(v))
		return nil
	}
	if k.kind == kindEndpoint {
		s.checkEndpoint(path, shaped.(string))
	}
	return shaped
}

// refuseNUL refuses what can stand in no script, wherever it is.
func (s *shaper) refuseNUL(path string, v any) {
	switch v := v.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			s.addDiagnostic(path, "holds a NUL byte")
		}
	case []any:
		for _, item := range v {
			s.refuseNUL(path, item)
		}
	}
}

// checkEndpoint refuses what is no URL. A system or transport that cannot be used
// is no fault of the file; with a placeholder the URL is whole only later.
func (s *shaper) checkEndpoint(path, url string) {
	if strings.Contains(url, "%(") {
		return
	}
	if _, err := ParseEndpoint(url); err != nil {
		s.addDiagnostic(path, "%s", err)
	}
}

func convertValue(v any, k kind) (any, bool) {
	switch k {
	case kindLine, kindEndpoint:
		t, ok := v.(string)
		return t, ok && !strings.ContainsFunc(t, unicode.IsControl)
	case kindText, kindTextOrObject:
		t, ok := v.(string)
		return t, ok
	case kindCount:
		return convertCount(v)
	case kindBool:
		return convertBool(v)
	case kindRuntime:
		return convertRuntime(v)
	case kindTexts:
		return convertList(v, func(item any) (any, bool) { t, ok := item.(string); return t, ok })
	case kindCounts:
		return convertList(v, convertCount)
	default:
		return v, k == kindAny
	}
}

func convertList(v any, one func(any) (any, bool)) (any, bool) {
	items, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]any, len(items))
	for i, item := range items {
		if out[i], ok = one(item); !ok {
			return nil, false
		}
	}
	return out, true
}

func convertCount(v any) (any, bool) {
	t, ok := v.(string)
	if number, is := v.(json.Number); is {
		t, ok = number.String(), true
	}
	n, err := strconv.ParseUint(t, 10, 64)
	if f, wrong := strconv.ParseFloat(t, 64); err != nil && wrong == nil && f >= 0 && f <= pilot.MaxCount && f == math.Trunc(f) {
		n, err = uint64(f), nil // 64.0
	}
	return json.Number(strconv.FormatUint(n, 10)), ok && err == nil && n <= pilot.MaxCount
}

func convertBool(v any) (any, bool) {
	if t, ok := v.(string); ok {
		switch strings.ToLower(t) { // as RADICAL-Pilot compares them
		case "true":
			return true, true
		case "false":
			return false, true
		}
	}
	_, ok := v.(bool)
	return v, ok
}

func convertRuntime(v any) (any, bool) {
	t, ok := v.(string)
	if number, is := v.(json.Number); is {
		t, ok = number.String(), true
	}
	d, err := pilot.ParseRuntime(t)
	return pilot.FormatDuration(d), ok && err == nil && d >= time.Second
}

// kindOf says in words of JSON what a value is.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "the string " + strconv.Quote(fmt.Sprintf("%.150s", v))
	case json.Number:
		return "the number " + clipLine(v.String())
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return "a list"
	default:
		return "an object"
	}
}
