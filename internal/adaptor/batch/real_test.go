package batch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// liveSystem is a real batch system, spoken to without the protocol.
type liveSystem struct {
	*testing.T
	d    *Dialect
	run  runner.Runner
	key  pilot.Key
	born time.Time
}

// newLiveSystem skips where no such system runs: the variable says where it is.
func newLiveSystem(t *testing.T, d *Dialect, variable string) *liveSystem {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skip("no " + d.Name + ": " + variable + " is not set")
	}
	name := fmt.Sprintf("t%d", time.Now().UnixNano())
	return &liveSystem{T: t, d: d, run: runner.NewLocal(), key: pilot.Key{Resource: "local.test", Manager: "m", Pilot: name}}
}

func (l *liveSystem) runCommand(c runner.Command) runner.Result {
	l.Helper()
	c.Env, c.Unset = append(append(c.Env, l.d.Env...), l.d.QueryEnv...), append(c.Unset, l.d.Unset...)
	r, err := l.run.Run(l.Context(), c)
	if err != nil {
		l.Fatal(err)
	}
	return r
}

// submit submits commands under the directives that package render writes.
func (l *liveSystem) submit(attempt int, change func(string) string, commands string) Ref {
	l.Helper()
	dir := l.TempDir()
	script, err := render.Render(nil, &render.Spec{
		Key: l.key, Attempt: attempt, Token: l.key.Token(attempt, l.born), System: l.d.Name, Agent: []string{"true"}, Sandbox: dir,
		Description: pilot.Description{Resource: l.key.Resource, Runtime: pilot.Runtime(10 * time.Minute), Cores: 1, Executable: "true"},
	})
	if err != nil {
		l.Fatal(err)
	}
	head, _, _ := strings.Cut(script.Text, "#\n# Flightlog")
	head = strings.Replace(head, "/bin/bash -l", "/bin/bash", 1) // whatever a login here does takes time
	if err := os.MkdirAll(filepath.Join(dir, sandbox.MarksDir), 0o700); err != nil {
		l.Fatal(err)
	}
	r := l.runCommand(runner.Command{Argv: script.Submit, Dir: dir, Stdin: []byte(change(head) + commands + "\n")})
	ref, ok := l.d.ParseSubmit(r)
	if r.Code != 0 || !ok {
		l.Fatalf("submit: %d %s", r.Code, errorText(r))
	}
	l.Cleanup(func() {
		for _, c := range l.d.Cancel([]Record{{Ref: ref, Name: script.Name, Phase: adaptor.Queued}}, false) {
			c.Env = append(c.Env, l.d.Env...)
			_, _ = l.run.Run(context.WithoutCancel(l.Context()), c) // it may have ended
		}
	})
	return ref
}

func unchanged(head string) string { return head }

func (l *liveSystem) runQuery(q Query) []Record {
	l.Helper()
	jobs, err := q.Read(l.runCommand(runner.Command{Argv: q.Argv}))
	if err != nil {
		l.Fatal(err)
	}
	return jobs
}

