package e2e_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// batchFixture is a house whose launcher drives a real batch system through wrappers
// that count the commands, and do to them what a fault says.
type batchFixture struct {
	*fixture
	launcher *process
	as       *syscall.Credential // whom the launcher runs as
	resource string
	schema   string
	m        *client.Manager

	launcherEnv []string
	prefix      string // where the launcher and its agent are installed; empty: bin
}

// commandWrapper stands before a command of a batch system. What the file named fault.<command>
// holds is done once: it is taken away first. die kills the launcher.
const commandWrapper = `#!/bin/bash
dir=%[1]q; command=%[2]q; real=%[3]q
echo "$(date +%%s.%%N) $command $*" >>"$dir/calls"
die() { kill -KILL "$PPID"; exit 1; }
mv "$dir/fault.$command" "$dir/taken.$$" 2>/dev/null || exec "$real" "$@"
case $(cat "$dir/taken.$$") in
die-before) die ;;
die-after) "$real" "$@" >"$dir/answer.$$"; die ;;
hang-after) "$real" "$@" >"$dir/answer.$$"; exec sleep 1000 ;;
fail-after) "$real" "$@" >"$dir/answer.$$"; echo "$command: error: Batch job submission failed: Socket timed out on send/recv operation" >&2; exit 1 ;;
garbage) "$real" "$@" >"$dir/answer.$$"; echo 'Welcome to Stampede3'; exit 0 ;;
rename-after) "$real" "$@" >"$dir/answer.$$"; "$dir/rename" "$(cat "$dir/answer.$$")"; echo "Socket timed out on send/recv operation" >&2; exit 1 ;;
rename-die) "$real" "$@" >"$dir/answer.$$"; "$dir/rename" "$(cat "$dir/answer.$$")"; die ;;
silent) "$real" "$@" >"$dir/answer.$$"; exit 0 ;;
empty) exit 0 ;;
esac
`

// jobUser is whom jobs run as, if the tests run as root: a user of the test systems
// with an empty home.
func jobUser(t *testing.T) (*syscall.Credential, string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil, os.Getenv("HOME")
	}
	u, err := user.Lookup("labuser")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, u.HomeDir
}

