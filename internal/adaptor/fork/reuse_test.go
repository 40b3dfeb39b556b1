package fork_test

import (
	"bytes"
	"maps"
	"os"
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

// openWithoutSpares is a system that starts one agent when it must, and none ahead.
func (b *fixture) openWithoutSpares() *fork.System {
	b.Helper()
	config := b.config()
	config.Spare = -1
	s, err := fork.New(config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}

// awaitAgent is which agent has a job.
func (b *fixture) awaitAgent(job adaptor.Handle) proc.Identity {
	b.Helper()
	var found proc.Identity
	b.waitUntil("the beginning of "+job.Key.Pilot, func() bool {
		started, err := sandbox.MarksOf(job.Sandbox, job.Attempt).ReadStarted()
		if err != nil {
			b.Fatal(err)
		}
		if started != nil {
			found = started.Identity
		}
		return started != nil
	})
	return found
}

// runToEnd runs a job to its end and until its agent is idle or gone.
func (b *fixture) runToEnd(s *fork.System, spec *adaptor.Spec) adaptor.Handle {
	b.Helper()
	job := b.submit(s, spec)
	if key := <-s.JobEnds(); key != spec.Key {
		b.Fatalf("told of %+v", key)
	}
	if got := b.poll(s, job); got.Phase != adaptor.Ended {
		b.Fatalf("told of the end, and it is %+v", got)
	}
	return job
}

func TestManyPilotsFewProcesses(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	const pilots = 200
	jobs, ids, agents := make([]adaptor.Handle, pilots), map[string]bool{}, map[proc.Identity]bool{}
	for i := range jobs {
		jobs[i] = b.submit(s, b.spec("p"+strconv.Itoa(i), 1, "exit 0"))
		ids[jobs[i].Job.ID] = true
	}
	for _, job := range jobs {
		if out := b.awaitEnd(s, job); out.Kind != api.OutcomeDone {
			t.Fatalf("%+v", out)
		}
		agents[b.awaitAgent(job)] = true
		if n := b.runCount(job.Key.Pilot); n != 1 {
			t.Errorf("%s ran %d times", job.Key.Pilot, n)
		}
	}
	if len(agents) > pilots/4 || len(ids) != pilots {
		t.Errorf("%d pilots by %d agents, with %d names", pilots, len(agents), len(ids))
	}
}

// A payload that says all it can see of the process that started it.
const reportScript = `env; echo; pwd; umask; ulimit -n; grep -E 'Sig(Blk|Ign|Cgt)|NoNewPrivs' /proc/self/status
for f in /proc/$$/fd/*; do readlink $f; done; ls .flightlog`

func TestNothingPassesFromPilotToPilot(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.openWithoutSpares()
	first := b.spec("first", 1, reportScript+"; umask 077; exit 3")
	first.Secret = "c0rrect-h0rse"
	first.Description.Environment["LEAK"] = "first-word"
	one := b.runToEnd(s, first)
	open := b.openFiles(b.awaitAgent(one))
	var last api.Outcome
	for i := range 20 {
		job := b.runToEnd(s, b.spec("later"+strconv.Itoa(i), 1, reportScript))
		if b.awaitAgent(job) != b.awaitAgent(one) {
			t.Fatal("another process")
		}
		last = b.awaitEnd(s, job)
		said := strings.ReplaceAll(last.Stdout, job.Key.Pilot, "first")
		for _, word := range []string{"first-word", "LEAK", first.Secret} {
			if strings.Contains(said, word) {
				t.Fatalf("%q is seen in\n%s", word, said)
			}
		}
		if got, want := reportFacts(said), reportFacts(b.awaitEnd(s, one).Stdout); !slices.Equal(got, want) {
			t.Fatalf("the first sees\n%q\na later one\n%q", want, got)
		}
	}
	if now := b.openFiles(b.awaitAgent(one)); !slices.Equal(now, open) {
		t.Errorf("open files grew from\n%v\nto\n%v", open, now)
	}
	if n := len(slices.Compact(slices.Sorted(maps.Values(b.Instances())))); n != 21 {
		t.Errorf("21 pilots, %d instances", n)
	}
	if b.LastSecret("first") != first.Secret || b.LastSecret("later0") != "sesame" {
		t.Errorf("secrets: %q, %q", b.LastSecret("first"), b.LastSecret("later0"))
	}
}

// reportFacts are the lines that must not differ between pilots, sorted: the time is
// another one, and the environment is a map.
func reportFacts(text string) []string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return strings.HasPrefix(line, "PILOT_DEADLINE=") || strings.HasPrefix(line, "LEAK=")
	})
	slices.Sort(lines)
	return lines
}

