package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/flightlog/flightlog/pilot"
)

// installBinaries puts launcher and agent into a prefix of their own. Agents of other prefixes are
// other files.
func (h *batchFixture) installBinaries(prefix string) {
	h.t.Helper()
	h.prefix = filepath.Join(h.dir, prefix)
	if err := os.Mkdir(h.prefix, 0o755); err != nil {
		h.t.Fatal(err)
	}
	for _, name := range []string{"flightlog-launcher", "flightlog-agent"} {
		b, err := os.ReadFile(filepath.Join(binDir, name))
		if err != nil {
			h.t.Fatal(err)
		}
		h.writeFile(filepath.Join(prefix, name), string(b)+prefix)
	}
}

// TestE2EBatchUpgradeToAnotherPrefix: a job that waited while its launcher was upgraded,
// and what it was installed as was removed, runs with the agent of the day of its submit;
// those submitted since run with the new one.
func TestE2EBatchUpgradeToAnotherPrefix(t *testing.T) {
	for _, way := range []string{"local", "ssh"} {
		t.Run(way, func(t *testing.T) {
			h := newBatchFixture(t, "SLURM_CONF", "lab.slurm", way, slurmCommands...)
			h.putResources(`{"slurm": {"default_schema": "local", "schemas": {"local": {"job_manager_endpoint": "slurm://localhost/"},
				"ssh": {"job_manager_endpoint": "slurm+ssh://lab-user/", "filesystem_endpoint": "sftp://lab-user/"}}}}`)
			user := h.as
			if way == "ssh" {
				if os.Getenv("TESTBED_SSH_CONFIG") == "" {
					t.Skip("TESTBED_SSH_CONFIG is not set: no sshd (make sshd-up)")
				}
				h.as = nil // whose keys are root's
				h.launcherEnv = []string{"FLIGHTLOG_SSH_CONFIG=" + os.Getenv("TESTBED_SSH_CONFIG")}
			}
			h.installBinaries("first")
			h.startLauncher()
			d := h.describeJob("true")
			d.Queue = "down"
			waits := submit(t, h.m, d)[0]
			job := h.nativeID(waits)
			h.launcher.kill()
			if err := os.RemoveAll(h.prefix); err != nil {
				t.Fatal(err)
			}
			h.installBinaries("second")
			h.startLauncher()
			later := submit(t, h.m, h.describeJob("true"))[0]
			h.expectEnd(later, pilot.Done, pilot.PayloadFinished)
			h.runAsCredential(user, "scontrol", "update", "jobid="+job, "partition=main")
			h.expectEnd(waits, pilot.Done, pilot.PayloadFinished)
			for _, p := range []string{waits.UID(), later.UID()} {
				if ran, _ := filepath.Glob(filepath.Join(h.markDir(), p+".*")); len(ran) != 1 {
					t.Errorf("%s ran %d times", p, len(ran))
				}
			}
			agents, err := filepath.Glob(filepath.Join(h.keptDir(), "agents", "*"))
			if err != nil || len(agents) != 2 || slices.ContainsFunc(agents, func(path string) bool { return len(filepath.Base(path)) != len("flightlog-agent-")+32 }) {
				t.Errorf("kept are %q, %v; want one agent of each prefix", agents, err)
			}
		})
	}
}
