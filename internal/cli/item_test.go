package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/pilot"
)

// readAll is what a file says: its descriptions, and its faults with file and line.
func readAll(t testing.TB, file, text string) (descs []pilot.Description, faults []string) {
	t.Helper()
	items, wrong := parseFile(file, []byte(text))
	a := &commandLine{readItems: items, items: 2}
	for i := range items {
		d, unread := items[i].decodeDescription(i)
		descs, wrong = append(descs, d), append(wrong, unread...)
	}
	for _, f := range wrong {
		faults = append(faults, a.faultText(f))
	}
	return descs, faults
}

// TestYAMLIsTakenAsItIsWritten: where a description has texts of any kind.
func TestYAMLIsTakenAsItIsWritten(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"1", "1.10", "2.50", "0x10", "010", "0o17", "1_000", "1e3", "+5", "-0", ".5", "5.", ".inf", ".nan", "12345678901234567890123",
		"true", "false", "True", "yes", "no", "on", "off", "y", "n", "null", "Null", "~", "2024-01-01", "2001-12-14t21:59:43.10-05:00",
		"12:30:00", "1:30", "0b11", "a b", "<<", "=", "!!int 7", "!!str 7",
	} {
		want := strings.TrimPrefix(strings.TrimPrefix(text, "!!int "), "!!str ")
		descs, faults := readAll(t, "f.yaml", "arguments: [a, "+text+"]\nenvironment: {A: "+text+"}\nlabels:\n  l: "+text+"\n")
		if len(faults) > 0 || descs[0].Arguments[1] != want || descs[0].Environment["A"] != want || descs[0].Labels["l"] != want {
			t.Errorf("%s: read %+v, %q", text, descs, faults)
		}
	}
	descs, faults := readAll(t, "f.yaml", "labels: {1: a, yes: b, 2024-01-01: c, 1.10: d}\nenvironment: {E: }\narguments:\n- \"1\"\n- |\n  3\n")
	if names := slices.Sorted(maps.Keys(descs[0].Labels)); len(faults) > 0 || !slices.Equal(names, []string{"1", "1.10", "2024-01-01", "yes"}) {
		t.Errorf("labels are %q, %q", names, faults)
	}
	if e, ok := descs[0].Environment["E"]; e != "" || !ok {
		t.Errorf("what is written as nothing is %q, %v", e, ok)
	}
}

func TestYAMLOfOtherFields(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pilot.Description{
		"cores: 0x10":                   {Cores: 16},
		"cores: 1_000":                  {Cores: 1000},
		"cores: 1e3":                    {Cores: 1000},
		"cleanup: yes":                  {Cleanup: true},
		"cleanup: off":                  {},
		"runtime: 01:30:00":             {Runtime: 90 * 60e9},
		"memory: 4GiB":                  {Memory: 4 << 30},
		"job_name: 2024-01-01":          {JobName: "2024-01-01"},
		"queue: on":                     {Queue: "on"},
		"queue: ~\nenvironment:\n":      {},
		"project: \"007\"":              {Project: "007"},
		"&a cores: 1\nlabels: {*a : x}": {Cores: 1, Labels: map[string]string{"cores": "x"}},
		"environment: &e {A: 1}\nlabels: *e": {
			Environment: map[string]string{"A": "1"}, Labels: map[string]string{"A": "1"},
		},
		"environment:\n  <<: [{A: 1, B: 1}, {A: 2, C: 2}]\n  B: 0\n": {Environment: map[string]string{"A": "1", "B": "0", "C": "2"}},
		"<<: {cores: 1, queue: a}\nqueue: b\n":                       {Cores: 1, Queue: "b"},
	} {
		descs, faults := readAll(t, "f.yaml", text)
		got, _ := json.Marshal(descs)
		if wanted, _ := json.Marshal([]pilot.Description{want}); len(faults) > 0 || string(got) != string(wanted) {
			t.Errorf("%s: got %s, %q; want %s", text, got, faults, wanted)
		}
	}
}

