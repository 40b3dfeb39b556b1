package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// expectTermination tells a process to leave, which it must within fifteen seconds, whatever the log
// does.
func expectTermination(t *testing.T, name string, pid int, gone func()) {
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

// terminateAll has programs and an agent leave, all at once.
func (h *fixture) terminateAll(crew map[string]*process, agent int) {
	h.t.Helper()
	h.t.Run("crew", func(t *testing.T) {
		t.Run("agent", func(t *testing.T) {
			t.Parallel()
			expectTermination(t, "agent", agent, func() {
				for isAlive(agent) {
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
				expectTermination(t, name, cmd.Process.Pid, func() { p.wait() })
				if !cmd.ProcessState.Success() {
					t.Errorf("%s ended with %v", name, cmd.ProcessState)
				}
			})
		}
	})
}

// isAlive says whether a process is there, and no zombie.
func isAlive(pid int) bool {
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

// fillLog submits pilots that nobody launches until the log takes no more: where a disk
// has no room, the last block of a file may.
func (h *fixture) fillLog(m *client.Manager) {
	h.t.Helper()
	nobodys := localPilot("true")
	nobodys.Resource = "generic.slurm"
	for range 1000 {
		ctx, stop := context.WithTimeout(h.t.Context(), 10*time.Second) // a busy machine takes what it takes seconds for
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
			h := newFixture(t)
			disk := h.dir
			if !c.hangs {
				disk = bustest.SmallDisk(t)
			}
			store, at := filepath.Join(disk, "store"), freeAddress(t)
			crew := map[string]*process{}
			busy, trouble := "flightlog-launcher", func() { bustest.FillDisk(t, disk, 0) }
			if c.apart {
				server := h.startServerWithStore(store)
				crew["manager"], crew["launcher"] = h.startProcess("manager"), h.startProcess("launcher", "--http", at)
				if c.hangs {
					trouble = func() { server.signal(syscall.SIGSTOP) }
				}
			} else {
				busy = "flightlog"
				crew[busy] = h.startProcess("flightlog", "up", "--store", store, "--listen", h.listen, "--http", at)
			}
			m := h.createManager(h.connectClient())
			ended := filepath.Join(h.dir, "over")
			ps := submit(t, m, shellPilot("while [ ! -e "+ended+" ]; do sleep 0.05; done"), shellPilot("exec sleep 600"))
			awaitState(t, ps[0], pilot.Active)
			awaitState(t, ps[1], pilot.Active)
			stays := agentOf(t, ps[1])
			trouble()
			h.fillLog(m)
			if err := os.WriteFile(ended, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			writes := regexp.MustCompile(`flightlog_launcher_effects\{resource="local.localhost",state="running"\} [1-9]`)
			for over := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) { // between two looks
				if _, metrics := httpGet(t, "http://"+at+"/metrics"); writes.MatchString(metrics) {
					break
				}
				if time.Now().After(over) {
					_, metrics := httpGet(t, "http://"+at+"/metrics")
					t.Fatalf("the launcher has nothing to write:\n%s\n%s", metrics, h.lastLines(filepath.Join(h.dir, busy+".log")))
				}
			}
			h.terminateAll(crew, stays)
			log, err := os.ReadFile(filepath.Join(h.dir, busy+".log"))
			if left := regexp.MustCompile(`"left":\["launcher of local.localhost: [1-9]`); err != nil || !left.Match(log) {
				t.Errorf("%s does not say what it left, %v:\n%s", busy, err, log)
			}
		})
	}
}

// TestE2EFullStore: below the reserve nothing begins, and what runs ends as ever; a store
// that could not be written at all goes on by itself once it can.
func TestE2EFullStore(t *testing.T) {
	t.Parallel()
	h, disk, at := newFixture(t), bustest.SmallDisk(t), freeAddress(t)
	h.startProcess("flightlog", "up", "--store", filepath.Join(disk, "store"), "--listen", h.listen, "--http", at)
	m := h.createManager(h.connectClient())
	ended := filepath.Join(h.dir, "over")
	ps := submit(t, m, shellPilot("while [ ! -e "+ended+" ]; do sleep 0.05; done"), shellPilot("exec sleep 600"))
	awaitState(t, ps[0], pilot.Active)
	awaitState(t, ps[1], pilot.Active)

	empty := bustest.FillDisk(t, disk, 2<<20)
	h.awaitTrue("a refusal", func() bool {
		_, err := m.Submit(t.Context(), localPilot("true"))
		return pilot.CodeOf(err) == pilot.Unavailable && strings.Contains(err.Error(), "the store is full: ") &&
			strings.Contains(err.Error(), " left, 4.0 MiB kept for what runs")
	})
	if _, code := h.runCLI("submit", "-m", m.UID(), "-r", "local.localhost", "-c", "1", "-t", "5m", "true"); code != 1 {
		t.Errorf("a submit exits with %d", code)
	}
	if _, err := h.connectClient().CreateManager(t.Context(), client.ManagerOptions{}); pilot.CodeOf(err) != pilot.Unavailable {
		t.Errorf("a new manager is answered by %v", err)
	}
	h.awaitTrue("its readiness to say so", func() bool {
		code, body := httpGet(t, "http://"+at+"/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "the store is full: ")
	})
	if code, body := httpGet(t, "http://"+at+"/healthz"); code != http.StatusOK {
		t.Errorf("for a full store it is not healthy: %s", body)
	}
	if _, body := httpGet(t, "http://"+at+"/metrics"); !strings.Contains(body, `flightlog_store_reserve_bytes{limit="disk"} 4.194304e+06`) ||
		!strings.Contains(body, `flightlog_store_room_bytes{limit="disk"} `) {
		t.Errorf("its metrics do not say so:\n%s", body)
	}
	if err := os.WriteFile(ended, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cancelPilot(t, ps[1])
	awaitState(t, ps[0], pilot.Done)
	expectCanceled(t, ps[1])

	empty()
	h.awaitTrue("it to be ready", func() bool { code, _ := httpGet(t, "http://"+at+"/readyz"); return code == http.StatusOK })
	awaitState(t, submit(t, m, shellPilot("exit 0"))[0], pilot.Done)

	crowd := make([]pilot.Description, 20)
	for i := range crowd {
		crowd[i] = shellPilot("while [ ! -e " + ended + "2 ]; do sleep 0.05; done")
	}
	many := submit(t, m, crowd...)
	for _, p := range many {
		awaitState(t, p, pilot.Active)
	}
	empty = bustest.FillDisk(t, disk, 0)
	if err := os.WriteFile(ended+"2", nil, 0o600); err != nil { // their ends are more than the last block of a file has room for
		t.Fatal(err)
	}
	said := func(what string) func() bool {
		return func() bool {
			log, err := os.ReadFile(filepath.Join(h.dir, "flightlog.log"))
			return err == nil && strings.Contains(string(log), what)
		}
	}
	h.awaitTrue("a write that fails", said("the store cannot be written"))
	empty()
	h.awaitTrue("it to write again", said("the store can be written again"))
	h.awaitTrue("it to be ready", func() bool { code, _ := httpGet(t, "http://"+at+"/readyz"); return code == http.StatusOK })
	awaitState(t, submit(t, m, shellPilot("exit 0"))[0], pilot.Done)
	for _, p := range many {
		awaitState(t, p, pilot.Done)
	}
}

// awaitTrue waits until something is so.
func (h *fixture) awaitTrue(what string, so func() bool) {
	h.t.Helper()
	for over := time.Now().Add(time.Minute); !so(); time.Sleep(100 * time.Millisecond) { // between two looks
		if time.Now().After(over) {
			h.t.Fatalf("waited in vain for %s; the last words:\n%s", what, h.lastLines(filepath.Join(h.dir, "flightlog.log")))
		}
	}
}
