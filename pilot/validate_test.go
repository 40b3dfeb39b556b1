package pilot_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// validDescription is a description without fault.
func validDescription() pilot.Description {
	return pilot.Description{Resource: "local.localhost", Runtime: pilot.Runtime(10 * time.Minute), Cores: 1}
}

func TestValidateFindsEveryFault(t *testing.T) {
	t.Parallel()
	many := make(map[string]string, pilot.MaxLabels+1)
	for i := range pilot.MaxLabels + 1 {
		many[strings.Repeat("l", i+1)] = ""
	}
	for name, tt := range map[string]struct {
		edit func(*pilot.Description)
		want []string // field: part of the reason
	}{
		"good":        {func(*pilot.Description) {}, nil},
		"alias":       {func(d *pilot.Description) { d.Resource = "localhost" }, nil},
		"nodes":       {func(d *pilot.Description) { d.Cores, d.Nodes = 0, 2 }, nil},
		"script text": {func(d *pilot.Description) { d.Executable, d.Arguments = "sh", []string{"-c", "a\n\tb"} }, nil},
		"nothing": {func(d *pilot.Description) { *d = pilot.Description{} }, []string{
			"resource: does not define mandatory attribute 'resource'",
			"runtime: does not define mandatory attribute 'runtime'",
			"cores: does not define mandatory attribute 'cores'",
		}},
		"all wrong": {func(d *pilot.Description) {
			*d = pilot.Description{
				UID: "a.b", Resource: "a\x00", Runtime: -1, Cores: -1, Nodes: 1, GPUs: pilot.MaxCount + 1, Memory: -1,
				AccessSchema: "\xff", Queue: "a\nb", Project: strings.Repeat("p", pilot.MaxText+1), JobName: "\x1b[2J", Sandbox: "\x00",
			}
		}, []string{
			"uid: must be 1 to 64", "resource: control character", "runtime: must be positive", "nodes: not both",
			"cores: must be between 1", "gpus: must be between 0", "memory: must not be negative", "access_schema: not UTF-8",
			"queue: control character", "project: 4097 bytes", "job_name: control character", "sandbox: control character",
		}},
		"arguments of none": {func(d *pilot.Description) { d.Arguments = []string{"x"} }, []string{"arguments: need an 'executable'"}},
		"blank executable":  {func(d *pilot.Description) { d.Executable = " " }, []string{"executable: is blank"}},
		"NUL and bytes": {func(d *pilot.Description) {
			d.Executable, d.Arguments = "a\x00", []string{"ok", "\xff"}
			d.Environment = map[string]string{"A": "\x00", "1B": "", "": ""}
		}, []string{
			"executable: NUL", "arguments[1]: not UTF-8", `environment: "" is not a name`,
			`environment: "1B" is not a name`, "environment.A: NUL",
		}},
		"too many arguments": {func(d *pilot.Description) {
			d.Executable, d.Arguments = "x", make([]string, pilot.MaxArguments+1)
		}, []string{"arguments: has 1025 entries"}},
		"too much payload": {func(d *pilot.Description) {
			d.Executable, d.Environment = "x", map[string]string{"A": strings.Repeat("a", pilot.MaxArgBytes)}
		}, []string{"executable: 131074 bytes"}},
		"labels": {func(d *pilot.Description) {
			d.Labels = map[string]string{"": "x", "long": strings.Repeat("v", pilot.MaxLabelText+1), "esc": "\x1b", "ok": "ü"}
		}, []string{`labels: "" must`, `labels: "esc" must`, `labels: "long" must`}},
		"too many labels": {func(d *pilot.Description) { d.Labels = many }, []string{"labels: has 65 entries"}},
	} {
		d := validDescription()
		tt.edit(&d)
		compareFaults(t, name, d.Validate(7), 7, tt.want)
	}
	compareFaults(t, "labels alone", pilot.ValidateLabels(map[string]string{"": ""}), 0, []string{`labels: "" must`})
}

func compareFaults(t *testing.T, name string, got []pilot.FieldError, index int, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: faults are %v, want %q", name, got, want)
		return
	}
	for i, w := range want {
		field, reason, _ := strings.Cut(w, ": ")
		if f := got[i]; f.Index != index || f.Field != field || !strings.Contains(f.Reason, reason) {
			t.Errorf("%s: fault %d is %q, want %q of item %d", name, i, f, w, index)
		}
	}
}

// TestFaultsDoNotEchoAFlood: who sends a megabyte is not sent it back.
func TestFaultsDoNotEchoAFlood(t *testing.T) {
	t.Parallel()
	flood := strings.Repeat("\xf0\x9f\x8c\xb5", 1<<18)
	d := pilot.Description{
		UID: flood, Resource: flood, AccessSchema: flood, Queue: flood, Executable: flood,
		Environment: map[string]string{flood: flood}, Labels: map[string]string{flood: flood},
	}
	raw, err := json.Marshal(map[string]string{flood: "", "runtime": flood, "memory": flood, "uid": flood})
	if err != nil {
		t.Fatal(err)
	}
	_, unread := pilot.DecodeDescription(0, raw)
	if len(unread) != 3 {
		t.Errorf("decoding found %d faults", len(unread))
	}
	for _, f := range append(d.Validate(0), unread...) {
		if len(f.String()) > 512 {
			t.Errorf("a fault of %d bytes: %.80s…", len(f.String()), f)
		}
	}
}

