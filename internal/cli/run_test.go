package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// cliResult is what one command line did.
type cliResult struct {
	code           int
	stdout, stderr string
}

// runCLI runs a command line in this process; env is NAME, VALUE and so on.
func runCLI(t *testing.T, stdin string, env []string, args ...string) cliResult {
	t.Helper()
	var out, errs bytes.Buffer
	code := runCommandLine(t.Context(), processEnv{
		args: args, stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs,
		getenv: getenv(env),
	})
	return cliResult{code, out.String(), errs.String()}
}

// getenv reads an environment of names and values in turns; the last one counts.
func getenv(env []string) func(string) string {
	return func(name string) (value string) {
		for i := 0; i+1 < len(env); i += 2 {
			if env[i] == name {
				value = env[i+1]
			}
		}
		return value
	}
}

// unreachableBus is an environment in which no service is.
var unreachableBus = slices.Clip([]string{"NATS_URL", "nats://127.0.0.1:1"})

func words(line string) []string { return strings.Fields(line) }

func TestWrongUsageEndsWithTwoAndSaysWhy(t *testing.T) {
	t.Parallel()
	for line, why := range map[string]string{
		"frob":                              `unknown command "frob"`,
		"list --frob":                       "unknown flag: --frob",
		"list extra":                        `unknown command "extra"`,
		"list -o xml":                       `"xml" is not an output`,
		"list --color sometimes":            "--color takes",
		"list --state SLEEPING":             `"SLEEPING" is not a pilot state`,
		"list --limit -1":                   "--limit must not be negative",
		"list -m a.b":                       `"a.b" is not a manager`,
		"get":                               "requires at least 1 arg",
		"get pilot-1":                       "whose pilot is pilot-1?",
		"get m/p.q":                         `"m/p.q" is not a pilot`,
		"get m/p --at noon":                 `"noon" is not a time`,
		"wait":                              "which manager?",
		"wait m/p --timeout -1s":            "--timeout must not be negative",
		"cancel":                            "name pilots, or give --all",
		"cancel --all m/p":                  "name pilots, or give --all",
		"cancel --all":                      "which manager?",
		"cancel m/p --grace -1s":            "must not be negative",
		"watch --from-now --from-beginning": "none of the others can be",
		"orphans --yes":                     "--yes and --foreign are for --kill",
		"orphans --kill":                    "where nobody can answer, give --yes",
		"watch a b":                         "accepts at most 1 arg",
		"submit --cores 1":                  "which manager?",
		"submit -m m":                       "what is to be submitted?",
		"submit -m m -n 0 true":             "--count must be 1 or more",
		"submit -m m -t 1:30":               "--runtime: \"1:30\" is ambiguous",
		"submit -m m --memory lots":         "--memory: ",
		"submit -m m -e NOVALUE":            `--env: "NOVALUE" is not NAME=VALUE`,
		"submit -m m -f /does/not/exist":    "no such file",
		"submit -m m -f /":                  "/ is a directory",
		"up --sync foo":                     "--sync takes always or a duration",
		"up --sync 0s":                      "--sync takes always or a duration",
		"up --listen localhost:99999":       "a port is a number",
		"up --listen localhost:x":           "a port is a number",
		"up --resource a.b,c.d":             `--resource "a.b,c.d" is not <site>.<host>`,
		"manager create m":                  `manager create takes no arguments: its name is given by --uid m`,
		"manager frob":                      `unknown command "frob"`,
		"manager get":                       "accepts 1 arg",
		"manager list --state HALF":         "--state takes OPEN, CLOSING or CLOSED",
		"history":                           "accepts 1 arg",
		"explain":                           "accepts 1 arg",
		"resource put -":                    "- has no name that says the site",
		"resource put - site.blue":          "- has no name that says the site",
		"resource put /dev/stdin":           "/dev/stdin has no name that says the site",
		"resource put /dev/fd/63":           "with --as <site>.<host>",
		"explain p":                         "whose pilot is p?",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			got := runCLI(t, "", unreachableBus, words(line)...)
			if got.code != exitUsage || !strings.Contains(got.stderr, why) || got.stdout != "" {
				t.Errorf("code %d, stdout %q, stderr %q; want code 2 and %q", got.code, got.stdout, got.stderr, why)
			}
		})
	}
}

