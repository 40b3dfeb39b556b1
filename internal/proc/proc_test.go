package proc_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/flightlog/flightlog/internal/proc"
)

// startScript runs a shell script in a session of its own and gives its first line.
func startScript(t *testing.T, script string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

func mustIdentity(t *testing.T, pid int) proc.Identity {
	t.Helper()
	id, err := proc.IdentityOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestOpenMeansOneProcessOnly(t *testing.T) {
	t.Parallel()
	cmd, _ := startScript(t, "echo; exec sleep 100")
	id := mustIdentity(t, cmd.Process.Pid)
	p, err := proc.Open(id)
	if err != nil || !p.Alive() {
		t.Fatalf("a living process: %v", err)
	}
	defer p.Close()
	for name, other := range map[string]proc.Identity{
		"reused pid":   {PID: id.PID, Start: id.Start + 1, Boot: id.Boot},
		"earlier boot": {PID: id.PID, Start: id.Start, Boot: "another"},
		"no pid":       {Start: id.Start, Boot: id.Boot},
		"unused pid":   {PID: 1 << 22, Start: id.Start, Boot: id.Boot},
	} {
		if q, err := proc.Open(other); !errors.Is(err, proc.ErrGone) {
			t.Errorf("%s: %+v %v", name, q, err)
		}
	}
}

func TestZombiesAreNotAlive(t *testing.T) {
	t.Parallel()
	cmd, _ := startScript(t, "echo; exec sleep 100")
	id := mustIdentity(t, cmd.Process.Pid)
	p, err := proc.Open(id)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for p.Alive() { // nobody waits for it: it stays a zombie
		continue
	}
	if stat, err := proc.ReadStat(id.PID); err != nil || !stat.HasEnded() {
		t.Fatalf("%+v %v", stat, err)
	}
	if _, err := proc.Open(id); !errors.Is(err, proc.ErrGone) {
		t.Fatalf("opened a zombie: %v", err)
	}
	if err := p.Wait(t.Context()); err != nil { // reaps it
		t.Fatal(err)
	}
	if _, err := proc.ReadStat(id.PID); !errors.Is(err, proc.ErrGone) {
		t.Fatalf("still there: %v", err)
	}
}

func TestWaitEndsWithItsContextAndWithClose(t *testing.T) {
	t.Parallel()
	cmd, _ := startScript(t, "echo; exec sleep 100")
	p, err := proc.Open(mustIdentity(t, cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	p.Close()
	if err := p.Wait(t.Context()); err == nil {
		t.Fatal("waited for a closed process")
	}
	if err := p.Signal(syscall.SIGTERM); err == nil {
		t.Fatal("signaled a closed process")
	}
}

func TestLeftoversAreFound(t *testing.T) {
	t.Parallel()
	tag := "leftovers-" + strconv.Itoa(os.Getpid())
	// One stays in the session, one leaves it; a stranger has neither.
	cmd, pids := startScript(t, `sleep 100 & a=$!; PROC_TAG=`+tag+` setsid sleep 100 & sleep 0.2; echo $a $!; wait`)
	id := mustIdentity(t, cmd.Process.Pid)
	stranger, _ := startScript(t, "echo; exec sleep 100")
	var left []int
	for _, found := range proc.FindLeftBehind(proc.ScanProcesses("PROC_TAG"), id, tag) {
		left = append(left, found.PID)
	}
	for field := range strings.FieldsSeq(pids) {
		pid, _ := strconv.Atoi(field)
		if !slices.Contains(left, pid) {
			t.Errorf("%d of %q is not in %v", pid, pids, left)
		}
		defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	}
	if slices.Contains(left, stranger.Process.Pid) || slices.Contains(left, id.PID) || len(left) != 2 {
		t.Errorf("too many: %v of %d", left, id.PID)
	}
	id.Start++ // the pid is another's now: nobody of its session is ours
	if left := proc.FindLeftBehind(proc.ScanProcesses("PROC_TAG"), id, ""); len(left) != 0 {
		t.Errorf("strangers: %v", left)
	}
}

func TestDescendants(t *testing.T) {
	t.Parallel()
	cmd, inner := startScript(t, `sh -c 'sleep 100 & echo $!; wait' & wait`)
	all := proc.DescendantsOf(cmd.Process.Pid)
	if pid, _ := strconv.Atoi(inner); len(all) != 2 || all[1] != pid {
		t.Fatalf("%v, the innermost is %s", all, inner)
	}
}