// TestFaultsNameFileLineAndKey: all of them, in YAML and in JSON.
func TestFaultsNameFileLineAndKey(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		file, text string
		want       []string
	}{
		"entries": {"f.yaml", "- cores: 1\n- cores: 1\n  environment:\n    AAA: a\n    BBB: [2]\n    DDD: {x: 1}\n- arguments:\n  - x\n  - [y]\n  labels: {a: !!binary aGk=}\n", []string{
			"f.yaml:5: item 1: environment.BBB: must be a string, not a list", "f.yaml:6: item 1: environment.DDD: must be a string, not an object",
			"f.yaml:9: item 2: arguments[1]: must be a string, not a list", "f.yaml:10: item 2: labels.a: is marked !!binary",
		}},
		"fields": {"f.yaml", "cpus: 1\nruntime: 1:30\nqueue: 5\nexecutable: true\ncores: \"4\"\nnodes: 010\ngpus: 1.5\nmemory: lots\ncleanup: maybe\n", []string{
			"f.yaml:3: item 0: queue: must be a string, not number: write \"5\" in quotes", "f.yaml:4: item 0: executable: must be a string, not bool: write",
			"f.yaml:6: item 0: nodes: \"010\" is ambiguous", "f.yaml:9: item 0: cleanup: must be true or false, not string",
			"f.yaml:5: item 0: cores: must be a whole number, not string",
			"f.yaml:1: item 0: cpus: is not known",
			"f.yaml:7: item 0: gpus: must be a whole number, not number 1.5", "f.yaml:8: item 0: memory: \"lots\"", "f.yaml:2: item 0: runtime: \"1:30\" is ambiguous",
		}},
		"kinds": {"f.yml", "environment: [1]\narguments: x\nlabels: 7\ncores: []\nqueue: {}\nmemory: .nan\n", []string{
			"f.yml:1: item 0: environment: must be an object of strings, not a list", "f.yml:2: item 0: arguments: must be a list of strings, not a string",
			"f.yml:3: item 0: labels: must be an object of strings, not a number", "f.yml:4: item 0: cores: must be a whole number, not array",
			"f.yml:5: item 0: queue: must be a string, not object", "f.yml:6: item 0: memory: \".nan\" is not a number that can be counted with",
		}},
		"items": {"f.yaml", "- pilot\n-\n- [1]\n- 5\n- true\n", []string{
			"f.yaml:1: item 0: must be an object that describes a pilot, not a string", "f.yaml:2: item 1: must be an object that describes a pilot, not null",
			"f.yaml:3: item 2: must be an object that describes a pilot, not a list", "f.yaml:4: item 3: must be an object that describes a pilot, not a number",
			"f.yaml:5: item 4: must be an object that describes a pilot, not a boolean",
		}},
		"twice": {"f.yaml", "cores: 1\nlabels:\n  a: 1\n  a: 2\ncores: 2\n? [x]\n: y\n", []string{
			"f.yaml:5: item 0: cores: is there twice: it stands in line 1 too", "f.yaml:4: item 0: labels.a: is there twice: it stands in line 3 too",
			"f.yaml:6: item 0: has a key that is no word",
		}},
		"merges": {"f.yaml", "- &a\n  <<: *a\n  cores: 1\n- <<: 5\n- environment: {<<: [1]}\n", []string{
			"f.yaml:2: item 0: <<: merges itself", "f.yaml:4: item 1: <<: must be an object or a list of objects", "f.yaml:5: item 2: environment.<<: must be an object",
		}},
		"documents": {"f.yaml", "runtime: 1:30\n---\ncores: x\n---\ncores: [\n", []string{
			"f.yaml:5: is not YAML: did not find", "f.yaml:1: item 0: runtime", "f.yaml:3: item 1: cores: must be a whole number, not string",
		}},
		"an alias": {"f.yaml", "cores: 1\n---\n- x\n- *nope\n", []string{"f.yaml:4: is not YAML: unknown anchor 'nope' referenced"}},
		"JSON": {"f.json", "[{\"cores\": 1},\n {\"environment\": {\"AAA\": \"a\",\n  \"BBB\": 2, \"DDD\": true},\n  \"arguments\": [\"x\",\n  3],\n  \"runtime\": \"1:30\",\n" +
			"  \"colour\": {\"deep\": [1]}},\n 7]\n{\"cores\": 1,\n \"labels\": {\"a\": \"1\",\n \"a\": \"2\"}, \"cores\": 2}", []string{
			"f.json:5: item 1: arguments[1]: must be a string, not number", "f.json:7: item 1: colour: is not known",
			"f.json:3: item 1: environment.BBB: must be a string, not number", "f.json:3: item 1: environment.DDD: must be a string, not bool",
			"f.json:6: item 1: runtime: \"1:30\" is ambiguous", "f.json:8: item 2: must be an object that describes a pilot, not a number",
			"f.json:11: item 3: labels.a: is there twice: it stands in line 10 too", "f.json:11: item 3: cores: is there twice: it stands in line 9 too",
		}},
		"JSON that breaks off": {"f.json", "{\"runtime\": \"1:30\"}\n{\"cores\":\n 1", []string{"f.json:3: is not JSON: it ends too early", "f.json:1: item 0: runtime"}},
		"no JSON":              {"f.json", "{\"cores\": 1,\n \"x\" 2}", []string{"f.json:2: is not JSON: invalid character '2'"}},
		"neither":              {"-", "{\"cores\": 1,\n \"x\": [}", []string{"-: is neither JSON (line 2: invalid character '}'"}},
	} {
		_, got := readAll(t, x.file, x.text)
		if len(got) != len(x.want) {
			t.Errorf("%s: got\n%s", name, strings.Join(got, "\n"))
			continue
		}
		for _, want := range x.want {
			if !slices.ContainsFunc(got, func(f string) bool { return strings.HasPrefix(f, want) }) {
				t.Errorf("%s: no %q in\n%s", name, want, strings.Join(got, "\n"))
			}
		}
	}
}

