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
	h := newFixture(t)
	h.startServer()
	h.startProcess("manager")
	m := h.createManager(h.connectClient())

	// PENDING_LAUNCH: there is no launcher.
	early := submit(t, m, shellPilot("sleep 600"))[0]
	cancelPilot(t, early)
	expectCanceled(t, early)

	// PENDING_ACTIVE: the agent is slow to start.
	slow := filepath.Join(h.dir, "slow-agent")
	script := "#!/bin/sh\nsleep 3\nexec " + filepath.Join(binDir, "flightlog-agent") + "\n"
	if err := os.WriteFile(slow, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	sluggish := h.startProcess("launcher", "--agent", slow, "--spare", "-1")
	queued := submit(t, m, shellPilot("sleep 600"))[0]
	awaitState(t, queued, pilot.PendingActive)
	cancelPilot(t, queued)
	expectCanceled(t, queued)
	sluggish.terminate()

	// LAUNCHING: the launcher is stopped in the middle of it.
	launcher := h.startProcess("launcher")
	var crowd []*client.Pilot
	for range 5 {
		crowd = append(crowd, submit(t, m, shellPilot("sleep 600"), shellPilot("sleep 600"), shellPilot("sleep 600"), shellPilot("sleep 600"))...)
	}
	awaitState(t, crowd[len(crowd)-1], pilot.Launching)
	launcher.signal(syscall.SIGSTOP)
	if _, err := m.CancelAll(t.Context(), client.CancelOptions{Reason: "all of them"}); err != nil {
		t.Fatal(err)
	}
	launcher.signal(syscall.SIGCONT)
	for _, p := range crowd {
		expectCanceled(t, p)
	}

	// ACTIVE, with a payload and its children that do not hear TERM.
	deaf := submit(t, m, shellPilot("trap '' TERM; (trap '' TERM; setsid sleep 600) & sleep 600 & wait; sleep 600"))[0]
	awaitState(t, deaf, pilot.Active)
	cancelPilot(t, deaf)
	expectCanceled(t, deaf)

	if left := h.processes(); len(left) != 0 {
		t.Errorf("processes %v are left running", left)
	}
}

func awaitState(t *testing.T, p *client.Pilot, s pilot.State) {
	t.Helper()
	w, err := p.Wait(t.Context(), client.WaitOptions{States: []pilot.State{s}, Timeout: time.Minute})
	if err != nil || !w.Reached {
		t.Fatalf("%s is %+v, %v; want %s", p.UID(), w, err, s)
	}
}

// expectCanceled waits for the end, which must be that.
func expectCanceled(t *testing.T, p *client.Pilot) {
	t.Helper()
	if _, err := p.Wait(t.Context(), client.WaitOptions{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	got, err := p.Get(t.Context())
	if err != nil || got.State != pilot.Canceled {
		t.Errorf("%s is %s (%+v), %v", p.UID(), got.State, got.Cause, err)
	}
}

func cancelPilot(t *testing.T, p *client.Pilot) {
	t.Helper()
	grace := 500 * time.Millisecond
	if err := p.Cancel(t.Context(), client.CancelOptions{Reason: "the test says so", Grace: &grace}); err != nil {
		t.Fatal(err)
	}
}
