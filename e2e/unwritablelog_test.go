package e2e_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// unreadOutputs are the outputs of a program whose log cannot be written.
var unreadOutputs = map[string]func(t *testing.T) *os.File{
	"the reader is gone": func(t *testing.T) *os.File {
		r, w := newPipe(t)
		_ = r.Close()
		return w
	},
	"the reader has stopped": func(t *testing.T) *os.File {
		_, w := newPipe(t)
		raw, err := w.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) {
				for full := false; !full; { // until not one byte more goes in
					_, err := syscall.Write(int(fd), []byte{'\n'})
					full = err != nil
				}
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		return w
	},
	"the disk is full": func(t *testing.T) *os.File {
		f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f
	},
}

func newPipe(t *testing.T) (r, w *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

// startUnheard starts a program whose stdout and stderr lead there.
func (h *fixture) startUnheard(to *os.File, name string, args ...string) *process {
	h.t.Helper()
	cmd := exec.Command(programIn(binDir, name), append(args, "--log-level", "debug")...)
	cmd.Env, cmd.Stdout, cmd.Stderr = h.env, to, to
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	p := &process{fixture: h, name: name, cmd: cmd}
	h.t.Cleanup(p.kill)
	return p
}

// TestE2ELogThatCannotBeWritten: programs serve as ever, and stop when they are told to.
func TestE2ELogThatCannotBeWritten(t *testing.T) {
	programs := map[string]func(h *fixture, to *os.File) []*process{
		"up": func(h *fixture, to *os.File) []*process {
			return []*process{h.startUnheard(to, "flightlog", "up", "--store", filepath.Join(h.dir, "store"), "--listen", h.listen)}
		},
		"manager and launcher": func(h *fixture, to *os.File) []*process {
			h.startServer()
			return []*process{h.startUnheard(to, "manager"), h.startUnheard(to, "launcher")}
		},
	}
	for program, start := range programs {
		for trouble, open := range unreadOutputs {
			t.Run(program+": "+trouble, func(t *testing.T) {
				h := newFixture(t)
				crew := start(h, open(t))
				h.awaitListening()
				m := h.createManager(h.connectClient())
				for _, p := range submit(t, m, shellPilot("exit 0"), shellPilot("exit 0")) {
					if _, err := p.Wait(t.Context(), client.WaitOptions{States: []pilot.State{pilot.Done}, Timeout: time.Minute}); err != nil {
						t.Fatal(err)
					}
				}
				for _, p := range crew {
					p.signal(syscall.SIGTERM)
					if state := p.waitState(); !state.Success() {
						t.Errorf("%s ended with %v", p.name, state)
					}
				}
			})
		}
	}
}

// awaitListening waits until somebody listens at the house's address.
func (h *fixture) awaitListening() {
	h.t.Helper()
	for over := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // between two tries
		conn, err := net.Dial("tcp", h.listen)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(over) {
			h.t.Fatal(err)
		}
	}
}

// waitState waits for the end of a process and says how it ended.
func (p *process) waitState() *os.ProcessState {
	p.mu.Lock()
	cmd := p.cmd
	p.mu.Unlock()
	p.wait()
	return cmd.ProcessState
}

// TestE2ECommandsDieOfTheirReader: commands of the command line are as other tools are.
func TestE2ECommandsDieOfTheirReader(t *testing.T) {
	h := newFixture(t)
	h.startUp()
	m := h.createManager(h.connectClient())
	submit(t, m, localPilot(""))
	cmd := exec.Command(filepath.Join(binDir, "flightlog"), "watch", "-m", m.UID())
	r, w := newPipe(t)
	var said strings.Builder
	cmd.Env, cmd.Stdout, cmd.Stderr = h.env, w, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if _, err := m.CancelAll(t.Context(), client.CancelOptions{}); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || status.Signal() != syscall.SIGPIPE || said.Len() > 0 {
		t.Errorf("it ended with %v and said %q", cmd.ProcessState, said.String())
	}
}
