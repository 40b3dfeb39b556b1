package fakebatch_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

func TestMain(m *testing.M) {
	fakebatch.Main()
	testSystems = readSystem("../../../../docs/systems.d/oar.yaml")
	os.Exit(m.Run())
}

// testSystems are those of this build and the manual's example of a file.
var testSystems *batch.Systems

// readSystem returns the systems of this build and that of a file.
func readSystem(file string) *batch.Systems {
	b, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	d, err := batch.ParseDeclared(file, b)
	var all *batch.Systems
	if err == nil {
		all, err = all.With(d)
	}
	if err != nil {
		panic(err)
	}
	return all
}

// fixture is a fake with the dialect that speaks to it.
type fixture struct {
	*fakebatch.Fake
	*testing.T
	d *batch.Dialect
}

func newFixture(t *testing.T, system string) *fixture {
	t.Helper()
	d, ok := testSystems.LookupDialect(system)
	if !ok {
		t.Fatalf("no dialect %s", system)
	}
	return &fixture{Fake: fakebatch.New(t, system), T: t, d: d}
}

// runCommand runs one of the system's commands as a runner would.
func (b *fixture) runCommand(c runner.Command) runner.Result {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), c.Argv[0], c.Argv[1:]...)
	cmd.Env = append(append(os.Environ(), b.d.Env...), b.Env()...)
	if strings.IndexByte(c.Argv[0], '/') < 0 && c.Argv[0] != "sh" && c.Argv[0] != "env" {
		cmd.Path, cmd.Err = b.BinDir()+"/"+c.Argv[0], nil
	}
	cmd.Dir = c.Dir
	cmd.Stdin = bytes.NewReader(c.Stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	r := runner.Result{}
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		r.Code = exit.ExitCode()
		if r.Code < 0 {
			r.Signal = "KILL"
		}
	} else if err != nil {
		b.Fatal(err)
	}
	r.Stdout, r.Stderr = out.Bytes(), errs.Bytes()
	return r
}

// submitScript submits a script as package render writes it, with commands in the place of
// an agent.
func (b *fixture) submitScript(attempt int, commands string) runner.Result {
	b.Helper()
	return b.submitScriptIn(b.TempDir(), attempt, commands)
}

func (b *fixture) submitScriptIn(dir string, attempt int, commands string) runner.Result {
	b.Helper()
	spec := &render.Spec{
		Key: pilot.Key{Resource: "site.host", Manager: "m", Pilot: "p"}, Attempt: attempt, Token: jobToken(attempt),
		Description: pilot.Description{Resource: "site.host", Runtime: pilot.Runtime(time.Hour), Cores: 1, Executable: "true"},
		System:      b.d.Name, Agent: []string{"true"}, Sandbox: dir, Node: render.Node{Cores: 1},
	}
	script, err := render.Render(testSystems.Scripts(), spec)
	if err != nil {
		b.Fatal(err)
	}
	head, _, _ := strings.Cut(script.Text, "#\n# Flightlog")
	text := head + "\n" + commands + "\n"
	if err := os.MkdirAll(dir+"/"+sandbox.MarksDir, 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(dir+"/"+script.File, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	c := runner.Command{Argv: script.Submit, Dir: dir}
	if script.Stdin {
		c.Stdin = []byte(text)
	}
	return b.runCommand(c)
}

func jobToken(attempt int) string { return fmt.Sprintf("m.p.%d", attempt) }

// submitForID submits and gives the id.
func (b *fixture) submitForID(attempt int, commands string) string {
	b.Helper()
	r := b.submitScript(attempt, commands)
	ref, ok := b.d.ParseSubmit(r)
	if r.Code != 0 || !ok {
		b.Fatalf("submit: %d %q %q", r.Code, r.Stdout, r.Stderr)
	}
	return ref.ID
}

func (b *fixture) runQuery(q batch.Query) ([]batch.Record, error) {
	b.Helper()
	jobs, err := q.Read(b.runCommand(runner.Command{Argv: q.Argv}))
	if err != nil && q.Fallback != nil {
		return b.runQuery(*q.Fallback)
	}
	return jobs, err
}

func (b *fixture) listJobs() []batch.Record {
	b.Helper()
	jobs, err := b.runQuery(b.d.List())
	if err != nil {
		b.Fatalf("list: %v", err)
	}
	return jobs
}

// lastRecord is what the system says of a job that has ended.
func (b *fixture) lastRecord(id string) batch.Record {
	b.Helper()
	var last batch.Record
	for _, r := range b.listJobs() {
		if r.ID == id {
			last = r
		}
	}
	if b.d.History == nil || last.Exited {
		return last
	}
	jobs, err := b.runQuery(b.d.History([]batch.Ref{{ID: id}}, time.Now().Add(-time.Hour)))
	if err != nil {
		b.Fatalf("history: %v", err)
	}
	for _, r := range jobs {
		if r.ID == id {
			last = r
		}
	}
	return last
}

// onlyJob is the only job that is listed.
func (b *fixture) onlyJob() batch.Record {
	b.Helper()
	jobs := b.listJobs()
	if len(jobs) != 1 {
		b.Fatalf("%d jobs: %+v", len(jobs), jobs)
	}
	return jobs[0]
}

func forEachSystem(t *testing.T, test func(*testing.T, *fixture)) {
	t.Helper()
	for _, system := range append(fakebatch.Systems(), "oar") {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, system))
		})
	}
}

