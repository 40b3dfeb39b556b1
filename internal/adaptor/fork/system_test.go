package fork_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/fork"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

func classOf(err error) adaptor.Class {
	if e, ok := errors.AsType[*adaptor.Error](err); ok {
		return e.Class
	}
	return ""
}

// TestSandboxesThatCannotBe: what can never be says so, and what may be mended is tried again.
func TestSandboxesThatCannotBe(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	file := filepath.Join(b.root, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]struct {
		class adaptor.Class
		word  string
	}{
		"relative":               {adaptor.Impossible, "not an absolute path"},
		b.root + "/not/there":    {adaptor.NotSent, "does not exist"},
		file:                     {adaptor.NotSent, "not a directory"},
		"$HOME":                  {adaptor.Impossible, "not an absolute path"},
		b.root + "/$NATS_SECRET": {adaptor.NotSent, "$NATS_SECRET\" does not exist"},
	} {
		spec := b.spec("p", 1, "exit 0")
		spec.Description.Sandbox = dir
		_, err := s.Submit(t.Context(), spec)
		if classOf(err) != want.class || !strings.Contains(err.Error(), want.word) {
			t.Errorf("%s: %v, want class %s", dir, err, want.class)
		}
	}
	for _, uid := range []string{"", "..", "a/b", ".flightlog", strings.Repeat("x", 65)} {
		if _, err := s.Submit(t.Context(), b.spec(uid, 1, "exit 0")); classOf(err) != adaptor.Impossible {
			t.Errorf("uid %q: %v", uid, err)
		}
	}
	if b.runCount("p") != 0 {
		t.Error("something ran")
	}
}

func TestSandboxesLeadThroughNoLink(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	outside := t.TempDir()
	if err := os.MkdirAll(filepath.Join(b.root, b.manager), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(b.root, b.manager, "p")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(t.Context(), b.spec("p", 1, "exit 0")); classOf(err) != adaptor.NotSent {
		t.Errorf("through a link: %v", err)
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("something was made outside: %v", left)
	}
}

func TestSandboxesElsewhereAreFound(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	base := t.TempDir()
	asked := b.spec("asked", 1, "pwd")
	asked.Description.Sandbox = base
	configured := b.spec("configured", 1, "pwd")
	configured.Config.DefaultRemoteWorkdir = base + "/made/here"
	for dir, spec := range map[string]*adaptor.Spec{base: asked, base + "/made/here": configured} {
		job := b.submit(s, spec)
		if want := filepath.Join(dir, b.manager, spec.Key.Pilot); job.Sandbox != want {
			t.Errorf("%s, want %s", job.Sandbox, want)
		}
		if out := b.awaitEnd(s, job); out.Stdout != job.Sandbox+"\n" {
			t.Errorf("it ran in %q", out.Stdout)
		}
		if found := b.find(spec); found.Sandbox != job.Sandbox || found.Job.ID != job.Job.ID {
			t.Errorf("found %+v, was %+v", found, job)
		}
		if info, err := os.Stat(job.Sandbox); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v %v", info, err)
		}
	}
}

func TestTheSecretIsNowhere(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	spec := b.spec("p", 1, "env; exec sleep 1000")
	spec.Secret = "c0rrect-h0rse"
	job := b.submit(s, spec)
	b.waitUntil("the payload", func() bool { return b.runCount("p") == 1 })
	started, err := sandbox.MarksOf(job.Sandbox, 1).ReadStarted()
	if err != nil {
		t.Fatal(err)
	}
	places := []string{filepath.Join(b.root, "agents.log")}
	for _, pid := range append(proc.DescendantsOf(started.PID), started.PID) {
		places = append(places, "/proc/"+strconv.Itoa(pid)+"/environ", "/proc/"+strconv.Itoa(pid)+"/cmdline")
	}
	_ = filepath.WalkDir(b.root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			places = append(places, path)
		}
		return nil
	})
	for _, place := range places {
		if text, _ := os.ReadFile(place); bytes.Contains(text, []byte(spec.Secret)) {
			t.Errorf("%s holds it", place)
		}
	}
	if b.LastSecret("p") != spec.Secret {
		t.Errorf("the agent has %q", b.LastSecret("p"))
	}
	_ = s.Cancel(t.Context(), job, adaptor.Stop{Force: true})
}

func TestAPipeInPlaceOfAMarkBlocksNobody(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	job := b.submit(s, b.spec("p", 1, `mkfifo "$PILOT_SANDBOX/.flightlog/1.exit"; exec sleep 1000`))
	b.waitUntil("the pipe", func() bool {
		_, err := os.Lstat(sandbox.MarksOf(job.Sandbox, 1).Path("exit"))
		return err == nil
	})
	if st := b.poll(s, job); st.Phase != adaptor.Running {
		t.Errorf("while it runs it is %+v", st)
	}
	if err := s.Cancel(t.Context(), job, adaptor.Stop{Force: true}); err != nil {
		t.Fatal(err)
	}
	if out := b.awaitEnd(s, job); out.Code != pilot.AgentLost {
		t.Errorf("%+v", out)
	}
}

