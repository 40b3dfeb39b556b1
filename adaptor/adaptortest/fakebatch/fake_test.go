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

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/adaptor/batch"
	"github.com/flightlog/flightlog/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource/render"
)

func TestMain(m *testing.M) {
	fakebatch.Main()
	declare("../../../docs/systems.d/oar.yaml")
	os.Exit(m.Run())
}

// declare makes a system known that is described in a file.
func declare(file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	d, err := batch.ParseDeclared(file, b)
	if err == nil {
		err = d.Register()
	}
	if err != nil {
		panic(err)
	}
}

// bench is a fake with the dialect that speaks to it.
type bench struct {
	*fakebatch.Fake
	*testing.T
	d *batch.Dialect
}

func setup(t *testing.T, system string) *bench {
	t.Helper()
	d, ok := batch.Named(system)
	if !ok {
		t.Fatalf("no dialect %s", system)
	}
	return &bench{Fake: fakebatch.New(t, system), T: t, d: d}
}

// run runs one of the system's commands as a runner would.
func (b *bench) run(c runner.Command) runner.Result {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), c.Argv[0], c.Argv[1:]...)
	cmd.Env = append(append(os.Environ(), b.d.Env...), b.Env()...)
	if strings.IndexByte(c.Argv[0], '/') < 0 && c.Argv[0] != "sh" && c.Argv[0] != "env" {
		cmd.Path, cmd.Err = b.Path()+"/"+c.Argv[0], nil
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

// submit submits a script as package render writes it, with commands in the place of
// an agent.
func (b *bench) submit(attempt int, commands string) runner.Result {
	b.Helper()
	return b.submitIn(b.TempDir(), attempt, commands)
}

func (b *bench) submitIn(dir string, attempt int, commands string) runner.Result {
	b.Helper()
	spec := &render.Spec{
		Key: pilot.Key{Resource: "site.host", Manager: "m", Pilot: "p"}, Attempt: attempt, Token: token(attempt),
		Description: pilot.Description{Resource: "site.host", Runtime: pilot.Runtime(time.Hour), Cores: 1, Executable: "true"},
		System:      b.d.Name, Agent: []string{"true"}, Sandbox: dir, Node: render.Node{Cores: 1},
	}
	script, err := render.Render(spec)
	if err != nil {
		b.Fatal(err)
	}
	head, _, _ := strings.Cut(script.Text, "#\n# Flightlog")
	text := head + "\n" + commands + "\n"
	if err := os.MkdirAll(dir+"/"+render.MarksDir, 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(dir+"/"+script.File, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	c := runner.Command{Argv: script.Submit, Dir: dir}
	if script.Stdin {
		c.Stdin = []byte(text)
	}
	return b.run(c)
}

func token(attempt int) string { return fmt.Sprintf("m.p.%d", attempt) }

// place submits and gives the id.
func (b *bench) place(attempt int, commands string) string {
	b.Helper()
	r := b.submit(attempt, commands)
	ref, ok := b.d.Submitted(r)
	if r.Code != 0 || !ok {
		b.Fatalf("submit: %d %q %q", r.Code, r.Stdout, r.Stderr)
	}
	return ref.ID
}

func (b *bench) ask(q batch.Query) ([]batch.Record, error) {
	b.Helper()
	jobs, err := q.Read(b.run(runner.Command{Argv: q.Argv}))
	if err != nil && q.Else != nil {
		return b.ask(*q.Else)
	}
	return jobs, err
}

func (b *bench) list() []batch.Record {
	b.Helper()
	jobs, err := b.ask(b.d.List())
	if err != nil {
		b.Fatalf("list: %v", err)
	}
	return jobs
}

// over is what the system says of a job that has ended.
func (b *bench) over(id string) batch.Record {
	b.Helper()
	var last batch.Record
	for _, r := range b.list() {
		if r.ID == id {
			last = r
		}
	}
	if b.d.History == nil || last.Exited {
		return last
	}
	jobs, err := b.ask(b.d.History([]batch.Ref{{ID: id}}, time.Now().Add(-time.Hour)))
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

// one is the only job that is listed.
func (b *bench) one() batch.Record {
	b.Helper()
	jobs := b.list()
	if len(jobs) != 1 {
		b.Fatalf("%d jobs: %+v", len(jobs), jobs)
	}
	return jobs[0]
}

func each(t *testing.T, test func(*testing.T, *bench)) {
	t.Helper()
	for _, system := range append(fakebatch.Systems(), "oar") {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			test(t, setup(t, system))
		})
	}
}

// ours says that a record is known to be the attempt's, by token or name.
func ours(r batch.Record, attempt int) bool {
	if r.Token != "" {
		return r.Token == token(attempt)
	}
	return strings.HasSuffix(r.Name, "."+render.Tag(token(attempt)))
}

func TestLife(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.Stop()
		id := b.place(1, "echo it ran; exit 3")
		if r := b.one(); r.Phase != adaptor.Queued || r.ID != id || !ours(r, 1) {
			t.Fatalf("queued: %+v", r)
		}
		b.Hold(id, "because")
		if r := b.one(); r.Phase != adaptor.Held {
			t.Fatalf("held: %+v", r)
		}
		b.Release(id)
		b.Start()
		b.Wait(id, fakebatch.Ended)
		if got := b.Output(id); got != "it ran\n" {
			t.Fatalf("it printed %q", got)
		}
		if b.d.Name == "cobalt" {
			return // it forgets
		}
		if r := b.over(id); r.Phase != adaptor.Ended || !r.Exited || r.ExitCode != 3 || !ours(r, 1) || r.Cause != "" {
			t.Fatalf("ended: %+v", r)
		}
		if n := b.Submits(); n != 1 {
			t.Fatalf("%d submits", n)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		id := b.place(1, "exec sleep 600")
		r := b.one()
		if r.Phase != adaptor.Running || !ours(r, 1) || r.Started.IsZero() {
			t.Fatalf("running: %+v", r)
		}
		for range 2 {
			for _, c := range b.d.Cancel([]batch.Record{r}, false) {
				if got := b.run(c); !b.d.Canceled(got) {
					t.Fatalf("%q: %+v", c.Argv, got)
				}
			}
		}
		b.Wait(id, fakebatch.Ended)
		for _, c := range b.d.Cancel([]batch.Record{r}, false) {
			if got := b.run(c); !b.d.Canceled(got) {
				t.Fatalf("after its end: %q: %+v", c.Argv, got)
			}
		}
		if b.d.Name == "cobalt" {
			return
		}
		if r := b.over(id); r.Phase != adaptor.Ended || r.Cause != pilot.JobCanceledByThem && r.Signal == 0 {
			t.Fatalf("canceled: %+v", r)
		}
		b.Fault(fakebatch.Fault{Kind: fakebatch.CancelRefused})
		other := b.place(2, "exec sleep 600")
		for _, c := range b.d.Cancel([]batch.Record{{Ref: batch.Ref{ID: other}, Name: "x", Phase: adaptor.Queued}}, false) {
			if got := b.run(c); b.d.Canceled(got) {
				t.Fatalf("refused: %+v", got)
			}
		}
	})
}

// TestGentle: the script learns of it, and may end in its own way.
func TestGentle(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		dir := t.TempDir()
		r := b.submitIn(dir, 1, `trap 'echo warned; exit 5' TERM USR2; : >ready; while :; do sleep 0.05; done`)
		ref, ok := b.d.Submitted(r)
		if !ok {
			t.Fatalf("%+v", r)
		}
		appears(t, dir+"/ready")
		for _, c := range b.d.Cancel([]batch.Record{b.one()}, true) {
			if got := b.run(c); !b.d.Canceled(got) {
				t.Fatalf("%q: %+v", c.Argv, got)
			}
		}
		j := b.Wait(ref.ID, fakebatch.Ended)
		if j.Exit != 5 || b.Output(ref.ID) != "warned\n" {
			t.Fatalf("exit %d, %q", j.Exit, b.Output(ref.ID))
		}
	})
}

func appears(t *testing.T, file string) {
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
