package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/flightlog/flightlog/pilot"
)

// install puts launcher and agent into a prefix of their own. Agents of other prefixes are
// other files.
func (h *batchHouse) install(prefix string) {
	h.t.Helper()
	h.prefix = filepath.Join(h.dir, prefix)
	if err := os.Mkdir(h.prefix, 0o755); err != nil {
		h.t.Fatal(err)
	}
	for _, name := range []string{"flightlog-launcher", "flightlog-agent"} {
		b, err := os.ReadFile(filepath.Join(bin, name))
		if err != nil {
			h.t.Fatal(err)
		}
		h.write(filepath.Join(prefix, name), string(b)+prefix)
	}
}

// TestE2EBatchUpgradeToAnotherPrefix: a job that waited while its launcher was upgraded,
// and what it was installed as was removed, runs with the agent of the day of its submit;
// those submitted since run with the new one.
func TestE2EBatchUpgradeToAnotherPrefix(t *testing.T) {
	for _, way := range []string{"local", "ssh"} {
		t.Run(way, func(t *testing.T) {
			h := newBatchHouse(t, "SLURM_CONF", "lab.slurm", way, slurmCommands...)
			h.put(`{"slurm": {"default_schema": "local", "schemas": {"local": {"job_manager_endpoint": "slurm://localhost/"},
				"ssh": {"job_manager_endpoint": "slurm+ssh://lab-user/", "filesystem_endpoint": "sftp://lab-user/"}}}}`)
			user := h.as
			if way == "ssh" {
				if os.Getenv("TESTBED_SSH_CONFIG") == "" {
					t.Skip("TESTBED_SSH_CONFIG is not set: no sshd (make sshd-up)")
				}
				h.as = nil // whose keys are root's
				h.launcherEnv = []string{"FLIGHTLOG_SSH_CONFIG=" + os.Getenv("TESTBED_SSH_CONFIG")}
			}
			h.install("first")
			h.launch()
			d := h.job("true")
			d.Queue = "down"
			waits := submit(t, h.m, d)[0]
			job := h.native(waits)
			h.launcher.kill()
			if err := os.RemoveAll(h.prefix); err != nil {
				t.Fatal(err)
			}
			h.install("second")
			h.launch()
			later := submit(t, h.m, h.job("true"))[0]
			h.ends(later, pilot.Done, pilot.PayloadFinished)
			h.run(user, "scontrol", "update", "jobid="+job, "partition=main")
			h.ends(waits, pilot.Done, pilot.PayloadFinished)
			for _, p := range []string{waits.UID(), later.UID()} {
				if ran, _ := filepath.Glob(filepath.Join(h.ran(), p+".*")); len(ran) != 1 {
					t.Errorf("%s ran %d times", p, len(ran))
				}
			}
			agents, err := filepath.Glob(filepath.Join(h.kept(), "agents", "*"))
			if err != nil || len(agents) != 2 || slices.ContainsFunc(agents, func(path string) bool { return len(filepath.Base(path)) != len("agent-")+32 }) {
				t.Errorf("kept are %q, %v; want one agent of each prefix", agents, err)
			}
		})
	}
}
