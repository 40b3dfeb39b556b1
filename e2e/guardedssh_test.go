package e2e_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// TestE2EBatchAgentsWithCredentials: agents on a SLURM behind ssh reach a guarded bus
// with credentials that their launcher put there, for nobody else to read.
func TestE2EBatchAgentsWithCredentials(t *testing.T) {
	config := os.Getenv("TESTBED_SSH_CONFIG")
	if config == "" || os.Getenv("SLURM_CONF") == "" {
		t.Skip("TESTBED_SSH_CONFIG and SLURM_CONF are not both set: no such batch system here (make slurm-up sshd-up)")
	}
	g := newAuthFixture(t, "nkey")
	for _, role := range []string{"launcher", "agent"} {
		if out, code := g.runCLI("auth", "add", role, "--dir", g.auth, "--resource", "lab.slurm"); code != 0 {
			t.Fatalf("auth add: %s", out)
		}
	}
	g.reloadUsers()
	g.reloadUsers()                                              // for what a new account imports
	if err := os.Chmod(filepath.Dir(g.dir), 0o755); err != nil { // of the testing package
		t.Fatal(err)
	}
	work := filepath.Join(g.dir, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	as, home := jobUser(t)
	if as != nil {
		if err := os.Chown(work, int(as.Uid), int(as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	g.startAs("manager", "manager", nil)
	c := g.connectAs("client")
	if _, err := c.PutResource(t.Context(), "lab.slurm", "", []byte(`{"default_schema": "ssh", "schemas": {"ssh": {
		"job_manager_endpoint": "slurm+ssh://lab-user/", "filesystem_endpoint": "sftp://lab-user/"}}}`), client.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	g.startAs("launcher-lab-slurm", "launcher", []string{"FLIGHTLOG_SSH_CONFIG=" + config}, "--resource", "lab.slurm",
		"--agent-nkey", g.credentials("agent-lab-slurm"), "--agent-inbox-prefix", "_INBOX_agent-lab-slurm")
	m := g.createManager(c)
	d := shellPilot("sleep 600")
	d.Resource, d.AccessSchema, d.Cores, d.Sandbox = "lab.slurm", "ssh", 1, work
	p := submit(t, m, d)[0]
	awaitState(t, p, pilot.Active)
	cancelPilot(t, p) // its agent hears of it by the bus
	awaitAll(t, m)
	got, err := p.Get(t.Context())
	if err != nil || got.State != pilot.Canceled || got.Cause.Code != pilot.CanceledByAgent {
		t.Fatalf("%v %+v, %+v", err, got, got.Cause)
	}
	put := filepath.Join(home, ".cache/flightlog/nkey-lab.slurm")
	if info, err := os.Stat(put); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v: want a file for its owner only", info, err)
	}
	g.searchFiles(g.allSeeds())
}
