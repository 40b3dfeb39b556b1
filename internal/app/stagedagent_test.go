package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

// newStagedAgent is an agent of this machine, whose home is a directory of its own.
func newStagedAgent(t *testing.T) (a *stagedAgent, home string) {
	t.Helper()
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	program := filepath.Join(home, "prefix", "agent")
	if err := os.Mkdir(filepath.Dir(program), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return &stagedAgent{runner: runner.NewLocal(), argv: []string{program, "agent"}, label: "lab.host", removedAt: map[string]time.Time{}}, home
}

// TestAgentsAreKeptByContent: what jobs name does not go away with what the launcher was
// installed as, and is another file for another version.
func TestAgentsAreKeptByContent(t *testing.T) {
	a, home := newStagedAgent(t)
	first, _, err := a.stageCommand(t.Context(), "")
	want := regexp.MustCompile("^" + regexp.QuoteMeta(home) + "/.cache/flightlog/agents/agent-[0-9a-f]{32}$")
	if err != nil || len(first) != 2 || !want.MatchString(first[0]) || first[1] != "agent" {
		t.Fatalf("got %q, %v; want %s agent", first, err, want)
	}
	if again, _, err := a.stageCommand(t.Context(), ""); err != nil || again[0] != first[0] {
		t.Errorf("the second job has %q, %v", again, err)
	}
	if err := os.WriteFile(a.argv[0]+".new", []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	if err := os.Rename(a.argv[0]+".new", a.argv[0]); err != nil {
		t.Fatal(err)
	}
	second, _, err := a.stageCommand(t.Context(), "")
	if err != nil || second[0] == first[0] {
		t.Errorf("another version has %q, %v", second, err)
	}
	if err := os.RemoveAll(filepath.Dir(a.argv[0])); err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{first, second} {
		if info, err := os.Stat(argv[0]); err != nil || info.Mode() != 0o700 {
			t.Errorf("%s: %v, %v", argv[0], info, err)
		}
	}
}

// TestWhereAgentsAreKept: what the resource says comes before what the launcher does.
func TestWhereAgentsAreKept(t *testing.T) {
	a, home := newStagedAgent(t)
	for _, c := range []struct{ launcher, resource, want string }{
		{"", "", ".cache/flightlog"}, {"$HOME/l", "", "l"}, {"~/l", "", "l"}, {home + "/l", "$HOME/r", "r"}, {"", "$HOME/r", "r"},
	} {
		a.dir = c.launcher
		argv, _, err := a.stageCommand(t.Context(), c.resource)
		if err != nil || filepath.Dir(argv[0]) != filepath.Join(home, c.want, "agents") {
			t.Errorf("launcher %q, resource %q: %q, %v", c.launcher, c.resource, argv, err)
		}
	}
	for _, dir := range []string{"agents", "./x", " /x", "-", "\x00"} {
		if err := CheckAgentDir(dir); pilot.CodeOf(err) != pilot.Invalid || !strings.Contains(err.Error(), "must begin with /, ~ or $NAME") {
			t.Errorf("%q: %v", dir, err)
		}
		if _, _, err := a.stageCommand(t.Context(), dir); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%q of a resource: %v", dir, err)
		}
	}
}

// TestPlacesThatDoNotDo are named with what is wrong and what to do; of what else is wrong
// no place is blamed.
func TestPlacesThatDoNotDo(t *testing.T) {
	a, home := newStagedAgent(t)
	file, open := filepath.Join(home, "file"), filepath.Join(home, "open")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(open, "agents"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(open, "agents"), 0o770); err != nil { //nolint:gosec // on purpose
		t.Fatal(err)
	}
	for dir, says := range map[string]string{
		file + "/x": "not a directory", "$FLIGHTLOG_NOT_SET/x": "not set", "/proc/flightlog": "", open: "chmod go-w " + open + "/agents",
	} {
		_, _, err := a.stageCommand(t.Context(), dir)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "agents cannot be kept in ") ||
			!strings.Contains(err.Error(), "; --agent-dir of the launcher, or agent_dir of the resource, names another directory") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if err := os.Remove(a.argv[0]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.stageCommand(t.Context(), ""); err == nil || strings.Contains(err.Error(), "agent-dir") || !strings.Contains(err.Error(), a.argv[0]) {
		t.Errorf("without a binary: %v", err)
	}
}

// TestAgentsAreKeptAsLongAsAJobMayNeedThem: what no submit and no waiting job has named for
// 90 days is removed, but not by a launcher that has only just begun.
func TestAgentsAreKeptAsLongAsAJobMayNeedThem(t *testing.T) {
	a, home := newStagedAgent(t)
	now := time.Now()
	a.dir, a.begun = filepath.Join(home, "a dir"), now
	mine, _, err := a.stageCommand(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	dir, hash := filepath.Dir(mine[0]), strings.Repeat("0", 32)
	put := func(name string, age time.Duration) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const day = 24 * time.Hour
	old, waited := put("agent-"+hash, 92*day), put("flightlog-"+hash, 92*day)
	torn, young, other := put(".tmpXYZ", 92*day), put("agent-1"+hash[1:], 89*day), put("notes", 92*day)
	if err := os.Chtimes(mine[0], now.Add(-92*day), now.Add(-92*day)); err != nil {
		t.Fatal(err)
	}
	stands := func(want bool, paths ...string) {
		t.Helper()
		for _, path := range paths {
			if _, err := os.Stat(path); (err == nil) != want {
				t.Errorf("%s: there %v, want %v", path, err == nil, want)
			}
		}
	}
	submit := func() {
		t.Helper()
		if _, _, err := a.stageCommand(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	submit()
	stands(true, old, waited, torn, young, other, mine[0])
	key := pilot.Key{Resource: "lab.host", Manager: "m", Pilot: "p"}
	script, err := render.Render(nil, &render.Spec{
		Key: key, Attempt: 1, Token: key.Token(1, now), System: "slurm", Agent: []string{waited, "agent"}, Sandbox: "/s/m/p",
		Description: pilot.Description{Runtime: pilot.Runtime(time.Hour), Cores: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.touchAgents(t.Context(), [][]byte{nil, []byte(script.Text), []byte("/opt/agents/agent <&3")}); err != nil {
		t.Fatal(err)
	}
	a.begun = now.Add(-2 * time.Hour)
	submit()
	stands(true, waited, young, other, mine[0])
	stands(false, old, torn)
	again := put("agent-"+hash, 92*day)
	submit()
	stands(true, again)
}

func FuzzScriptsNameAgents(f *testing.F) {
	f.Add("/home/ann/.cache/flightlog/agents/agent-0123456789abcdef0123456789abcdef <&3 3<&- >/dev/null &")
	f.Add("'/a b/agents/agent-0123456789abcdef0123456789abcdef' agent <&3 3<&- >/dev/null &")
	f.Fuzz(func(t *testing.T, text string) {
		for _, path := range agentsIn([]byte(text)) {
			if !filepath.IsAbs(path) || strings.ContainsAny(path, "\n'") || filepath.Base(filepath.Dir(path)) != "agents" {
				t.Errorf("%q names %q", text, path)
			}
		}
	})
}