func TestErrorsAreTheOneValueOfStructuredOutput(t *testing.T) {
	t.Parallel()
	file := `[{"resource":"local.localhost"},{"cpus":1},{"runtime":true}]`
	got := runCLI(t, file, append(unreachableBus, "FLIGHTLOG_MANAGER", "m"), "submit", "-f", "-", "-o", "json")
	var answer api.ErrorAnswer
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil {
		t.Fatalf("%v in %q", err, got.stdout)
	}
	var places []string
	for _, f := range answer.Error.FieldErrors {
		places = append(places, fmt.Sprint(f.Index, f.Field))
	}
	if got, want := strings.Join(places, " "), "0runtime 0cores 1cpus 1resource 1runtime 1cores 2runtime 2resource 2cores"; got != want {
		t.Errorf("faults of %s; want %s", got, want)
	}
	if n := strings.Count(got.stderr, "flightlog: invalid: -:1: item"); n != len(places) || got.code != exitError {
		t.Errorf("code %d, %q", got.code, got.stderr)
	}
}

func TestNoServerIsToldWithAWayOut(t *testing.T) {
	t.Parallel()
	got := runCLI(t, "", []string{"NATS_URL", "nats://127.0.0.1:1", "FLIGHTLOG_OUTPUT", "yaml"}, "list")
	if got.code != exitError || !strings.Contains(got.stderr, "flightlog up") || !strings.Contains(got.stdout, "code: unavailable") {
		t.Errorf("%+v", got)
	}
}

func TestVersionSpeaksEveryOutput(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]string{
		outTable: "flightlog ", outJSON: `"go": "go`, outYAML: "go: go", outQuiet: "\n",
	} {
		if got := runCLI(t, "", nil, "version", "-o", output); got.code != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("%s: %+v", output, got)
		}
	}
}

func TestSecretsOfTheEnvironmentAreNotInTheHelp(t *testing.T) {
	t.Parallel()
	got := runCLI(t, "", []string{"NATS_URL", "nats://user:secret@host", "NATS_USER", "secret"}, "list", "--help")
	if got.code != 0 || strings.Contains(got.stdout, "secret") {
		t.Errorf("%+v", got)
	}
}

func TestASubmissionAcceptedInPartSaysHowFarItGot(t *testing.T) {
	t.Parallel()
	err := &client.PartialError{
		Accepted: 1, Total: 3, Key: "k7",
		Err: &pilot.Error{Code: pilot.Invalid, FieldErrors: []pilot.FieldError{{Index: 1, Field: "resource", Reason: "is away"}}},
	}
	var out, errs bytes.Buffer
	a := &commandLine{
		processEnv: processEnv{stdout: &out, stderr: &errs, getenv: getenv(nil)},
		parsed:     true, output: outJSON, items: 3, accepted: []pilot.UID{"p"},
	}
	a.reportError(err)
	if want := "flightlog: invalid: 1 of 3 pilots were submitted (idempotency key k7)\n" +
		"flightlog: invalid: item 1: resource: is away\n"; errs.String() != want {
		t.Errorf("got %q, want %q", errs.String(), want)
	}
	var got partialAnswer
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got.Accepted) != 1 || len(got.Error.FieldErrors) != 1 {
		t.Errorf("%v in %s", err, out.String())
	}
}

func TestFaultsOfASingleRequestHaveNoItem(t *testing.T) {
	t.Parallel()
	got := runCLI(t, "", unreachableBus, words("submit -m m -c 1 -t 1 true")...)
	_, after, _ := strings.Cut(got.stderr, "\n")
	if want := "flightlog: invalid: resource: does not define mandatory attribute 'resource'\n"; after != want {
		t.Errorf("got %q, want %q", after, want)
	}
}

func TestALostConnectionIsToldInWords(t *testing.T) {
	t.Parallel()
	err := &pilot.Error{Code: pilot.Unavailable, Err: nats.ErrReconnectBufExceeded}
	if got := new(commandLine).errorMessage(err); got != "not connected to the service" {
		t.Errorf("got %q", got)
	}
}
