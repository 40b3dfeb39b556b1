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

// batchHouse is a house whose launcher drives a real batch system through wrappers
// that count the commands, and do to them what a fault says.
type batchHouse struct {
	*house
	launcher *process
	as       *syscall.Credential // whom the launcher runs as
	resource string
	schema   string
	m        *client.Manager

	launcherEnv []string
	prefix      string // where the launcher and its agent are installed; empty: bin
}

// wrapper stands before a command of a batch system. What the file named fault.<command>
// holds is done once: it is taken away first. die kills the launcher.
const wrapper = `#!/bin/bash
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

// labuser is whom jobs run as, if the tests run as root: a user of the test systems
// with an empty home.
func labuser(t *testing.T) (*syscall.Credential, string) {
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

// newBatchHouse starts server, manager and a launcher of a batch system that the
// variable names; the test is skipped where there is none.
func newBatchHouse(t *testing.T, variable, resource, schema string, commands ...string) *batchHouse {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skipf("%s is not set: no such batch system here (make slurm-up, sge-up, sshd-up)", variable)
	}
	h := &batchHouse{house: newHouse(t), resource: resource, schema: schema}
	var home string
	h.as, home = labuser(t)
	wrappers := filepath.Join(h.dir, "wrappers")
	for _, dir := range []string{wrappers, h.sandboxes(), h.ran()} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range commands {
		path, err := exec.LookPath(command)
		if err != nil {
			t.Fatal(err)
		}
		h.write(filepath.Join("wrappers", command), fmt.Sprintf(wrapper, h.dir, command, path))
	}
	if h.as != nil {
		if err := os.Chmod(filepath.Dir(h.dir), 0o755); err != nil { // of the testing package
			t.Fatal(err)
		}
		for _, dir := range []string{h.dir, h.sandboxes(), h.ran()} {
			if err := os.Chown(dir, int(h.as.Uid), int(h.as.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.launcherEnv = []string{"PATH=" + wrappers + ":" + os.Getenv("PATH"), "HOME=" + home}
	h.server()
	h.process("manager")
	h.m = h.manager(h.client())
	return h
}

func (h *batchHouse) sandboxes() string { return filepath.Join(h.dir, "sandboxes") }

// kept is where agents are kept for jobs.
func (h *batchHouse) kept() string { return filepath.Join(h.dir, "kept") }

// ran is where payloads leave their marks.
func (h *batchHouse) ran() string { return filepath.Join(h.dir, "ran") }

func (h *batchHouse) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

// launch starts the launcher; it is the same one again after a kill.
func (h *batchHouse) launch() {
	h.t.Helper()
	h.launcher = &process{
		h: h.house, name: filepath.Join(cmp.Or(h.prefix, bin), "flightlog-launcher"),
		args: []string{"--resource", h.resource, "--spare", "-1", "--agent-dir", h.kept()},
		env:  h.launcherEnv, as: h.as,
	}
	h.launcher.start()
}

// fault has the next call of a command go wrong.
func (h *batchHouse) fault(command, what string) { h.write("fault."+command, what) }

// until waits for what makes no noise, two minutes at most.
func (h *batchHouse) until(what string, so func() bool) {
	h.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !so(); time.Sleep(20 * time.Millisecond) { // between looks
		if time.Now().After(end) {
			h.t.Fatalf("%s: not in two minutes", what)
		}
	}
}

// taken waits until a fault has begun.
func (h *batchHouse) taken(command string) {
	h.t.Helper()
	h.until("a call of "+command, func() bool {
		_, err := os.Stat(filepath.Join(h.dir, "fault."+command))
		return err != nil
	})
}

// calls counts the calls of a command since the beginning.
func (h *batchHouse) calls(command string) int {
	h.t.Helper()
	b, _ := os.ReadFile(filepath.Join(h.dir, "calls")) // none: no call yet
	return strings.Count(string(b), " "+command+" ")
}

// job describes a pilot of the batch system whose payload marks that it ran.
func (h *batchHouse) job(script string) pilot.Description {
	return pilot.Description{
		Resource: h.resource, AccessSchema: h.schema, Runtime: pilot.Runtime(10 * time.Minute), Cores: 1, Sandbox: h.sandboxes(),
		Executable: "sh", Arguments: []string{"-c", `mktemp "` + h.ran() + `/$PILOT_UID.XXXXXX" >/dev/null; ` + script},
	}
}

// runs is how often a pilot's payload began.
func (h *batchHouse) runs(p *client.Pilot) int {
	h.t.Helper()
	marks, err := filepath.Glob(filepath.Join(h.ran(), p.UID()+".*"))
	if err != nil {
		h.t.Fatal(err)
	}
	return len(marks)
}

// native is the id of a pilot's job, once it has one.
func (h *batchHouse) native(p *client.Pilot) string {
	h.t.Helper()
	reach(h.t, p, pilot.PendingActive)
	got, err := p.Get(h.t.Context())
	if err != nil || got.Job == nil {
		h.t.Fatalf("%s has no job: %v", p.UID(), err)
	}
	return got.Job.ID
}

// ends waits for a pilot's end, and sees that it is that one.
func (h *batchHouse) ends(p *client.Pilot, state pilot.State, code pilot.CauseCode) {
	h.t.Helper()
	if got := h.endsAs(p, state); got.Cause == nil || got.Cause.Code != code {
		h.t.Errorf("%s is %s, %+v; want %s; %s", p.UID(), got.State, got.Cause, code, h.story(p))
	}
}

// endsAs does so whatever the cause.
func (h *batchHouse) endsAs(p *client.Pilot, state pilot.State) api.Pilot {
	h.t.Helper()
	w, err := p.Wait(h.t.Context(), client.WaitOptions{Timeout: 4 * time.Minute})
	if err != nil || !w.Reached {
		h.t.Errorf("%s does not end: %+v, %v; %s", p.UID(), w, err, h.story(p))
	}
	got, err := p.Get(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if got.State != state {
		h.t.Errorf("%s is %s, %+v; want %s; %s", p.UID(), got.State, got.Cause, state, h.story(p))
	}
	return got
}

// story is what happened to a pilot, for messages.
func (h *batchHouse) story(p *client.Pilot) string {
	out, _ := h.cli("history", "--manager", h.m.UID(), p.UID())
	return "\n" + out + h.tail(filepath.Join(h.dir, "flightlog-launcher.log"))
}

// command runs a command of the batch system as the jobs' user, not through the
// wrappers.
func (h *batchHouse) command(name string, args ...string) string {
	h.t.Helper()
	return h.run(h.as, name, args...)
}

func (h *batchHouse) run(as *syscall.Credential, name string, args ...string) string {
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
