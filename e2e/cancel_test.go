package e2e_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// TestE2ECancel cancels real pilots in each state they can be in.
func TestE2ECancel(t *testing.T) {
	h := newHouse(t)
	h.server()
	h.process("manager")
	m := h.manager(h.client())

	// PENDING_LAUNCH: there is no launcher.
	early := submit(t, m, shell("sleep 600"))[0]
	cancel(t, early)
	canceled(t, early)

	// PENDING_ACTIVE: the agent is slow to start.
	slow := filepath.Join(h.dir, "slow-agent")
	script := "#!/bin/sh\nsleep 3\nexec " + filepath.Join(bin, "flightlog-agent") + "\n"
	if err := os.WriteFile(slow, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	sluggish := h.process("launcher", "--agent", slow, "--spare", "-1")
	queued := submit(t, m, shell("sleep 600"))[0]
	reach(t, queued, pilot.PendingActive)
	cancel(t, queued)
	canceled(t, queued)
	sluggish.term()

	// LAUNCHING: the launcher is stopped in the middle of it.
	launcher := h.process("launcher")
	var crowd []*client.Pilot
	for range 5 {
		crowd = append(crowd, submit(t, m, shell("sleep 600"), shell("sleep 600"), shell("sleep 600"), shell("sleep 600"))...)
	}
	reach(t, crowd[len(crowd)-1], pilot.Launching)
	launcher.signal(syscall.SIGSTOP)
	if _, err := m.CancelAll(t.Context(), client.CancelOptions{Reason: "all of them"}); err != nil {
		t.Fatal(err)
	}
	launcher.signal(syscall.SIGCONT)
	for _, p := range crowd {
		canceled(t, p)
	}

	// ACTIVE, with a payload and its children that do not hear TERM.
	deaf := submit(t, m, shell("trap '' TERM; (trap '' TERM; setsid sleep 600) & sleep 600 & wait; sleep 600"))[0]
	reach(t, deaf, pilot.Active)
	cancel(t, deaf)
	canceled(t, deaf)

	if left := h.processes(); len(left) != 0 {
		t.Errorf("processes %v are left running", left)
	}
}

func reach(t *testing.T, p *client.Pilot, s pilot.State) {
	t.Helper()
	w, err := p.Wait(t.Context(), client.WaitOptions{States: []pilot.State{s}, Timeout: time.Minute})
	if err != nil || !w.Reached {
		t.Fatalf("%s is %+v, %v; want %s", p.UID(), w, err, s)
	}
}

// canceled waits for the end, which must be that.
func canceled(t *testing.T, p *client.Pilot) {
	t.Helper()
	if _, err := p.Wait(t.Context(), client.WaitOptions{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	got, err := p.Get(t.Context())
	if err != nil || got.State != pilot.Canceled {
		t.Errorf("%s is %s (%+v), %v", p.UID(), got.State, got.Cause, err)
	}
}

func cancel(t *testing.T, p *client.Pilot) {
	t.Helper()
	grace := 500 * time.Millisecond
	if err := p.Cancel(t.Context(), client.CancelOptions{Reason: "the test says so", Grace: &grace}); err != nil {
		t.Fatal(err)
	}
}