func TestLargeAssignmentsPassThePipe(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	spec := b.spec("p", 1, `printf %s "$BIG" | wc -c`)
	spec.Description.Environment["BIG"] = strings.Repeat("\x01", 100<<10)
	if out := b.awaitEnd(s, b.submit(s, spec)); strings.TrimSpace(out.Stdout) != strconv.Itoa(100<<10) {
		t.Fatalf("%+v", out)
	}
}

func TestAgentsThatCannotStart(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	config := b.config()
	config.Agent = []string{b.root + "/no-agent"}
	if _, err := fork.New(config); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("no agent: %v", err)
	}
	config.Agent, config.Spare = []string{"/bin/false"}, -1
	s, err := fork.New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	spec := b.spec("p", 1, "exit 0")
	placed, err := s.Submit(t.Context(), spec)
	if err == nil { // it took the bytes and died: that is for Find and Poll to see
		if _, ok, err := s.Find(t.Context(), spec); ok || err != nil {
			t.Errorf("found an agent that never began: %v %v", ok, err)
		}
		h := adaptor.Handle{Key: spec.Key, Attempt: 1, Job: placed.Job, Sandbox: placed.Sandbox}
		if out := b.awaitEnd(s, h); out.Code != pilot.AgentLost {
			t.Errorf("%+v", out)
		}
	} else if classOf(err) != adaptor.NotSent {
		t.Error(err)
	}
}

// TestAnAgentThatIsAwayForAMoment: as it is while another version is being installed.
func TestAnAgentThatIsAwayForAMoment(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	config := b.config()
	config.Agent, config.Spare = []string{filepath.Join(b.root, "agent")}, -1
	if err := os.WriteFile(config.Agent[0], []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := fork.New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	away := config.Agent[0] + ".away"
	if err := os.Rename(config.Agent[0], away); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(t.Context(), b.spec("p", 1, "exit 0")); classOf(err) != adaptor.NotSent || !strings.Contains(err.Error(), config.Agent[0]) {
		t.Fatal(err)
	}
}

func TestCloseLetsWarmAgentsGoAndJobsRun(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s, err := fork.New(b.config())
	if err != nil {
		t.Fatal(err)
	}
	job := b.submit(s, b.spec("p", 1, "exec sleep 1000"))
	b.waitUntil("the payload", func() bool { return b.runCount("p") == 1 })
	started, err := sandbox.MarksOf(job.Sandbox, 1).ReadStarted()
	if err != nil {
		t.Fatal(err)
	}
	agents := func() int { // whose stderr is this root's
		n := 0
		for _, child := range proc.LiveIdentities(proc.ChildrenOf(os.Getpid())) {
			if target, _ := os.Readlink("/proc/" + strconv.Itoa(child.PID) + "/fd/2"); target == filepath.Join(b.root, "agents.log") {
				n++
			}
		}
		return n
	}
	b.waitUntil("two warm agents", func() bool { return agents() == 3 })
	s.Close()
	b.waitUntil("their end", func() bool { return agents() == 1 })
	if err := syscall.Kill(started.PID, 0); err != nil {
		t.Fatalf("the job ended with its system: %v", err)
	}
	_ = b.open().Cancel(t.Context(), job, adaptor.Stop{Force: true})
}

func TestCleanup(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	kept := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	job := b.submit(s, b.spec("p", 1, "mkdir -p a/b; ln -s "+filepath.Dir(kept)+" a/link; while [ ! -e go ]; do sleep 0.02; done"))
	if err := s.RemoveSandbox(t.Context(), job); pilot.CodeOf(err) != pilot.Conflict {
		t.Fatalf("of a running job: %v", err)
	}
	if err := os.WriteFile(filepath.Join(job.Sandbox, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.awaitEnd(s, job)
	forged := job
	forged.Sandbox = filepath.Dir(kept)
	if err := s.RemoveSandbox(t.Context(), forged); pilot.CodeOf(err) != pilot.Invalid {
		t.Fatalf("of somebody's directory: %v", err)
	}
	for range 2 {
		if err := s.RemoveSandbox(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Dir(job.Sandbox)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something stayed: %v", err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
}

// The agents here are sleeps: what is measured is this side.
func TestJobsHoldNoThreads(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	config := b.config()
	config.Agent = []string{"/bin/sh", "-c", "echo idle; read -r assignment; test -n \"$assignment\" && exec sleep 1000"}
	s, err := fork.New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const jobs = 500
	for i := range jobs {
		job := b.submit(s, b.spec("p"+strconv.Itoa(i), 1, ""))
		if got := b.poll(s, job); got.Phase != adaptor.Running {
			t.Fatalf("%+v", got)
		}
		defer func() { _ = s.Cancel(t.Context(), job, adaptor.Stop{}) }()
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	if len(threads) > jobs/4 {
		t.Fatalf("%d threads for %d jobs", len(threads), jobs)
	}
	t.Logf("%d threads for %d jobs", len(threads), jobs)
}
