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
	h.coreCases(core{
		outsider: func(native string) { h.command("qdel", native) }, closed: "down.q",
		system: "sge", away: "stop-qmaster", back: "start-qmaster",
	})
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
	h.coreCases(core{
		outsider: func(native string) { h.command("scancel", native) }, closed: "down",
		system: "slurm", away: "stop-ctld", back: "start-ctld",
	})
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
	h.coreCases(core{})
}

// put puts resources of site lab.
func (h *batchHouse) put(text string) {
	h.t.Helper()
	h.write("resource_lab.json", text)
	if out, code := h.cli("resource", "put", filepath.Join(h.dir, "resource_lab.json")); code != 0 {
		h.t.Fatalf("resource put: %s", out)
	}
}

// core is what the core cases need of a batch system; what it lacks is left out.
type core struct {
	outsider   func(native string) // ends a job
	closed     string              // a queue whose jobs wait
	system     string              // of scripts/testbed, which root can break
	away, back string              // how its scheduler is ended, and begun again
}

// coreCases end pilots by themselves, by their time, by us, by an outsider, and while
// the scheduler is away.
func (h *batchHouse) coreCases(c core) {
	t := h.t
	d := h.job("sleep 600")
	d.Runtime = pilot.Runtime(20 * time.Second)
	inTime := submit(t, h.m, d)[0]
	good, bad := submit(t, h.m, h.job("true"))[0], submit(t, h.m, h.job("exit 7"))[0]
	running := submit(t, h.m, h.job("sleep 600"))[0]
	all := []*client.Pilot{inTime, good, bad, running}
	if c.closed != "" {
		d := h.job("true")
		d.Queue = c.closed
		queued := submit(t, h.m, d)[0]
		h.native(queued)
		cancel(t, queued)
		h.ends(queued, pilot.Canceled, pilot.CanceledInQueue)
		if n := h.runs(queued); n != 0 {
			t.Errorf("canceled in the queue, it ran %d times", n)
		}
	}
	if c.outsider != nil {
		outside := submit(t, h.m, h.job("sleep 600"))[0]
		reach(t, outside, pilot.Active)
		c.outsider(h.native(outside))
		h.ends(outside, pilot.Failed, pilot.JobCanceledByThem)
	}
	h.ends(good, pilot.Done, pilot.PayloadFinished)
	h.ends(bad, pilot.Failed, pilot.PayloadFailed)
	reach(t, running, pilot.Active)
	cancel(t, running)
	h.ends(running, pilot.Canceled, pilot.CanceledByAgent)
	h.ends(inTime, pilot.Failed, pilot.RuntimeReached)
	h.once(all...)
	if c.system != "" && os.Geteuid() == 0 {
		h.outage(c)
	}
}

// outage has the scheduler away for a while: pilots run on, end and are canceled, what is
// submitted waits for it, and there is one run of each.
func (h *batchHouse) outage(c core) {
	t := h.t
	goes := filepath.Join(h.dir, "goes")
	ps := submit(t, h.m, h.job("until [ -e "+goes+" ]; do sleep 0.2; done"), h.job("sleep 5"), h.job("sleep 600"))
	staying, ending, canceled := ps[0], ps[1], ps[2]
	reach(t, staying, pilot.Active)
	reach(t, canceled, pilot.Active)
	h.native(ending)
	t.Cleanup(func() { h.testbed(c.system, c.back) })
	h.testbed(c.system, c.away)
	over := time.Now().Add(20 * time.Second)
	late := submit(t, h.m, h.job("true"))[0]
	cancel(t, canceled)
	h.ends(canceled, pilot.Canceled, pilot.CanceledByAgent)
	time.Sleep(time.Until(over)) // it is the outage
	for _, p := range []*client.Pilot{staying, late} {
		if got, err := p.Get(t.Context()); err != nil || got.State.Final() {
			t.Errorf("%s while nobody could know: %s, %+v, %v", p.UID(), got.State, got.Cause, err)
		}
	}
	h.testbed(c.system, c.back)
	h.write("goes", "")
	for _, p := range []*client.Pilot{ending, staying, late} {
		h.ends(p, pilot.Done, pilot.PayloadFinished)
	}
	h.once(staying, ending, canceled, late)
}
