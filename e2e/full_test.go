package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/bus/bustest"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// leaves tells a process to leave, which it must within fifteen seconds, whatever the log
// does.
func leaves(t *testing.T, name string, pid int, gone func()) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		gone()
	}()
	limit := time.NewTimer(15 * time.Second)
	defer limit.Stop()
	select {
	case <-over:
	case <-limit.C:
		t.Errorf("%s does not leave", name)
		_ = syscall.Kill(pid, syscall.SIGKILL)
		<-over
	}
}

// leave has programs and an agent leave, all at once.
func (h *house) leave(crew map[string]*process, agent int) {
	h.t.Helper()
	h.t.Run("crew", func(t *testing.T) {
		t.Run("agent", func(t *testing.T) {
			t.Parallel()
			leaves(t, "agent", agent, func() {
				for alive(agent) {
					time.Sleep(20 * time.Millisecond) // between two looks
				}
			})
		})
		for name, p := range crew {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p.mu.Lock()
				cmd := p.cmd
				p.mu.Unlock()
				leaves(t, name, cmd.Process.Pid, func() { p.wait() })
				if !cmd.ProcessState.Success() {
					t.Errorf("%s ended with %v", name, cmd.ProcessState)
				}
			})
		}
	})
}

// alive says whether a process is there, and no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// agentOf gives the process of a pilot's agent.
func agentOf(t *testing.T, p *client.Pilot) (pid int) {
	t.Helper()
	now, err := p.Get(t.Context())
	if err == nil {
		_, err = fmt.Sscanf(now.Job.ID, "%d.", &pid)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// refuses submits pilots that nobody launches until the log takes no more: where a disk
// has no room, the last block of a file may.
func (h *house) refuses(m *client.Manager) {
	h.t.Helper()
	nobodys := local("true")
	nobodys.Resource = "generic.slurm"
	for range 1000 {
		ctx, stop := context.WithTimeout(h.t.Context(), 3*time.Second)
		_, err := m.Submit(ctx, nobodys)
		stop()
		if err != nil {
			h.t.Logf("a submit is answered by: %v", err)
			return
		}
	}
	h.t.Fatal("there is no end to what the log takes")
}

// TestE2ELeavingIsBounded tells every program to leave while the log takes nothing: the
// disk is full, or the bus hangs.
func TestE2ELeavingIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		apart bool // several processes
		hangs bool // the bus does; else the disk is full
	}{
		"up, disk full": {}, "apart, disk full": {apart: true}, "apart, bus hangs": {apart: true, hangs: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			disk := h.dir
			if !c.hangs {
				disk = bustest.Disk(t)
			}
			store, at := filepath.Join(disk, "store"), address(t)
			crew := map[string]*process{}
			busy, trouble := "launcher", func() { bustest.Fill(t, disk, 0) }
			if c.apart {
				server := h.serverOver(store)
				crew["manager"], crew["launcher"] = h.process("manager"), h.process("launcher", "--http", at)
				if c.hangs {
					trouble = func() { server.signal(syscall.SIGSTOP) }
				}
			} else {
				busy = "flightlog"
				crew[busy] = h.process("flightlog", "up", "--store", store, "--listen", h.listen, "--http", at)
			}
			m := h.manager(h.client())
			ended := filepath.Join(h.dir, "over")
			ps := submit(t, m, shell("while [ ! -e "+ended+" ]; do sleep 0.05; done"), shell("exec sleep 600"))
			reach(t, ps[0], pilot.Active)
			reach(t, ps[1], pilot.Active)
			stays := agentOf(t, ps[1])
			trouble()
			h.refuses(m)
			if err := os.WriteFile(ended, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			writes := regexp.MustCompile(`flightlog_launcher_effects\{resource="local.localhost",state="running"\} [1-9]`)
			for over := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // between two looks
				if _, metrics := look(t, "http://"+at+"/metrics"); writes.MatchString(metrics) {
					break
				}
				if time.Now().After(over) {
					_, metrics := look(t, "http://"+at+"/metrics")
					t.Fatalf("the launcher has nothing to write:\n%s\n%s", metrics, h.tail(filepath.Join(h.dir, busy+".log")))
				}
			}
			h.leave(crew, stays)
			log, err := os.ReadFile(filepath.Join(h.dir, busy+".log"))
			if left := regexp.MustCompile(`"left":\["launcher of local.localhost: [1-9]`); err != nil || !left.Match(log) {
				t.Errorf("%s does not say what it left, %v:\n%s", busy, err, log)
			}
		})
	}
}