// waitUntil asks until a job is as it should be.
func (l *liveSystem) waitUntil(what string, q Query, ref Ref, attempt int, done func(*Record) bool) Record {
	l.Helper()
	limit, tick := time.NewTimer(2*time.Minute), time.NewTicker(200*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	last := Record{}
	for {
		for _, r := range l.runQuery(q) {
			if r.ID == ref.ID && r.hasToken(l.key.Token(attempt, l.born)) {
				if last = r; done(&r) {
					return r
				}
			}
		}
		select {
		case <-tick.C:
		case <-limit.C:
			l.Fatalf("waited for: %s; last %s", what, formatJob(&last))
		}
	}
}

func (l *liveSystem) queryHistory(refs ...Ref) Query {
	return l.d.History(refs, time.Now().Add(-10*time.Minute))
}

// checkLifecycle: through a job's life, by what the system really says.
func (l *liveSystem) checkLifecycle() {
	l.Helper()
	fails, runs := l.submit(1, unchanged, "exit 3"), l.submit(2, unchanged, "exec sleep 300")
	r := l.waitUntil("a job that runs", l.d.List(), runs, 2, func(r *Record) bool { return r.Phase == adaptor.Running })
	if r.Started.IsZero() || time.Since(r.Started).Abs() > 5*time.Minute {
		l.Errorf("it began at %v", r.Started)
	}
	ended := l.waitUntil("its end", l.queryHistory(fails), fails, 1, func(r *Record) bool { return r.Phase == adaptor.Ended })
	if !ended.Exited || ended.ExitCode != 3 || ended.Cause != "" || time.Since(ended.EndedAt).Abs() > 5*time.Minute {
		l.Errorf("exit 3: %s", formatJob(&ended))
	}
	for range 2 {
		for _, c := range l.d.Cancel([]Record{r}, false) {
			if got := l.runCommand(c); !l.d.CancelAccepted(got) {
				l.Errorf("cancel: %d %s", got.Code, errorText(got))
			}
		}
	}
	killed := l.waitUntil("its cancel", l.queryHistory(runs), runs, 2, func(r *Record) bool { return r.Phase == adaptor.Ended })
	if killed.Cause != pilot.JobCanceledByThem {
		l.Errorf("canceled: %s", formatJob(&killed))
	}
	if p := l.runCommand(runner.Command{Argv: l.d.Probe}); p.Code != 0 {
		l.Errorf("probe: %s", errorText(p))
	}
}

func TestRealSlurm(t *testing.T) {
	l := newLiveSystem(t, &Slurm, "SLURM_CONF")
	// Somebody's jobs with odd names and comments are among those listed.
	odd := func(head string) string {
		return strings.Replace(head, "--comment=", "--comment=\"x | y\" --job-name=\"a b|c\" --wckey=", 1)
	}
	l.submit(9, odd, "exec sleep 60")
	r := l.runCommand(runner.Command{
		Argv: []string{"sbatch", "--parsable", "--hold", "--output=/dev/null", "--time=1", "--job-name=two\nlines \xff", "--comment=also\ntwo", "--wrap=true"},
	})
	if ref, ok := Slurm.ParseSubmit(r); ok {
		t.Cleanup(func() {
			_, _ = l.run.Run(context.WithoutCancel(t.Context()), runner.Command{Argv: []string{"scancel", ref.ID}})
		})
	}
	l.checkLifecycle()
	held := l.submit(3, func(head string) string { return head + "#SBATCH --hold\n" }, "true")
	h := l.waitUntil("the hold", l.d.List(), held, 3, func(r *Record) bool { return r.Phase == adaptor.Held })
	if h.Reason != "JobHeldUser" {
		t.Errorf("held: %s", formatJob(&h))
	}
	if q := l.queryHistory(held); q.Fallback != nil { // what there is without accounting
		e := l.waitUntil("what scontrol says", *q.Fallback, held, 3, func(r *Record) bool { return r.Phase == adaptor.Held })
		if e.Token != l.key.Token(3, l.born) {
			t.Errorf("scontrol: %s", formatJob(&e))
		}
	}
}

func TestRealSGE(t *testing.T) {
	l := newLiveSystem(t, &SGE, "SGE_ROOT")
	bad := l.submit(3, func(head string) string {
		return strings.ReplaceAll(head, "#$ -o ", "#$ -o /nonexistent/x\n# -o ")
	}, "true")
	l.checkLifecycle()
	r := l.waitUntil("the error", l.d.List(), bad, 3, func(r *Record) bool { return r.Phase == adaptor.Held })
	if !strings.HasPrefix(r.Reason, "Eqw: can't open output file") {
		t.Errorf("in error: %s", formatJob(&r))
	}
}

// TestRealRenamed: a job keeps its token, and says it, whatever it is called.
func TestRealRenamed(t *testing.T) {
	for _, tt := range []struct {
		d              *Dialect
		variable, hold string
		rename         func(id string) []string
	}{
		{&Slurm, "SLURM_CONF", "#SBATCH --hold\n", func(id string) []string {
			return []string{"scontrol", "update", "jobid=" + id, "name=my-analysis", "comment=mine"}
		}},
		{&SGE, "SGE_ROOT", "#$ -h\n", func(id string) []string { return []string{"qalter", "-N", "my-analysis", id} }},
	} {
		t.Run(tt.d.Name, func(t *testing.T) {
			l := newLiveSystem(t, tt.d, tt.variable)
			ref := l.submit(1, func(head string) string { return head + tt.hold }, "true")
			t.Cleanup(func() {
				for _, c := range l.d.Cancel([]Record{{Ref: ref, Name: "my-analysis", Phase: adaptor.Held}}, false) {
					c.Env = append(c.Env, l.d.Env...)
					_, _ = l.run.Run(context.WithoutCancel(t.Context()), c)
				}
			})
			if r := l.runCommand(runner.Command{Argv: tt.rename(ref.ID)}); r.Code != 0 {
				t.Fatalf("rename: %s", errorText(r))
			}
			for _, r := range l.runQuery(l.d.List()) {
				if r.ID == ref.ID && r.hasToken(l.key.Token(1, l.born)) {
					t.Errorf("it is listed as before: %s", formatJob(&r))
				}
			}
			said := l.runQuery(l.d.Tokens([]Ref{ref, {ID: "99999999"}}))
			if len(said) != 1 || said[0].ID != ref.ID || said[0].Token != l.key.Token(1, l.born) {
				t.Errorf("it says %+v", said)
			}
		})
	}
}