// openFiles are what a process has open.
func (b *fixture) openFiles(id proc.Identity) []string {
	b.Helper()
	dir := "/proc/" + strconv.Itoa(id.PID) + "/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		target, _ := os.Readlink(filepath.Join(dir, e.Name()))
		kind, _, _ := strings.Cut(target, ":")
		all = append(all, kind)
	}
	slices.Sort(all)
	return all
}

func TestAnAgentThatIsNotSpotlessLeaves(t *testing.T) {
	t.Parallel()
	n := 0 // a name each: force finds what carries a token wherever its sandbox is
	for name, c := range map[string]struct {
		script string
		end    func(b *fixture, s *fork.System, job adaptor.Handle)
	}{
		"something of the payload lives": {script: "setsid sh -c 'echo $$ > stray; exec sleep 1000' & while [ ! -s stray ]; do sleep 0.02; done; exit 0"},
		"it was killed":                  {script: "exec sleep 1000", end: (*fixture).cancelForced},
		"it was asked to leave":          {script: "exec sleep 1000", end: (*fixture).cancelGracefully},
		"its payload was stopped": {script: "exec sleep 1000", end: func(b *fixture, s *fork.System, job adaptor.Handle) {
			b.TellToStop(job.Key.Pilot)
		}},
		"somebody else wrote the exit mark":       {script: `echo '{}' > .flightlog/1.exit; exit 0`},
		"somebody was about to signal":            {script: `touch .flightlog/1.stop; exit 0`},
		"no payload could be started":             {script: "-"},
		"no exit mark could be written, and more": {script: "rm -r .flightlog; exit 0"},
	} {
		t.Run(name, func(t *testing.T) {
			n++
			uid := "odd" + strconv.Itoa(n)
			t.Parallel()
			b := newFixture(t)
			s := b.openWithoutSpares()
			spec := b.spec(uid, 1, c.script)
			if c.script == "-" {
				spec.Description.Executable = "no-such-thing"
			}
			job := b.submit(s, spec)
			if c.end != nil {
				b.waitUntil("the payload", func() bool { return b.runCount(uid) == 1 })
				c.end(b, s, job)
			}
			if key := <-s.JobEnds(); key != spec.Key {
				t.Fatalf("told of %+v", key)
			}
			if pid, err := os.ReadFile(filepath.Join(job.Sandbox, "stray")); err == nil {
				stray, _ := strconv.Atoi(strings.TrimSpace(string(pid)))
				t.Cleanup(func() { _ = syscall.Kill(stray, syscall.SIGKILL) })
			}
			next := b.runToEnd(s, b.spec("next", 1, "exit 0"))
			if strings.Count(next.Job.ID, ".") != 2 || !strings.HasSuffix(next.Job.ID, ".1") {
				t.Errorf("the next is %s, after %s, which ended %+v", next.Job.ID, job.Job.ID, b.awaitEnd(s, job))
			}
		})
	}
}

func (b *fixture) cancelForced(s *fork.System, job adaptor.Handle) {
	b.Helper()
	if err := s.Cancel(b.Context(), job, adaptor.Stop{Force: true}); err != nil {
		b.Fatal(err)
	}
}

