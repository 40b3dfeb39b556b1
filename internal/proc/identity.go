package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// ErrGone says that a process is not there any more.
var ErrGone = errors.New("no such process")

// Identity names one process of one boot: pids are reused, pids with the time
// they started are not.
type Identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks between boot and its start
	Boot  string `json:"boot"`  // see Boot
}

// Self is this process.
var Self = sync.OnceValues(func() (Identity, error) { return IdentityOf(os.Getpid()) })

// IdentityOf is the process that has the pid now; ErrGone when none has.
func IdentityOf(pid int) (Identity, error) {
	boot, err := Boot()
	if err != nil {
		return Identity{}, err
	}
	stat, err := ReadStat(pid)
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, Start: stat.Start, Boot: boot}, nil
}

// Boot is the id that the kernel made when it came up.
var Boot = sync.OnceValues(func() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
})

// Stat is the part of /proc/PID/stat we use; proc_pid_stat(5) numbers the
// fields.
type Stat struct {
	State   byte   // field 3; Z is a zombie, X is dead
	Parent  int    // field 4
	Group   int    // field 5
	Session int    // field 6
	Start   uint64 // field 22
}

// HasEnded says that the process has ended, even if nobody has waited for it.
func (s Stat) HasEnded() bool { return s.State == 'Z' || s.State == 'X' }

// ReadStat reads the stat of a process; ErrGone when there is none.
func ReadStat(pid int) (Stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if isGone(err) {
		return Stat{}, ErrGone
	}
	if err != nil {
		return Stat{}, err
	}
	return parseStat(b)
}

// parseStat reads behind the last parenthesis: a process chooses its own name,
// which may hold spaces and parentheses.
func parseStat(b []byte) (Stat, error) {
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 20 || len(fields[0]) != 1 {
		return Stat{}, fmt.Errorf("stat of %d fields", len(fields))
	}
	s := Stat{State: fields[0][0]}
	var errs [4]error
	s.Parent, errs[0] = strconv.Atoi(string(fields[1]))
	s.Group, errs[1] = strconv.Atoi(string(fields[2]))
	s.Session, errs[2] = strconv.Atoi(string(fields[3]))
	s.Start, errs[3] = strconv.ParseUint(string(fields[19]), 10, 64)
	return s, errors.Join(errs[:]...)
}

// initSpace is the process namespace of the kernel itself (PROC_PID_INIT_INO in
// include/linux/proc_ns.h): it is there from boot to shutdown.
const initSpace = "4026531836"

// Space names the process namespace that this process is in (pid_namespaces(7)): the
// same pid means another process in another one. The kernel numbers namespaces and
// gives the numbers of dead ones again, so that the start of a namespace's first
// process is added; where that is not to be seen (hidepid, proc(5)) the number is all.
// Empty: this kernel does not say.
var Space = sync.OnceValue(func() string {
	link, err := os.Readlink("/proc/self/ns/pid")
	number := strings.TrimSuffix(strings.TrimPrefix(link, "pid:["), "]")
	if err != nil || number == initSpace {
		return number
	}
	if first, err := ReadStat(1); err == nil {
		number += "." + strconv.FormatUint(first.Start, 10)
	}
	return number
})
