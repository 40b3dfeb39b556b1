package e2e_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// TestE2EBatchSGE has pilots on a real Grid Engine end in every way.
func TestE2EBatchSGE(t *testing.T) {
	h := newBatchHouse(t, "SGE_ROOT", "generic.sge", "local", "qsub", "qstat", "qacct", "qdel")
	h.launch()
	h.coreCases(func(native string) { h.command("qdel", native) })
	h.crashes("qsub")
}

// TestE2EBatchSlurmOverSSH has them on a SLURM that is reached by ssh, as another user.
func TestE2EBatchSlurmOverSSH(t *testing.T) {
	config := os.Getenv("TESTBED_SSH_CONFIG")
	if config == "" {
		t.Skip("TESTBED_SSH_CONFIG is not set: no sshd (make sshd-up)")
	}
	h := newBatchHouse(t, "SLURM_CONF", "lab.slurm", "ssh", "scancel")
	h.put(`{"slurm": {"default_schema": "ssh", "schemas": {"ssh": {
		"job_manager_endpoint": "slurm+ssh://lab-user/", "filesystem_endpoint": "sftp://lab-user/"}}}}`)
	h.as = nil // whose keys are root's
	h.launcherEnv = []string{"FLIGHTLOG_SSH_CONFIG=" + config}
	h.launch()
	h.as, _ = labuser(t)
	h.coreCases(func(native string) { h.command("scancel", native) })
}

// TestE2EBatchProcessesOverSSH has them as processes of a machine reached by ssh.
func TestE2EBatchProcessesOverSSH(t *testing.T) {
	config := os.Getenv("TESTBED_SSH_CONFIG")
	h := newBatchHouse(t, "TESTBED_SSH_CONFIG", "lab.host", "ssh")
	h.put(`{"host": {"default_schema": "ssh", "schemas": {"ssh": {
		"job_manager_endpoint": "ssh://lab-user/", "filesystem_endpoint": "sftp://lab-user/"}}}}`)
	h.as = nil
	h.launcherEnv = []string{"FLIGHTLOG_SSH_CONFIG=" + config}
	h.launch()
	h.coreCases(nil)
}

// put puts resources of site lab.
func (h *batchHouse) put(text string) {
	h.t.Helper()
	h.write("resource_lab.json", text)
	if out, code := h.cli("resource", "put", filepath.Join(h.dir, "resource_lab.json")); code != 0 {
		h.t.Fatalf("resource put: %s", out)
	}
}

// coreCases end pilots by themselves, by their time, by us and, if there is a way, by
// an outsider.
func (h *batchHouse) coreCases(outsider func(native string)) {
	t := h.t
	d := h.job("sleep 600")
	d.Runtime = pilot.Runtime(20 * time.Second)
	inTime := submit(t, h.m, d)[0]
	good, bad := submit(t, h.m, h.job("true"))[0], submit(t, h.m, h.job("exit 7"))[0]
	running := submit(t, h.m, h.job("sleep 600"))[0]
	all := []*client.Pilot{inTime, good, bad, running}
	if outsider != nil {
		outside := submit(t, h.m, h.job("sleep 600"))[0]
		reach(t, outside, pilot.Active)
		outsider(h.native(outside))
		h.ends(outside, pilot.Failed, pilot.JobCanceledByThem)
	}
	h.ends(good, pilot.Done, pilot.PayloadFinished)
	h.ends(bad, pilot.Failed, pilot.PayloadFailed)
	reach(t, running, pilot.Active)
	cancel(t, running)
	h.ends(running, pilot.Canceled, pilot.CanceledByAgent)
	h.ends(inTime, pilot.Done, pilot.RuntimeReached)
	for _, p := range all {
		if n := h.runs(p); n != 1 {
			t.Errorf("%s ran %d times", p.UID(), n)
		}
	}
}
