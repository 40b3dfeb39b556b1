package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
)

// writeTestFile writes a file into a directory of its own and gives its path.
func writeTestFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustRun runs a command line that must end well and gives what it says.
func mustRun(t *testing.T, env []string, args ...string) string {
	t.Helper()
	got := runCLI(t, "", env, args...)
	if got.code != 0 {
		t.Fatalf("%q: code %d, stderr %s", args, got.code, got.stderr)
	}
	return got.stdout
}

func mustDecode[T any](t *testing.T, env []string, args ...string) (v T) {
	t.Helper()
	text := mustRun(t, env, args...)
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v in %s", args, err, text)
	}
	return v
}

// TestCheckNamesLinesAndKeys without a service.
func TestCheckNamesLinesAndKeys(t *testing.T) {
	t.Parallel()
	env := []string{"NATS_URL", "nats://127.0.0.1:1"}
	fine := writeTestFile(t, "resource_site.json", "# ours\n{\"blue\": {\"job_manager_endpoint\": \"slurm://blue/\"}, \"half\": {}}")
	broken := writeTestFile(t, "site.json", "{\"blue\": {\n  \"cores_per_node\": \"many\",\n  \"valid_roots\": 7}}")
	yaml := writeTestFile(t, "site.yaml", "blue:\n  cores_per_node: many\n")

	got := runCLI(t, "", env, "resource", "check", fine)
	if got.code != 0 || !strings.Contains(got.stdout, "ok, 2 resources") || !strings.Contains(got.stdout, "note: "+fine+": half: resource site.half has no job_manager_endpoint") {
		t.Errorf("%+v", got)
	}
	got = runCLI(t, "", env, "resource", "check", fine, broken, yaml, "/does/not/exist")
	for _, want := range []string{
		broken + ":2: blue.cores_per_node: must be a whole number", broken + ":3: blue.valid_roots: must be a list of strings",
		yaml + ": blue.cores_per_node: must be", "/does/not/exist", fine + ": ok",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in %s", want, got.stdout)
		}
	}
	if got.code != exitError {
		t.Errorf("code %d", got.code)
	}
	lost := writeTestFile(t, "site.json", `{"blue": {"default_schema": "ssh", "schemas": {"local": {"job_manager_endpoint": "slurm://blue/"}, "batch": "batch"}}}`)
	got = runCLI(t, "", env, "resource", "check", lost)
	for _, want := range []string{"blue: schema ssh unknown for resource site.blue; known are batch, local", "blue: schema batch of resource site.blue is a name for itself"} {
		if got.code != exitError || !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in %+v", want, got)
		}
	}
	got = runCLI(t, "", env, "resource", "check", broken, "-o", "json")
	var all []checkedFile
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil || len(all) != 1 || len(all[0].Faults) != 2 || all[0].Faults[0].Line != 2 || got.code != exitError {
		t.Errorf("%+v, %v", got, err)
	}
	if got = runCLI(t, "", env, "resource", "check", fine, broken, "-o", "quiet"); got.stdout != broken+"\n" {
		t.Errorf("%+v", got)
	}
	if got = runCLI(t, "", env, "resource", "check", fine, "-o", "yaml"); !strings.Contains(got.stdout, "- site.blue") {
		t.Errorf("%+v", got)
	}
}

