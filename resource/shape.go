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
	faults []Fault
	wrong  map[string][]Fault // those of access schemas of the host at hand, by schema
}

func (s *shaper) add(path, format string, args ...any) {
	s.faults = append(s.faults, s.faultAt(path, format, args...))
}

// object shapes what an object says of known keys; others stay as they are.
func (s *shaper) object(path string, o object, known map[string]key) object {
	out := make(object, len(o))
	for _, name := range slices.Sorted(maps.Keys(o)) {
		at := join(path, name)
		s.nul(at, name)
		out[name] = s.value(at, o[name], known[name])
	}
	return out
}

// value gives v in the form of its kind; nil, which unsets a key, fits all.
func (s *shaper) value(path string, v any, k key) any {
	s.nul(path, v)
	if v == nil || k.kind == anything {
		return v
	}
	if v == "" && !k.kind.isText() { // RADICAL-Pilot's way to say nothing
		return nil
	}
	if o, ok := v.(object); ok && (k.kind == group || k.kind == textOrGroup) {
		return s.object(path, o, k.of)
	}
	shaped, ok := shape(v, k.kind)
	if !ok {
		s.add(path, "must be %s, not %s", kindNames[k.kind], kindOf(v))
		return nil
	}
	if k.kind == endpoint {
		s.endpoint(path, shaped.(string))
	}
	return shaped
}

// nul refuses what can stand in no script, wherever it is.
func (s *shaper) nul(path string, v any) {
	switch v := v.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			s.add(path, "holds a NUL byte")
		}
	case []any:
		for _, item := range v {
			s.nul(path, item)
		}
	}
}

// endpoint refuses what is no URL. A system or transport that cannot be used
// is no fault of the file; with a placeholder the URL is whole only later.
func (s *shaper) endpoint(path, url string) {
	if strings.Contains(url, "%(") {
		return
	}
	if _, err := ParseEndpoint(url); pilot.CodeOf(err) == pilot.Invalid {
		s.add(path, "%s", err)
	}
}

func shape(v any, k kind) (any, bool) {
	switch k {
	case text, endpoint:
		t, ok := v.(string)
		return t, ok && !strings.ContainsFunc(t, unicode.IsControl)
	case prose, textOrGroup:
		t, ok := v.(string)
		return t, ok
	case count:
		return whole(v)
	case truth:
		return boolean(v)
	case span:
		return minutes(v)
	case texts:
		return list(v, func(item any) (any, bool) { t, ok := item.(string); return t, ok })
	case counts:
		return list(v, whole)
	default:
		return v, k == anything
	}
}

func list(v any, one func(any) (any, bool)) (any, bool) {
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

func whole(v any) (any, bool) {
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

func boolean(v any) (any, bool) {
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

func minutes(v any) (any, bool) {
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
		return "the number " + shown(v.String())
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return "a list"
	default:
		return "an object"
	}
}
