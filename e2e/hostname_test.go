package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// upIn is everything in one process, in namespaces of its own (unshare(1)), where a
// script comes first.
func (h *fixture) upIn(script string, namespaces ...string) *process {
	h.t.Helper()
	if os.Geteuid() != 0 {
		h.t.Skip("only root may make namespaces")
	}
	tool, err := exec.LookPath("unshare")
	if err == nil {
		err = exec.CommandContext(h.t.Context(), tool, append(namespaces, "sh", "-c", script)...).Run()
	}
	if err != nil {
		h.t.Skip("no namespaces can be made here: ", err)
	}
	p := &process{fixture: h, name: tool, args: append(append([]string{}, namespaces...), "sh", "-c", script+`; exec "$@"`, "sh",
		filepath.Join(binDir, "flightlog"), "up", "--store", filepath.Join(h.dir, "store"), "--listen", h.listen)}
	p.start()
	return p
}

// watchFor waits until a pilot is as ok wants it.
func watchFor(t *testing.T, p *client.Pilot, what string, ok func(*api.Pilot) bool) *api.Pilot {
	t.Helper()
	for over := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) { // between two questions
		now, err := p.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ok(&now) {
			return &now
		}
		if time.Now().After(over) || now.State.Final() {
			t.Fatalf("%s is %s (%+v, health %q) of %s, and not %s", now.UID, now.State, now.Cause, now.Health, now.Launcher, what)
		}
	}
}

// TestE2EHostNameChanges: one store and one machine, which has another name at the
// second start. Its pilots are looked after again, under whatever name, and a payload
// that ended meanwhile has ended as it did.
func TestE2EHostNameChanges(t *testing.T) {
	h := newFixture(t)
	up := h.upIn("hostname a", "--uts")
	m := h.createManager(h.connectClient())
	dir := t.TempDir()
	ps := submit(t, m, shellPilot("until [ -e "+dir+"/go ]; do sleep 0.1; done"), shellPilot("until [ -e "+dir+"/soon ]; do sleep 0.1; done"), localPilot(""))
	for _, p := range ps {
		watchFor(t, p, "ACTIVE", func(s *api.Pilot) bool { return s.State == pilot.Active })
	}
	up.kill()
	if err := os.WriteFile(dir+"/soon", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.upIn("hostname b", "--uts")
	m, err := h.connectClient().Manager(t.Context(), m.UID())
	if err != nil {
		t.Fatal(err)
	}
	running, over, held := m.Pilot(ps[0].UID()), m.Pilot(ps[1].UID()), m.Pilot(ps[2].UID())
	watchFor(t, over, "DONE", func(s *api.Pilot) bool { return s.State == pilot.Done })
	for _, p := range []*client.Pilot{running, held} {
		watchFor(t, p, "looked after under the new name", func(s *api.Pilot) bool {
			return s.State == pilot.Active && strings.HasPrefix(s.Launcher, "b-") && s.Health == ""
		})
	}
	if _, err := m.Cancel(t.Context(), client.CancelOptions{Reason: "the test is over"}, held.UID()); err != nil {
		t.Fatal(err)
	}
	watchFor(t, held, "CANCELED", func(s *api.Pilot) bool { return s.State == pilot.Canceled })
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	watchFor(t, running, "DONE", func(s *api.Pilot) bool { return s.State == pilot.Done })
}

// TestE2EProcessNamespaceChanges: the second start is in another process namespace, as
// in a container, where the pids of the first mean nothing. Agents are heard, so nothing
// is lost; they are told to stop, and tell how it ended.
func TestE2EProcessNamespaceChanges(t *testing.T) {
	h := newFixture(t)
	up := h.startUp()
	m := h.createManager(h.connectClient())
	dir := t.TempDir()
	ps := submit(t, m, shellPilot("until [ -e "+dir+"/go ]; do sleep 0.1; done"), localPilot(""))
	for _, p := range ps {
		watchFor(t, p, "ACTIVE", func(s *api.Pilot) bool { return s.State == pilot.Active })
	}
	up.kill()
	h.upIn(":", "--pid", "--fork", "--kill-child", "--mount-proc")
	m, err := h.connectClient().Manager(t.Context(), m.UID())
	if err != nil {
		t.Fatal(err)
	}
	running, held := m.Pilot(ps[0].UID()), m.Pilot(ps[1].UID())
	for _, p := range []*client.Pilot{running, held} {
		watchFor(t, p, "said to be out of sight", func(s *api.Pilot) bool { return s.State == pilot.Active && s.Health != "" })
	}
	if _, err := m.Cancel(t.Context(), client.CancelOptions{Reason: "the test is over"}, held.UID()); err != nil {
		t.Fatal(err)
	}
	ended := watchFor(t, held, "CANCELED", func(s *api.Pilot) bool { return s.State == pilot.Canceled })
	if ended.Cause.Code != pilot.CanceledByAgent {
		t.Errorf("it was canceled as %+v", ended.Cause)
	}
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	watchFor(t, running, "DONE", func(s *api.Pilot) bool { return s.State == pilot.Done })
}