// TestWhatAliasesUnfoldToIsBounded: a short text must not become a large list.
func TestWhatAliasesUnfoldToIsBounded(t *testing.T) {
	t.Parallel()
	merges := "a: &a0 {cores: 1}\n"
	for i := range 12 {
		merges += fmt.Sprintf("b%d: &a%d {<<: [%s]}\n", i, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 9)+fmt.Sprintf("*a%d", i))
	}
	for name, text := range map[string]string{
		"lists":  "- &x {arguments: [" + strings.Repeat("a,", 5000) + "a]}\n" + strings.Repeat("- *x\n", 5000),
		"merges": merges + "environment: *a12\n",
	} {
		items, faults := parseFile("f.yaml", []byte(text))
		if len(items) != 0 || len(faults) != 1 || !strings.Contains(faults[0].Reason, "aliases unfold to more than") {
			t.Errorf("%s: %d items, %v", name, len(items), faults)
		}
	}
}

// FuzzParseFile: whatever stands in a file, its items are JSON, and every fault has a place.
func FuzzParseFile(f *testing.F) {
	for _, seed := range []string{
		"cores: 1\nruntime: 90m\n", `[{"memory":"4GiB"},null,3]`, "a: &a [*a]", "{}\n{}", "- &a {<<: *a, cores: 010}\n- *a\n",
		"environment: {A: 1.10, B: !!binary x, ? [k] : v}\n---\nlabels: ~\n", `{"labels":{"a":1,"a":2},"arguments":[1,{}]}`,
		"- <<: [{a: 1}, *x]\n", "%YAML 1.1\n---\nqueue: |\n  x\n", "\xef\xbb\xbfcores: 1", "cleanup: yes\nmemory: 1_0\n",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, yaml bool) {
		file := "f.json"
		if yaml {
			file = "f.yaml"
		}
		items, faults := parseFile(file, b)
		for i := range items {
			x := &items[i]
			if !json.Valid(x.json) {
				t.Fatalf("%q is not JSON", x.json)
			}
			if x.file != file || x.line < 1 {
				t.Fatalf("item %d stands at %s:%d", i, x.file, x.line)
			}
			_, unread := x.decodeDescription(i)
			for _, f := range unread {
				if line := x.lineOf(f.Field); line < 1 || line > 1+strings.Count(strings.ReplaceAll(string(b), "\r", "\n"), "\n")+strings.Count(string(b), "\u2028")+strings.Count(string(b), "\u2029")+strings.Count(string(b), "\u0085") {
					t.Fatalf("%v stands in line %d of %q", f, line, b)
				}
			}
		}
		for _, fault := range faults {
			if !strings.HasPrefix(fault.Reason, file+":") {
				t.Fatalf("%v has no place", fault)
			}
		}
	})
}
