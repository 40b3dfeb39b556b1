package proc

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"syscall"
)

// ChildrenOf are the direct children of a process, zombies too. It reads
// /proc/PID/task/*/children, which kernels without CONFIG_PROC_CHILDREN lack:
// then there are none.
func ChildrenOf(pid int) []int {
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	var all []int
	for _, thread := range listNames(tasks) {
		b, err := os.ReadFile(tasks + "/" + thread + "/children")
		if err != nil {
			continue // that thread ended
		}
		for field := range bytes.FieldsSeq(b) {
			if child, err := strconv.Atoi(string(field)); err == nil {
				all = append(all, child)
			}
		}
	}
	return all
}

// DescendantsOf are the children of a process, and theirs, parents first.
func DescendantsOf(pid int) []int {
	all := ChildrenOf(pid)
	for i := 0; i < len(all); i++ {
		all = append(all, ChildrenOf(all[i])...)
	}
	return all
}

// LiveIdentities names those of the pids that have not ended.
func LiveIdentities(pids []int) []Identity {
	boot, err := Boot()
	if err != nil {
		return nil
	}
	var found []Identity
	for _, pid := range pids {
		if stat, err := ReadStat(pid); err == nil && !stat.HasEnded() {
			found = append(found, Identity{PID: pid, Start: stat.Start, Boot: boot})
		}
	}
	return found
}

// Kill kills one process, or finds that it has ended.
func Kill(id Identity) error {
	p, err := Open(id)
	if err != nil {
		return err
	}
	defer p.Close()
	return p.Signal(syscall.SIGKILL)
}

// Entry is a living process of this user.
type Entry struct {
	PID int
	Stat
	Tag string // value of the variable asked for, in the environment it was started with
}

// environLimit bounds what is read of one process's environment: the kernel's
// own limit on arguments and environment is 6 MiB at the default stack size
// (execve(2)); who looks for a variable should have put it near the front.
const environLimit = 1 << 20

// ScanProcesses reads all of /proc: every living process of this user but this one.
func ScanProcesses(variable string) []Entry {
	var found []Entry
	forEachPID(func(pid int) {
		stat, err := ReadStat(pid)
		if err != nil || stat.HasEnded() {
			return
		}
		found = append(found, Entry{pid, stat, readTag(pid, variable)})
	})
	return found
}

// FindLeftBehind picks what a process left behind: what is in the session it leads or
// led in this boot, and what carries the tag; not the process itself.
func FindLeftBehind(all []Entry, leader Identity, tag string) []Identity {
	boot, err := Boot()
	if err != nil {
		return nil
	}
	if leader.Boot != boot {
		leader.PID = -1
	}
	for _, e := range all {
		if e.PID == leader.PID && e.Start != leader.Start {
			leader.PID = -1 // the pid is another's, so nobody of the old session lives
		}
	}
	var found []Identity
	for _, e := range all {
		inSession := e.Session == leader.PID && e.Start >= leader.Start
		if e.PID != leader.PID && (inSession || tag != "" && e.Tag == tag) {
			found = append(found, Identity{PID: e.PID, Start: e.Start, Boot: boot})
		}
	}
	return found
}

func readTag(pid int, variable string) string {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	environ, _ := io.ReadAll(io.LimitReader(f, environLimit)) // what was read before an error counts
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		name, value, ok := bytes.Cut(entry, []byte("="))
		if ok && string(name) == variable {
			return string(value)
		}
	}
	return ""
}

// forEachPID calls f with every process of this user but this one.
func forEachPID(f func(pid int)) {
	for _, name := range listNames("/proc") {
		pid, err := strconv.Atoi(name)
		if err == nil && pid > 1 && pid != os.Getpid() && ownedByUser(name) {
			f(pid)
		}
	}
}

// listNames lists a directory of /proc; what was listed before an error counts.
func listNames(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = d.Close() }()
	all, _ := d.Readdirnames(-1)
	return all
}

func ownedByUser(name string) bool {
	info, err := os.Stat("/proc/" + name)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