// TestResourcesFromPutToDelete over a service that is stopped in between.
func TestResourcesFromPutToDelete(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	env, stop := startUp(t, store)
	site := writeTestFile(t, "site.json", `{"blue": {"job_manager_endpoint": "slurm+ssh://blue.example.org/", "cores_per_node": 16, "colour": "blue"},
		"red": {"job_manager_endpoint": "slurm+gsissh://red.example.org/"}}`)
	put := mustDecode[api.PutResourceAnswer](t, env, "resource", "put", site, "site.blue")
	if len(put.Resources) != 1 || put.Resources[0].Version != 1 || put.Seq == 0 {
		t.Fatalf("put %+v", put)
	}
	bare := writeTestFile(t, "blue.yaml", "gpus_per_node: 2\ncores_per_node: 32\njob_manager_endpoint: slurm+ssh://blue.example.org/\n")
	if got := runCLI(t, "", env, "resource", "put", bare, "--as", "site.blue", "--expect-version", "7"); got.code != exitError || !strings.Contains(got.stderr, "flightlog: conflict: version 7") {
		t.Fatalf("%+v", got)
	}
	if said := mustRun(t, env, "resource", "put", bare, "--as", "site.blue", "--expect-version", "1", "-o", "table"); said != "site.blue version 2\n" {
		t.Fatalf("put says %q", said)
	}
	if stop() != 0 {
		t.Fatal("up did not end well")
	}

	env, _ = startUp(t, store)
	show := mustDecode[api.ResourceAnswer](t, env, "resource", "show", "site.blue", "--origin")
	if show.Source.Version != 2 || !strings.HasSuffix(show.Source.File, "blue.yaml") || show.Origin["gpus_per_node"] != "put" ||
		!strings.Contains(string(show.Config), `"cores_per_node": 32`) {
		t.Fatalf("shows %+v", show)
	}
	table := mustRun(t, env, "resource", "show", "site.blue", "--version", "1", "--origin", "-o", "table")
	for _, want := range []string{"cores_per_node", "16", "colour", "put", "version 1, put by"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	if list := mustRun(t, env, "resource", "list", "-o", "table"); !strings.Contains(list, "local.localhost") || !strings.Contains(list, "slurm+ssh") || !strings.Contains(list, "v2") {
		t.Errorf("lists\n%s", list)
	}
	if names := mustRun(t, env, "resource", "list", "--site", "site", "-o", "quiet"); names != "site.blue\n" {
		t.Errorf("lists %q", names)
	}
	broken := writeTestFile(t, "site.json", "{\n\"blue\": {\"cores_per_node\": []}}")
	if got := runCLI(t, "", env, "resource", "put", broken); got.code != exitError || !strings.Contains(got.stderr, broken+":2: blue.cores_per_node: must be") || !strings.Contains(got.stdout, `"field": "blue.cores_per_node"`) {
		t.Errorf("%+v", got)
	}
	if said := mustRun(t, env, "resource", "delete", "site.blue", "-o", "table"); said != "site.blue deleted, version 3\n" {
		t.Errorf("delete says %q", said)
	}
	if got := runCLI(t, "", env, "resource", "show", "site.blue"); got.code != exitError || !strings.Contains(got.stderr, "not_found") {
		t.Errorf("%+v", got)
	}
}

// TestDryRunPrintsTheScriptAndChangesNothing: the position of the log stays.
func TestDryRunPrintsTheScriptAndChangesNothing(t *testing.T) {
	t.Parallel()
	env, _ := startUp(t, t.TempDir())
	mustRun(t, env, "manager", "create", "--uid", "m")
	mustRun(t, env, "resource", "put", writeTestFile(t, "blue.json", `{"job_manager_endpoint": "slurm+ssh://blue/", "cores_per_node": 16}`), "--as", "site.blue")
	before := mustDecode[api.PutResourceAnswer](t, env, "resource", "put", writeTestFile(t, "blue.json", `{"job_manager_endpoint": "slurm+ssh://blue/", "cores_per_node": 16}`), "--as", "site.blue").Seq
	flags := []string{"-r", "site.blue", "-c", "3", "-t", "1h", "-o", "table"}
	text := mustRun(t, env, append([]string{"submit", "--dry-run"}, flags...)...)
	for _, want := range []string{"submit  sbatch", "#!/bin/bash -l\n", "#SBATCH --time=", "note    cores: 16 instead of 3", "#SBATCH --comment=m.pilot-"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if same := mustRun(t, env, append([]string{"resource", "render"}, flags...)...); same != text {
		t.Errorf("render differs:\n%s", same)
	}
	all := mustDecode[[]api.RenderAnswer](t, env, "submit", "--dry-run", "-r", "site.blue", "-c", "3", "-t", "1h", "-o", "json", "-n", "2")
	if len(all) != 2 || !strings.Contains(text, all[0].Script) || all[0].CommandLine == "" || all[0].Seq != before {
		t.Errorf("got %+v, the log was at %d", all, before)
	}
	got := runCLI(t, `[{"resource":"no.here","cores":1,"runtime":5},{"resource":"no.where","cores":1,"runtime":5}]`, env, "submit", "--dry-run", "-f", "-")
	if got.code != exitError || !strings.Contains(got.stderr, "item 0: resource") || !strings.Contains(got.stderr, "item 1: resource") {
		t.Errorf("%+v", got)
	}
	if uids := mustRun(t, env, "list", "--all", "-o", "quiet"); uids != "" {
		t.Errorf("there are pilots: %s", uids)
	}
}