func TestDecodeDescriptionFindsEveryFault(t *testing.T) {
	t.Parallel()
	d, faults := pilot.DecodeDescription(3, []byte(`{
		"resource": 7, "runtime": "1:30", "cores": "many", "nodes": 1e30, "memory": {}, "cleanup": "yes",
		"arguments": [1], "environment": ["A"], "labels": {"a": 1}, "queue": "debug", "Gpus": 1, "colour": "red"
	}`))
	compareFaults(t, "decode", faults, 3, []string{
		"Gpus: is not known", "arguments[0]: must be a string, not number", "cleanup: must be true or false, not string",
		"colour: is not known", "cores: must be a whole number, not string", "environment: must be an object of strings, not a list",
		"labels.a: must be a string, not number", "memory: must be a number or a string, not an object",
		"nodes: must be a whole number, not number", "resource: must be a string, not number", `runtime: "1:30" is ambiguous`,
	})
	if d.Queue != "debug" || d.Nodes != 0 || d.Environment != nil || len(d.Labels) != 0 {
		t.Errorf("read %+v", d)
	}
	for in, what := range map[string]string{
		``: "nothing", `null`: "null", `7`: "a number", `[]`: "a list", `"x"`: "a string", `true`: "a boolean",
	} {
		_, faults := pilot.DecodeDescription(0, []byte(in))
		compareFaults(t, in, faults, 0, []string{": must be an object that describes a pilot, not " + what})
	}
}

// TestDecodeDescriptionNamesEveryEntry: and what is well beside them is read.
func TestDecodeDescriptionNamesEveryEntry(t *testing.T) {
	t.Parallel()
	d, faults := pilot.DecodeDescription(1, []byte(`{
		"arguments": ["x", 3, "y", null, ["z"]], "environment": {"AAA": "1", "BBB": 2, "CCC": null, "DDD": true, "a.b": {}},
		"labels": {"run": 42, "day": "1"}
	}`))
	compareFaults(t, "decode", faults, 1, []string{
		"arguments[1]: must be a string, not number", "arguments[4]: must be a string, not array",
		"environment.BBB: must be a string, not number", "environment.DDD: must be a string, not bool",
		"environment.a.b: must be a string, not object", "labels.run: must be a string, not number",
	})
	want := pilot.Description{
		Arguments: []string{"x", "", "y", "", ""}, Environment: map[string]string{"AAA": "1", "CCC": ""}, Labels: map[string]string{"day": "1"},
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("read %+v, want %+v", d, want)
	}
	_, faults = pilot.DecodeDescription(0, []byte(`{"arguments":[`+strings.Repeat("1,", 1000)+`1]}`))
	if n := len(faults); n != 101 || !strings.Contains(faults[100].Reason, "901 more") {
		t.Errorf("%d faults of 1001, the last %v", n, faults[n-1])
	}
}

// TestMergeFaultsTellsNothingTwice: what could not be read is not missing too.
func TestMergeFaultsTellsNothingTwice(t *testing.T) {
	t.Parallel()
	fault := func(index int, field string) pilot.FieldError {
		return pilot.FieldError{Index: index, Field: field, Reason: "r"}
	}
	for name, x := range map[string]struct{ unread, found, want []pilot.FieldError }{
		"by item":        {[]pilot.FieldError{fault(2, "b")}, []pilot.FieldError{fault(3, "a"), fault(0, "z")}, []pilot.FieldError{fault(0, "z"), fault(2, "b"), fault(3, "a")}},
		"the field":      {[]pilot.FieldError{fault(0, "a")}, []pilot.FieldError{{Index: 0, Field: "a", Reason: "is missing"}, fault(1, "a")}, []pilot.FieldError{fault(0, "a"), fault(1, "a")}},
		"the item":       {[]pilot.FieldError{fault(0, "")}, []pilot.FieldError{fault(0, "a"), fault(0, "b")}, []pilot.FieldError{fault(0, "")}},
		"entries":        {[]pilot.FieldError{fault(0, "e")}, []pilot.FieldError{fault(0, "e.A"), fault(0, "e[1]")}, []pilot.FieldError{fault(0, "e")}},
		"one entry":      {[]pilot.FieldError{fault(0, "e.A")}, []pilot.FieldError{fault(0, "e.B"), fault(0, "e")}, []pilot.FieldError{fault(0, "e.A"), fault(0, "e.B"), fault(0, "e")}},
		"size":           {[]pilot.FieldError{fault(0, "nodes")}, []pilot.FieldError{fault(0, "cores")}, []pilot.FieldError{fault(0, "nodes")}},
		"payload":        {[]pilot.FieldError{fault(0, "executable")}, []pilot.FieldError{fault(0, "arguments")}, []pilot.FieldError{fault(0, "executable")}},
		"found by both":  {[]pilot.FieldError{fault(0, "a")}, []pilot.FieldError{fault(0, "b"), fault(0, "b")}, []pilot.FieldError{fault(0, "a"), fault(0, "b")}},
		"nothing at all": {},
	} {
		if got := pilot.MergeFieldErrors(x.unread, x.found); !slices.Equal(got, x.want) {
			t.Errorf("%s: got %v, want %v", name, got, x.want)
		}
	}
}

func TestValidToken(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"a": true, "pilot-01k": true, "A_9-z": true, strings.Repeat("x", 64): true,
		"": false, strings.Repeat("x", 65): false, "a.b": false, "*": false, ">": false, "a b": false, "ä": false,
		"a/b": false, "a\x00": false, "$(x)": false,
	} {
		if pilot.ValidToken(s) != want {
			t.Errorf("ValidToken(%q) is %v", s, !want)
		}
	}
}

func TestValidLabel(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"local.localhost": true, "a-1.b_2": true,
		"": false, "a": false, "a.": false, ".b": false, "a.b.c": false, "a.b c": false, "a.*": false, "a\n.b": false,
	} {
		if pilot.ValidResourceName(s) != want {
			t.Errorf("ValidLabel(%q) is %v", s, !want)
		}
	}
}
