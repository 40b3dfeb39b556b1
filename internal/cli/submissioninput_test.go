package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
)

// faultsOfEveryStage holds faults of writing, of reading, of values and of resources, in several
// items; the second item is well.
const faultsOfEveryStage = `- {resource: local.localhost, cores: 1, runtime: 1:30, colour: red}
- {resource: local.localhost, cores: 1, runtime: 5m, environment: {N: 1.10}}
- resource: no.where
  cores: 1
  runtime: 5m
- resource: local.localhost
  cores: -1
  runtime: 5m
  environment:
    AAA: a
    BBB: [2]
  executable: x
  arguments: [a, {b: c}, d, 4]
- resource: local.localhost
  access_schema: carrier-pigeon
  runtime: 5m
  runtime: 6m
  cores: 1
- uid: taken
  resource: local.localhost
  cores: many
  runtime: 5m
- pilot
`

var placesOfEveryStage = []string{
	"pilots.yaml:1: item 0: colour: is not known",
	"pilots.yaml:1: item 0: runtime: \"1:30\" is ambiguous",
	"pilots.yaml:3: item 2: resource: Resource key 'no.where' is not known",
	"pilots.yaml:7: item 3: cores: must be between",
	"pilots.yaml:11: item 3: environment.BBB: must be a string, not a list",
	"pilots.yaml:13: item 3: arguments[1]: must be a string, not an object",
	"pilots.yaml:15: item 4: access_schema: ",
	"pilots.yaml:17: item 4: runtime: is there twice: it stands in line 16 too",
	"pilots.yaml:19: item 5: uid: is taken by a pilot of this manager",
	"pilots.yaml:21: item 5: cores: must be a whole number, not string",
	"pilots.yaml:23: item 6: must be an object that describes a pilot, not a string",
}

// expectAllFaults checks that the faults are these, a line each, and no others.
func expectAllFaults(t *testing.T, name string, got cliResult, dir string, want []string) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(got.stderr, dir+"/", "")) {
		if after, ok := strings.CutPrefix(line, "flightlog: invalid: "); ok {
			lines = append(lines, after)
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, w) }) {
			t.Errorf("%s: no %q in\n%s", name, w, strings.Join(lines, ""))
		}
	}
	if len(lines) != len(want) || got.code == 0 {
		t.Errorf("%s: code %d, %d faults, want %d:\n%s", name, got.code, len(lines), len(want), got.stderr)
	}
}

// TestOneAnswerNamesEveryFault: those that the command line finds, in its files and its
// flags, and those that only the service does.
func TestOneAnswerNamesEveryFault(t *testing.T) {
	t.Parallel()
	env, _ := startUp(t, t.TempDir())
	t.Cleanup(func() { runCLI(t, "", env, "cancel", "--all", "--force", "--wait") })
	mustDecodeOutput[api.Manager](t, env, "manager", "create", "--uid", "m")
	mustDecodeOutput[[]api.Pilot](t, env, words("submit -r local.localhost -c 1 -t 5m --uid taken -- sleep 300")...)
	table := append(slices.Clone(env), "FLIGHTLOG_OUTPUT", "table")
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	file := write("pilots.yaml", faultsOfEveryStage)
	expectAllFaults(t, "submit", runCLI(t, "", table, "submit", "-f", file), dir, placesOfEveryStage)
	expectAllFaults(t, "dry run", runCLI(t, "", table, "submit", "--dry-run", "-f", file), dir, placesOfEveryStage)
	expectAllFaults(t, "render", runCLI(t, "", table, "resource", "render", "-f", file), dir, placesOfEveryStage)

	alone := slices.DeleteFunc(slices.Clone(placesOfEveryStage), func(p string) bool {
		return strings.Contains(p, "no.where") || strings.Contains(p, "access_schema") || strings.Contains(p, "taken")
	})
	got := runCLI(t, "", append(slices.Clone(unreachableBus), "FLIGHTLOG_MANAGER", "m"), "submit", "-f", file)
	expectAllFaults(t, "without a service", got, dir, alone)
	if !strings.Contains(got.stderr, "the service could not be asked what else is wrong: ") {
		t.Errorf("it is not said: %s", got.stderr)
	}

	broken := write("broken.yaml", "cores: 1\n---\na: [\n")
	second := write("second.json", "{\"cores\": 1, \"runtime\": 5,\n \"resource\": \"no.where\", \"labels\": {\"a\": 1}}")
	got = runCLI(t, "", table, "submit", "-m", "nobody", "-t", "1:30", "-e", "X", "--memory", "lots", "--timeout", "-1s", "-f", dir+"/none", "-f", broken, "-f", second)
	expectAllFaults(t, "flags and files", got, dir, []string{
		`--runtime: "1:30" is ambiguous`, `--env: "X" is not NAME=VALUE`, `--memory: "lots"`, "--timeout must not be negative",
		"--file: open none: no such file", "broken.yaml:3: is not YAML: ", "broken.yaml:1: item 0: resource: does not define",
		"second.json:2: item 1: resource: Resource key 'no.where'", "second.json:2: item 1: labels.a: must be a string, not number",
		`manager: no manager "nobody"`,
	})
	if got.code != exitUsage {
		t.Errorf("code %d for a command line that is wrong", got.code)
	}
	if n := len(mustDecodeOutput[[]api.Pilot](t, env, "list")); n != 1 {
		t.Errorf("%d pilots are there, want the one of before", n)
	}
}

// TestFaultsOfTheServiceHaveAPlaceToo: when the command line finds none.
func TestFaultsOfTheServiceHaveAPlaceToo(t *testing.T) {
	t.Parallel()
	env, _ := startUp(t, t.TempDir())
	mustDecodeOutput[api.Manager](t, env, "manager", "create", "--uid", "m")
	const file = "- {resource: local.localhost, cores: 1, runtime: 5}\n- {resource: no.where, cores: 1, runtime: 5}\n"
	got := runCLI(t, file, env, "submit", "-f", "-", "-n", "2")
	var answer api.ErrorAnswer
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil {
		t.Fatalf("%v in %q", err, got.stdout)
	}
	var places []string
	for _, f := range answer.Error.FieldErrors {
		at, _, _ := strings.Cut(f.Reason, ": ")
		places = append(places, fmt.Sprint(f.Index, f.Field, at))
	}
	if want := []string{"2resource-:2", "3resource-:2"}; !slices.Equal(places, want) {
		t.Errorf("faults of %q, want %q: %s", places, want, got.stdout)
	}
}