// newBatchFixture starts server, manager and a launcher of a batch system that the
// variable names; the test is skipped where there is none.
func newBatchFixture(t *testing.T, variable, resource, schema string, commands ...string) *batchFixture {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skipf("%s is not set: no such batch system here (make slurm-up, sge-up, sshd-up)", variable)
	}
	h := &batchFixture{fixture: newFixture(t), resource: resource, schema: schema}
	var home string
	h.as, home = jobUser(t)
	wrappers := filepath.Join(h.dir, "wrappers")
	for _, dir := range []string{wrappers, h.sandboxes(), h.markDir()} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range commands {
		path, err := exec.LookPath(command)
		if err != nil {
			t.Fatal(err)
		}
		h.writeFile(filepath.Join("wrappers", command), fmt.Sprintf(commandWrapper, h.dir, command, path))
	}
	if h.as != nil {
		if err := os.Chmod(filepath.Dir(h.dir), 0o755); err != nil { // of the testing package
			t.Fatal(err)
		}
		for _, dir := range []string{h.dir, h.sandboxes(), h.markDir()} {
			if err := os.Chown(dir, int(h.as.Uid), int(h.as.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.launcherEnv = []string{"PATH=" + wrappers + ":" + os.Getenv("PATH"), "HOME=" + home}
	h.startServer()
	h.startProcess("manager")
	h.m = h.createManager(h.connectClient())
	return h
}

func (h *batchFixture) sandboxes() string { return filepath.Join(h.dir, "sandboxes") }

// keptDir is where agents are kept for jobs.
func (h *batchFixture) keptDir() string { return filepath.Join(h.dir, "kept") }

// markDir is where payloads leave their marks.
func (h *batchFixture) markDir() string { return filepath.Join(h.dir, "ran") }

func (h *batchFixture) writeFile(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

// startLauncher starts the launcher; it is the same one again after a kill.
func (h *batchFixture) startLauncher() {
	h.t.Helper()
	h.launcher = &process{
		fixture: h.fixture, name: filepath.Join(cmp.Or(h.prefix, binDir), "flightlog-launcher"),
		args: []string{"--resource", h.resource, "--spare", "-1", "--agent-dir", h.keptDir()},
		env:  h.launcherEnv, as: h.as,
	}
	h.launcher.start()
}

// injectFault has the next call of a command go wrong.
func (h *batchFixture) injectFault(command, what string) { h.writeFile("fault."+command, what) }

// awaitSlowly waits for what makes no noise, two minutes at most.
func (h *batchFixture) awaitSlowly(what string, so func() bool) {
	h.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !so(); time.Sleep(20 * time.Millisecond) { // between looks
		if time.Now().After(end) {
			h.t.Fatalf("%s: not in two minutes", what)
		}
	}
}

// awaitFaultTaken waits until a fault has begun.
func (h *batchFixture) awaitFaultTaken(command string) {
	h.t.Helper()
	h.awaitSlowly("a call of "+command, func() bool {
		_, err := os.Stat(filepath.Join(h.dir, "fault."+command))
		return err != nil
	})
}

// countCalls counts the calls of a command since the beginning.
func (h *batchFixture) countCalls(command string) int {
	h.t.Helper()
	b, _ := os.ReadFile(filepath.Join(h.dir, "calls")) // none: no call yet
	return strings.Count(string(b), " "+command+" ")
}

// describeJob describes a pilot of the batch system whose payload marks that it ran.
func (h *batchFixture) describeJob(script string) pilot.Description {
	return pilot.Description{
		Resource: h.resource, AccessSchema: h.schema, Runtime: pilot.Runtime(10 * time.Minute), Cores: 1, Sandbox: h.sandboxes(),
		Executable: "sh", Arguments: []string{"-c", `mktemp "` + h.markDir() + `/$PILOT_UID.XXXXXX" >/dev/null; ` + script},
	}
}

// countRuns is how often a pilot's payload began.
func (h *batchFixture) countRuns(p *client.Pilot) int {
	h.t.Helper()
	marks, err := filepath.Glob(filepath.Join(h.markDir(), p.UID()+".*"))
	if err != nil {
		h.t.Fatal(err)
	}
	return len(marks)
}

// nativeID is the id of a pilot's job, once it has one.
func (h *batchFixture) nativeID(p *client.Pilot) string {
	h.t.Helper()
	awaitState(h.t, p, pilot.PendingActive)
	got, err := p.Get(h.t.Context())
	if err != nil || got.Job == nil {
		h.t.Fatalf("%s has no job: %v", p.UID(), err)
	}
	return got.Job.ID
}

// expectEnd waits for a pilot's end, and sees that it is that one.
func (h *batchFixture) expectEnd(p *client.Pilot, state pilot.State, code pilot.CauseCode) {
	h.t.Helper()
	if got := h.expectState(p, state); got.Cause == nil || got.Cause.Code != code {
		h.t.Errorf("%s is %s, %+v; want %s; %s", p.UID(), got.State, got.Cause, code, h.historyText(p))
	}
}

// expectState does so whatever the cause.
func (h *batchFixture) expectState(p *client.Pilot, state pilot.State) api.Pilot {
	h.t.Helper()
	w, err := p.Wait(h.t.Context(), client.WaitOptions{Timeout: 4 * time.Minute})
	if err != nil || !w.Reached {
		h.t.Errorf("%s does not end: %+v, %v; %s", p.UID(), w, err, h.historyText(p))
	}
	got, err := p.Get(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if got.State != state {
		h.t.Errorf("%s is %s, %+v; want %s; %s", p.UID(), got.State, got.Cause, state, h.historyText(p))
	}
	return got
}

// historyText is what happened to a pilot, for messages.
func (h *batchFixture) historyText(p *client.Pilot) string {
	out, _ := h.runCLI("history", "--manager", h.m.UID(), p.UID())
	return "\n" + out + h.lastLines(filepath.Join(h.dir, "flightlog-launcher.log"))
}

// runAsJobUser runs a command of the batch system as the jobs' user, not through the
// wrappers.
func (h *batchFixture) runAsJobUser(name string, args ...string) string {
	h.t.Helper()
	return h.runAsCredential(h.as, name, args...)
}

func (h *batchFixture) runAsCredential(as *syscall.Credential, name string, args ...string) string {
	h.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}
