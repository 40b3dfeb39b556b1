package batch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// readExamples are the descriptions in the manual.
func readExamples(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../../../docs/systems.d/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	out := map[string][]byte{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(file)] = b
	}
	return out
}

func TestDeclaredExamples(t *testing.T) {
	t.Parallel()
	for file, b := range readExamples(t) {
		d, err := ParseDeclared(file, b)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if d.Dialect.List == nil || d.Dialect.ParseSubmit == nil || d.Dialect.Cancel == nil || d.Dialect.Name+".yaml" != file {
			t.Errorf("%s: %+v", file, d.Dialect)
		}
	}
}

// TestDeclaredFaults: every fault of a file at once, each with its key.
func TestDeclaredFaults(t *testing.T) {
	t.Parallel()
	_, err := ParseDeclared("systems.d/My-System.yaml", []byte(`
colour: red
env: [NO VALUE]
settle: 2h
script: {prefix: "#", directives: ["-l {cpus}"], submit: [sub], home: "a b", name_limit: 3}
submitted: '(?P<number>[0-9]+)'
refusals: [{class: perhaps, pattern: '('}]
list: {command: [], codes: [-1], begin: 'x*', job: ['(?P<id>[0-9]+) (?P<status>.*)']}
history: {command: [acct], job: '(?P<id>1)(?P<state>2)(?P<name>3)'}
tokens: {command: [show, "{id}"], job: ['(?P<id>[0-9]+) (?P<state>.*)']}
cancel: {command: [kill], taken: '((a{100}){100}){100}'}
words: {R: {phase: runs}, Q: {phase: queued, cause: out_of_memory}, E: {phase: ended, cause: bad_luck}}
causes: [{reason: x}]
`))
	var all *resource.FileError
	if pilot.CodeOf(err) != pilot.Invalid || !errors.As(err, &all) {
		t.Fatalf("%v", err)
	}
	told := map[string]bool{}
	for _, f := range all.Diagnostics {
		if f.File != "systems.d/My-System.yaml" || f.Reason == "" {
			t.Errorf("%+v", f)
		}
		told[f.Key] = true
	}
	for _, key := range []string{
		"name", "colour", "env[0]", "settle", "script.prefix", "script.directives[0]", "script.directives", "script.submit", "script.id",
		"script.home", "script.name_limit", "submitted", "refusals[0].class", "refusals[0].pattern", "list.command", "list.codes", "list.begin",
		"list.job[0]", "list.job", "history.command", "tokens.command", "tokens.job[0]", "tokens.job", "cancel", "cancel.taken", "words.R", "words.Q", "words.E.cause", "causes[0].cause",
	} {
		if !told[key] {
			t.Errorf("nothing is said of %s:\n%v", key, err)
		}
	}
}

// expandingYAML unfolds to much more than it holds.
func expandingYAML() string {
	var b strings.Builder
	b.WriteString("l0: &l0 " + strings.Repeat("x", 100) + "\n")
	for i := 1; i < 6; i++ {
		fmt.Fprintf(&b, "l%d: &l%d [%s*l%d]\n", i, i, strings.Repeat(fmt.Sprintf("*l%d, ", i-1), 9), i-1)
	}
	return b.String()
}

func TestDeclaredIsBounded(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]string{
		"too long":    strings.Repeat("#", maxDeclaration+1),
		"no object":   "[1, 2]",
		"no YAML":     "a: [",
		"twice":       "name: a\nname: b",
		"bomb":        expandingYAML(),
		"long regexp": "submitted: '" + strings.Repeat("x", maxPattern+1) + "'",
		"empty":       "",
	} {
		if _, err := ParseDeclared("x.yaml", []byte(b)); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDeclaredCommands: what a listing or a job's name holds is an argument, never
// code.
func TestDeclaredCommands(t *testing.T) {
	t.Parallel()
	evil := "1; rm -rf $HOME"
	shell := commandTemplate{shell: `kill "$1"`}.expandArgv("x", map[string]string{"id": evil, "name": "n"}, nil)
	if len(shell) != 6 || shell[2] != `kill "$1"` || shell[4] != evil {
		t.Errorf("%q", shell)
	}
	words := commandTemplate{words: []string{"acct", "-j", "{ids,}", "{ids}", "--name={name}"}}.expandArgv("x", map[string]string{"name": "n m"}, []string{"1", "2"})
	if strings.Join(words, "|") != "acct|-j|1,2|1|2|--name=n m" {
		t.Errorf("%q", words)
	}
}

// TestDeclaredManual: the short example in the text is one.
func TestDeclaredManual(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../../docs/batch-systems.md")
	if err != nil {
		t.Fatal(err)
	}
	var example strings.Builder
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, "    "); ok {
			example.WriteString(text)
		}
	}
	d, err := ParseDeclared("nqs.yaml", []byte(example.String()))
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := d.Dialect.List().Read(runner.Result{Stdout: []byte(
		"RequestID       ReqName          STT\n--------------- ---------------- ---\n12.host         p.rvjdl3qg44     RUN\n13.host         other            STG\n")})
	if got := formatJobs(jobs, err); got != "12.host running native=\"RUN\" name=\"p.rvjdl3qg44\"\n13.host unknown native=\"STG\" name=\"other\"\n2 jobs\n" {
		t.Error(got)
	}
	if jobs, err := d.Dialect.List().Read(runner.Result{}); err == nil {
		t.Errorf("nothing at all is an answer: %v", jobs)
	}
}

// TestDeclaredTokens: a file may say how a job is asked for its token, by ids that are
// arguments; an answer that is none says nothing, and a job without a token has none.
func TestDeclaredTokens(t *testing.T) {
	t.Parallel()
	token := pilot.Key{Resource: "site.host", Manager: "m", Pilot: "p"}.Token(1, sampleDay)
	d, err := ParseDeclared("oar.yaml", readExamples(t)["oar.yaml"])
	if err != nil {
		t.Fatal(err)
	}
	q := d.Dialect.Tokens([]Ref{{ID: "17"}, {ID: "18"}})
	if n := len(q.Argv); n < 3 || q.Argv[0] != "sh" || strings.Join(q.Argv[n-2:], " ") != "17 18" {
		t.Errorf("asked by %q", q.Argv)
	}
	said, err := q.Read(runner.Result{Stdout: []byte("Job_Id: 17\nPILOT_TOKEN=" + token + "\nJob_Id: 18\n")})
	if got := formatJobs(said, err); got != fmt.Sprintf("17  token=%q\n18 \n2 jobs\n", token) {
		t.Error(got)
	}
	for what, r := range map[string]runner.Result{
		"failed": {Code: 1, Stdout: []byte("Job_Id: 17\n")}, "broken": {Stdout: []byte("Lost connection to the OAR server\n")}, "cut": {Stdout: []byte("Job_Id: 17")},
	} {
		if said, err := q.Read(r); err == nil {
			t.Errorf("%s is an answer: %+v", what, said)
		}
	}
	without := strings.Replace(string(readExamples(t)["oar.yaml"]), "tokens:", "recent:", 1)
	if _, err := ParseDeclared("oar.yaml", []byte(without)); err == nil {
		t.Error("tokens are taken for a listing")
	}
}
