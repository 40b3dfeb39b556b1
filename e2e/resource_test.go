package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// TestE2EResources: what is put is seen by every replica at once, outlives all
// of them, and leaves alone the pilots that were submitted before, even if they
// are launched after it.
func TestE2EResources(t *testing.T) {
	h := newFixture(t)
	server := h.startServer()
	replicas := []*process{h.startProcess("manager", "--name", "a"), h.startProcess("manager", "--name", "b")}
	c := h.connectClient()
	m := h.createManager(c)
	dirs := []string{t.TempDir(), t.TempDir()}
	for i, dir := range dirs {
		put, err := c.PutResource(t.Context(), "local.localhost", "", fmt.Appendf(nil, `{"default_remote_workdir": %q}`, dir), client.PutOptions{})
		if err != nil || put.Resources[0].Version != uint64(i+1) {
			t.Fatalf("put: %+v, %v", put, err)
		}
		for range 20 { // whichever replica answers
			r, err := c.Resource(t.Context(), "local.localhost", client.ResourceOptions{})
			if err != nil || !strings.Contains(string(r.Config), dir) || r.Source.Version != uint64(i+1) {
				t.Fatalf("after version %d: %s, %v", i+1, r.Config, err)
			}
		}
		d := localPilot("true")
		d.UID = fmt.Sprintf("p%d", i)
		submit(t, m, d)
	}
	h.startProcess("launcher")
	awaitAll(t, m)
	for i, dir := range dirs {
		p, err := m.Pilot(fmt.Sprintf("p%d", i)).Get(t.Context())
		if err != nil || p.State != pilot.Done || filepath.Dir(filepath.Dir(p.Sandbox)) != dir {
			t.Errorf("p%d is %s in %s, not below %s: %v %+v", i, p.State, p.Sandbox, dir, err, p.Cause)
		}
	}
	server.kill()
	for _, r := range replicas {
		r.kill()
	}
	server.start()
	for _, r := range replicas {
		r.start()
	}
	r, err := c.Resource(t.Context(), "local.localhost", client.ResourceOptions{Origin: true})
	if err != nil || r.Source.Version != 2 || r.Origin["default_remote_workdir"] != "put" {
		t.Fatalf("after the restart: %+v, %v", r, err)
	}
	if _, err := c.DeleteResource(t.Context(), "local.localhost", client.PutOptions{Expect: &r.Source.Version}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if r, err = c.Resource(t.Context(), "local.localhost", client.ResourceOptions{}); err != nil || strings.Contains(string(r.Config), dirs[1]) {
			t.Fatalf("after the deletion: %s, %v", r.Config, err)
		}
	}
}