func (b *fixture) cancelGracefully(_ *fork.System, job adaptor.Handle) {
	b.Helper()
	if err := syscall.Kill(b.awaitAgent(job).PID, syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
}

func TestCancelOfAnEndedPilotDoesNotTouchTheNext(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.openWithoutSpares()
	first := b.runToEnd(s, b.spec("first", 1, "exit 0"))
	second := b.submit(s, b.spec("second", 1, "while [ ! -e go ]; do sleep 0.02; done"))
	b.waitUntil("the payload", func() bool { return b.runCount("second") == 1 })
	if b.awaitAgent(first) != b.awaitAgent(second) {
		t.Fatal("another process")
	}
	b.TellToStop("second") // whoever is signalled asks, and would be told to stop
	for name, other := range map[string]*fork.System{"its own system": s, "another one": b.open()} {
		for _, force := range []bool{false, true} {
			if err := other.Cancel(t.Context(), first, adaptor.Stop{Force: force}); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.poll(other, first); got.Phase != adaptor.Ended || got.Outcome.Kind != api.OutcomeDone {
			t.Errorf("%s: the first is %+v", name, got)
		}
		if got := b.poll(other, second); got.Phase != adaptor.Running {
			t.Fatalf("%s: the second is %+v", name, got)
		}
	}
	// Though all that is known of the first is its name.
	if err := os.RemoveAll(first.Sandbox); err != nil {
		t.Fatal(err)
	}
	for _, force := range []bool{false, true} {
		if err := s.Cancel(t.Context(), first, adaptor.Stop{Force: force}); err != nil {
			t.Fatal(err)
		}
	}
	b.WithdrawStop("second") // the next beat may come
	if err := os.WriteFile(filepath.Join(second.Sandbox, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := b.awaitEnd(s, second); out.Kind != api.OutcomeDone {
		t.Fatalf("%+v", out)
	}
}

func TestAReusedAgentsDeathHurtsItsPilotOnly(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.openWithoutSpares()
	before := b.runToEnd(s, b.spec("before", 1, "exit 0"))
	present := b.submit(s, b.spec("present", 1, "exec sleep 1000"))
	b.waitUntil("the payload", func() bool { return b.runCount("present") == 1 })
	if err := proc.Kill(b.awaitAgent(present)); err != nil {
		t.Fatal(err)
	}
	if key := <-s.JobEnds(); key != present.Key {
		t.Fatalf("told of %+v", key)
	}
	if out := b.awaitEnd(s, present); out.Code != pilot.AgentLost {
		t.Errorf("%+v", out)
	}
	after := b.runToEnd(s, b.spec("after", 1, "exit 0"))
	for _, job := range []adaptor.Handle{before, after} {
		if out := b.awaitEnd(s, job); out.Kind != api.OutcomeDone {
			t.Errorf("%s: %+v", job.Key.Pilot, out)
		}
	}
}

func TestAKilledLaunchersReusedAgentsFinishAndLeave(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	earlier, last := b.spec("earlier", 1, "exit 0"), b.spec("last", 1, "while [ ! -e go ]; do sleep 0.02; done; exit 7")
	b.dyingLauncher(earlier, last)
	one, two := b.find(earlier), b.find(last)
	process := b.awaitAgent(two)
	if b.awaitAgent(one) != process {
		t.Fatal("another process")
	}
	s := b.open()
	if got := b.poll(s, one); got.Phase != adaptor.Ended || got.Outcome.Kind != api.OutcomeDone {
		t.Errorf("the earlier one is %+v", got)
	}
	if err := s.Cancel(t.Context(), one, adaptor.Stop{Force: true}); err != nil {
		t.Fatal(err)
	}
	if got := b.poll(s, two); got.Phase != adaptor.Running {
		t.Fatalf("the last one is %+v", got)
	}
	if err := os.WriteFile(filepath.Join(two.Sandbox, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if key := <-s.JobEnds(); key != last.Key {
		t.Fatalf("told of %+v", key)
	}
	if out := b.awaitEnd(s, two); out.ExitCode == nil || *out.ExitCode != 7 {
		t.Errorf("%+v", out)
	}
	b.checkAllDead([]proc.Identity{process})
	log, _ := os.ReadFile(filepath.Join(b.root, "agents.log"))
	if bytes.Contains(log, []byte("panic")) {
		t.Errorf("%s", log)
	}
}
