package fork_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/fork"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// dyingLauncher submits specs in another process, which is then killed.
func (b *fixture) dyingLauncher(specs ...*adaptor.Spec) {
	b.Helper()
	will, err := json.Marshal(launcherScript{b.root, specs})
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asAgent+"="+b.Socket, asLauncher+"="+string(will))
	cmd.Stderr = os.Stderr
	err = cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		b.Fatalf("the launcher was to be killed: %v", err)
	}
}

func (b *fixture) find(spec *adaptor.Spec) adaptor.Handle {
	b.Helper()
	s := b.open()
	p, ok, err := s.Find(b.Context(), spec)
	if err != nil || !ok {
		b.Fatalf("find %s: %v %v", spec.Key.Pilot, ok, err)
	}
	return adaptor.Handle{Key: spec.Key, Attempt: spec.Attempt, Job: p.Job, Sandbox: p.Sandbox}
}

func TestExitIsKnownThoughTheLauncherWasKilled(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	spec := b.spec("orphan", 1, "sleep 0.3; echo out; echo err >&2; exit 7")
	b.dyingLauncher(spec)
	job := b.find(spec)
	out := b.awaitEnd(b.open(), job)
	if out.Code != pilot.PayloadFailed || out.ExitCode == nil || *out.ExitCode != 7 || out.Stdout != "out\n" || out.Stderr != "err\n" {
		t.Fatalf("%+v", out)
	}
	if n := b.runCount("orphan"); n != 1 {
		t.Fatalf("ran %d times", n)
	}
}

func TestAdoptedJobsAreCanceledAndTheirEndIsTold(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	spec := b.spec("orphan", 1, "exec sleep 1000")
	b.dyingLauncher(spec)
	b.waitUntil("the payload", func() bool { return b.runCount("orphan") == 1 })
	s := b.open()
	p, ok, err := s.Find(t.Context(), spec)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	b.TellToStop("orphan")
	job := adaptor.Handle{Key: spec.Key, Attempt: 1, Job: p.Job, Sandbox: p.Sandbox}
	if err := s.Cancel(t.Context(), job, adaptor.Stop{}); err != nil {
		t.Fatal(err)
	}
	if key := <-s.JobEnds(); key != spec.Key {
		t.Fatalf("told of %+v", key)
	}
	if out := b.awaitEnd(s, job); out.Code != pilot.CanceledByAgent || out.Signal != int(syscall.SIGTERM) {
		t.Fatalf("%+v", out)
	}
	if out, ok := b.ReportedOutcome("orphan"); !ok || out.Kind != api.OutcomeCanceled {
		t.Fatalf("the agent reported %v %+v", ok, out)
	}
}

// A payload with everything that gets away: a child in the group, one in a
// session of its own, one there with an empty environment, all deaf to TERM.
const clingingScript = `
deaf='trap "" TERM; echo $$ >> $PIDS; while :; do sleep 1; done'
export PIDS=$PWD/pids
touch pids
more() { while [ "$(wc -l < pids)" -lt $1 ]; do sleep 0.02; done; }
sh -c "$deaf" & more 1
setsid sh -c "$deaf" & more 2
( setsid env -i PIDS=$PIDS PATH=$PATH sh -c "$deaf" & ) ; more 3
echo ready > ready
exec sleep 1000`

// startClinging submits that payload and gives its processes.
func (b *fixture) startClinging(s *fork.System, uid string) (adaptor.Handle, []proc.Identity) {
	b.Helper()
	job := b.submit(s, b.spec(uid, 1, clingingScript))
	b.waitUntil("the payload's children", func() bool {
		_, err := os.Stat(filepath.Join(job.Sandbox, "ready"))
		return err == nil
	})
	text, err := os.ReadFile(filepath.Join(job.Sandbox, "pids"))
	if err != nil {
		b.Fatal(err)
	}
	var all []proc.Identity
	for field := range strings.FieldsSeq(string(text)) {
		pid, _ := strconv.Atoi(field)
		id, err := proc.IdentityOf(pid)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = proc.Kill(id) })
		all = append(all, id)
	}
	return job, all
}

func (b *fixture) checkAllDead(all []proc.Identity) {
	b.Helper()
	for i, id := range all {
		b.waitUntil("process "+strconv.Itoa(i)+"'s death", func() bool {
			return len(proc.LiveIdentities([]int{id.PID})) == 0 || !slices.Contains(proc.LiveIdentities([]int{id.PID}), id)
		})
	}
}

func TestCancelLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	job, all := b.startClinging(s, "clinging")
	b.TellToStop("clinging")
	if err := s.Cancel(t.Context(), job, adaptor.Stop{}); err != nil {
		t.Fatal(err)
	}
	if out := b.awaitEnd(s, job); out.Kind != api.OutcomeCanceled {
		t.Fatalf("%+v", out)
	}
	b.checkAllDead(all)
}

func TestForceLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	job, all := b.startClinging(s, "clinging")
	if err := s.Cancel(t.Context(), job, adaptor.Stop{Force: true}); err != nil {
		t.Fatal(err)
	}
	if out := b.awaitEnd(s, job); out.Code != pilot.KilledAfterGrace {
		t.Fatalf("%+v", out)
	}
	b.checkAllDead(all)
}

func TestAKilledAgentTakesItsPayloadAlong(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	job, all := b.startClinging(s, "clinging")
	started, err := sandbox.MarksOf(job.Sandbox, 1).ReadStarted()
	if err != nil || started == nil {
		t.Fatal(started, err)
	}
	if err := proc.Kill(started.Identity); err != nil {
		t.Fatal(err)
	}
	if key := <-s.JobEnds(); key != job.Key {
		t.Fatalf("told of %+v", key)
	}
	if out := b.awaitEnd(s, job); out.Kind != api.OutcomeFailed || out.Code != pilot.AgentLost {
		t.Fatalf("%+v", out)
	}
	b.checkAllDead(all[:2]) // the third has neither token nor session: only its agent knew it
}

// rewriteIdentity changes a mark of a job, as if another process or boot had left it.
func rewriteIdentity(t *testing.T, job adaptor.Handle, change func(*proc.Identity)) {
	t.Helper()
	marks := sandbox.MarksOf(job.Sandbox, job.Attempt)
	started, err := marks.ReadStarted()
	if err != nil || started == nil {
		t.Fatal(started, err)
	}
	change(&started.Identity)
	if err := marks.WriteOrReplace("started", started); err != nil {
		t.Fatal(err)
	}
}

func TestAReusedPidIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	living := b.submit(s, b.spec("victim", 1, "exec sleep 1000"))
	b.waitUntil("the payload", func() bool { return b.runCount("victim") == 1 })
	for name, change := range map[string]func(*proc.Identity){
		"agent_lost": func(id *proc.Identity) { id.Start-- },
		"lost":       func(id *proc.Identity) { id.Boot = "an earlier boot" },
	} {
		if name == "lost" && !strings.Contains(living.Job.Host, "/") {
			continue // a machine without an id is not known again after a boot
		}
		forged := b.submit(s, b.spec(name, 1, "exit 0"))
		b.awaitEnd(s, forged)
		if err := os.Remove(sandbox.MarksOf(forged.Sandbox, 1).Path("exit")); err != nil {
			t.Fatal(err)
		}
		victim, err := sandbox.MarksOf(living.Sandbox, 1).ReadStarted()
		if err != nil {
			t.Fatal(err)
		}
		rewriteIdentity(t, forged, func(id *proc.Identity) {
			*id = victim.Identity
			change(id)
		})
		if err := s.Cancel(t.Context(), forged, adaptor.Stop{}); err != nil {
			t.Fatal(err)
		}
		if out := b.awaitEnd(s, forged); string(out.Code) != name {
			t.Errorf("%s: %+v", name, out)
		}
		if err := s.Cancel(t.Context(), forged, adaptor.Stop{Force: true}); err != nil {
			t.Fatal(err)
		}
		if got := b.poll(s, living); got.Phase != adaptor.Running {
			t.Fatalf("%s: the process that has the pid now was hit: %+v", name, got)
		}
	}
	if err := s.Cancel(t.Context(), living, adaptor.Stop{Force: true}); err != nil {
		t.Fatal(err)
	}
}

// TestExitMarksOfNoUse: a machine that lost its power as an agent ended may show the
// mark and nothing in it, and a payload may write over it. While the agent lives that
// ends nothing; afterwards it is said.
func TestExitMarksOfNoUse(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty": "", "half": `{"kind":"do`, "noise": "\x00\xff\n", "nothing": "{}\n", "list": "[1]\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			s := b.open()
			job := b.submit(s, b.spec("p", 1, "exec sleep 1000"))
			b.waitUntil("the payload", func() bool { return b.runCount("p") == 1 })
			if err := os.WriteFile(sandbox.MarksOf(job.Sandbox, 1).Path("exit"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if st := b.poll(s, job); st.Phase != adaptor.Running {
				t.Errorf("while it runs it is %+v", st)
			}
			if err := s.Cancel(t.Context(), job, adaptor.Stop{Force: true}); err != nil {
				t.Fatal(err)
			}
			out := b.awaitEnd(s, job)
			if out.Kind != api.OutcomeFailed || out.Code != pilot.AgentLost || strings.Contains(out.Message, "cannot be read") != (text != "") {
				t.Errorf("%+v", out)
			}
		})
	}
}