// hasTokenOf says that a record is known to be the attempt's, by token or name.
func hasTokenOf(r batch.Record, attempt int) bool {
	if r.Token != "" {
		return r.Token == jobToken(attempt)
	}
	return strings.HasSuffix(r.Name, "."+render.Tag(jobToken(attempt)))
}

func TestLife(t *testing.T) {
	t.Parallel()
	forEachSystem(t, func(t *testing.T, b *fixture) {
		b.Stop()
		id := b.submitForID(1, "echo it ran; exit 3")
		if r := b.onlyJob(); r.Phase != adaptor.Queued || r.ID != id || !hasTokenOf(r, 1) {
			t.Fatalf("queued: %+v", r)
		}
		b.Hold(id, "because")
		if r := b.onlyJob(); r.Phase != adaptor.Held {
			t.Fatalf("held: %+v", r)
		}
		b.Release(id)
		b.Start()
		b.WaitState(id, fakebatch.Ended)
		if got := b.Output(id); got != "it ran\n" {
			t.Fatalf("it printed %q", got)
		}
		if b.d.Name == "cobalt" {
			return // it forgets
		}
		if r := b.lastRecord(id); r.Phase != adaptor.Ended || !r.Exited || r.ExitCode != 3 || !hasTokenOf(r, 1) || r.Cause != "" {
			t.Fatalf("ended: %+v", r)
		}
		if n := b.SubmitCount(); n != 1 {
			t.Fatalf("%d submits", n)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	forEachSystem(t, func(t *testing.T, b *fixture) {
		id := b.submitForID(1, "exec sleep 600")
		r := b.onlyJob()
		if r.Phase != adaptor.Running || !hasTokenOf(r, 1) || r.Started.IsZero() {
			t.Fatalf("running: %+v", r)
		}
		for range 2 {
			for _, c := range b.d.Cancel([]batch.Record{r}, false) {
				if got := b.runCommand(c); !b.d.CancelAccepted(got) {
					t.Fatalf("%q: %+v", c.Argv, got)
				}
			}
		}
		b.WaitState(id, fakebatch.Ended)
		for _, c := range b.d.Cancel([]batch.Record{r}, false) {
			if got := b.runCommand(c); !b.d.CancelAccepted(got) {
				t.Fatalf("after its end: %q: %+v", c.Argv, got)
			}
		}
		if b.d.Name == "cobalt" {
			return
		}
		if r := b.lastRecord(id); r.Phase != adaptor.Ended || r.Cause != pilot.JobCanceledByThem && r.Signal == 0 {
			t.Fatalf("canceled: %+v", r)
		}
		b.Inject(fakebatch.Failure{Kind: fakebatch.CancelRefused})
		other := b.submitForID(2, "exec sleep 600")
		for _, c := range b.d.Cancel([]batch.Record{{Ref: batch.Ref{ID: other}, Name: "x", Phase: adaptor.Queued}}, false) {
			if got := b.runCommand(c); b.d.CancelAccepted(got) {
				t.Fatalf("refused: %+v", got)
			}
		}
	})
}

// TestGentle: the script learns of it, and may end in its own way.
func TestGentle(t *testing.T) {
	t.Parallel()
	forEachSystem(t, func(t *testing.T, b *fixture) {
		dir := t.TempDir()
		r := b.submitScriptIn(dir, 1, `trap 'echo warned; exit 5' TERM USR2; : >ready; while :; do sleep 0.05; done`)
		ref, ok := b.d.ParseSubmit(r)
		if !ok {
			t.Fatalf("%+v", r)
		}
		waitForFile(t, dir+"/ready")
		for _, c := range b.d.Cancel([]batch.Record{b.onlyJob()}, true) {
			if got := b.runCommand(c); !b.d.CancelAccepted(got) {
				t.Fatalf("%q: %+v", c.Argv, got)
			}
		}
		j := b.WaitState(ref.ID, fakebatch.Ended)
		if j.Exit != 5 || b.Output(ref.ID) != "warned\n" {
			t.Fatalf("exit %d, %q", j.Exit, b.Output(ref.ID))
		}
	})
}

func waitForFile(t *testing.T, file string) {
	t.Helper()
	limit, tick := time.NewTimer(time.Minute), time.NewTicker(10*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for {
		if _, err := os.Stat(file); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("no %s", file)
		}
	}
}
