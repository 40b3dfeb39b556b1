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
	h := newBatchFixture(t, "SGE_ROOT", "generic.sge", "local", "qsub", "qstat", "qacct", "qdel")
	h.startLauncher()
	h.testCoreCases(coreCase{
		cancelByOther: func(native string) { h.runAsJobUser("qdel", native) }, heldQueue: "down.q",
		system: "sge", away: "stop-qmaster", back: "start-qmaster",
	})
	h.testSubmitCrashes("qsub")
}

// TestE2EBatchSlurmOverSSH has them on a SLURM that is reached by ssh, as another user.
func TestE2EBatchSlurmOverSSH(t *testing.T) {
	config := os.Getenv("TESTBED_SSH_CONFIG")
	if config == "" {
		t.Skip("TESTBED_SSH_CONFIG is not set: no sshd (make sshd-up)")
	}
	h := newBatchFixture(t, "SLURM_CONF", "lab.slurm", "ssh", "scancel")
	h.putResources(`{"slurm": {"default_schema": "ssh", "schemas": {"ssh": {
		"job_manager_endpoint": "slurm+ssh://lab-user/", "filesystem_endpoint": "sftp://lab-user/"}}}}`)
	h.as = nil // whose keys are root's
	h.launcherEnv = []string{"FLIGHTLOG_SSH_CONFIG=" + config}
	h.startLauncher()
	h.as, _ = jobUser(t)
	h.testCoreCases(coreCase{
		cancelByOther: func(native string) { h.runAsJobUser("scancel", native) }, heldQueue: "down",
		system: "slurm", away: "stop-ctld", back: "start-ctld",
	})
}

// TestE2EBatchProcessesOverSSH has them as processes of a machine reached by ssh.
func TestE2EBatchProcessesOverSSH(t *testing.T) {
	config := os.Getenv("TESTBED_SSH_CONFIG")
	h := newBatchFixture(t, "TESTBED_SSH_CONFIG", "lab.host", "ssh")
	h.putResources(`{"host": {"default_schema": "ssh", "schemas": {"ssh": {
		"job_manager_endpoint": "ssh://lab-user/", "filesystem_endpoint": "sftp://lab-user/"}}}}`)
	h.as = nil
	h.launcherEnv = []string{"FLIGHTLOG_SSH_CONFIG=" + config}
	h.startLauncher()
	h.testCoreCases(coreCase{})
}

// putResources puts resources of site lab.
func (h *batchFixture) putResources(text string) {
	h.t.Helper()
	h.writeFile("resource_lab.json", text)
	if out, code := h.runCLI("resource", "put", filepath.Join(h.dir, "resource_lab.json")); code != 0 {
		h.t.Fatalf("resource put: %s", out)
	}
}

// coreCase is what the core cases need of a batch system; what it lacks is left out.
type coreCase struct {
	cancelByOther func(native string) // ends a job
	heldQueue     string              // a queue whose jobs wait
	system        string              // of scripts/testbed, which root can break
	away, back    string              // how its scheduler is ended, and begun again
}

// testCoreCases end pilots by themselves, by their time, by us, by an outsider, and while
// the scheduler is away.
func (h *batchFixture) testCoreCases(c coreCase) {
	t := h.t
	d := h.describeJob("sleep 600")
	d.Runtime = pilot.Runtime(20 * time.Second)
	inTime := submit(t, h.m, d)[0]
	good, bad := submit(t, h.m, h.describeJob("true"))[0], submit(t, h.m, h.describeJob("exit 7"))[0]
	running := submit(t, h.m, h.describeJob("sleep 600"))[0]
	all := []*client.Pilot{inTime, good, bad, running}
	if c.heldQueue != "" {
		d := h.describeJob("true")
		d.Queue = c.heldQueue
		queued := submit(t, h.m, d)[0]
		h.nativeID(queued)
		cancelPilot(t, queued)
		h.expectEnd(queued, pilot.Canceled, pilot.CanceledInQueue)
		if n := h.countRuns(queued); n != 0 {
			t.Errorf("canceled in the queue, it ran %d times", n)
		}
	}
	if c.cancelByOther != nil {
		outside := submit(t, h.m, h.describeJob("sleep 600"))[0]
		awaitState(t, outside, pilot.Active)
		c.cancelByOther(h.nativeID(outside))
		h.expectEnd(outside, pilot.Failed, pilot.JobCanceledByThem)
	}
	h.expectEnd(good, pilot.Done, pilot.PayloadFinished)
	h.expectEnd(bad, pilot.Failed, pilot.PayloadFailed)
	awaitState(t, running, pilot.Active)
	cancelPilot(t, running)
	h.expectEnd(running, pilot.Canceled, pilot.CanceledByAgent)
	h.expectEnd(inTime, pilot.Failed, pilot.RuntimeReached)
	h.expectRanOnce(all...)
	if c.system != "" && os.Geteuid() == 0 {
		h.testOutage(c)
	}
}

// testOutage has the scheduler away for a while: pilots run on, end and are canceled, what is
// submitted waits for it, and there is one run of each.
func (h *batchFixture) testOutage(c coreCase) {
	t := h.t
	goes := filepath.Join(h.dir, "goes")
	ps := submit(t, h.m, h.describeJob("until [ -e "+goes+" ]; do sleep 0.2; done"), h.describeJob("sleep 5"), h.describeJob("sleep 600"))
	staying, ending, canceled := ps[0], ps[1], ps[2]
	awaitState(t, staying, pilot.Active)
	awaitState(t, canceled, pilot.Active)
	h.nativeID(ending)
	t.Cleanup(func() { h.controlTestbed(c.system, c.back) })
	h.controlTestbed(c.system, c.away)
	over := time.Now().Add(20 * time.Second)
	late := submit(t, h.m, h.describeJob("true"))[0]
	cancelPilot(t, canceled)
	h.expectEnd(canceled, pilot.Canceled, pilot.CanceledByAgent)
	time.Sleep(time.Until(over)) // it is the outage
	for _, p := range []*client.Pilot{staying, late} {
		if got, err := p.Get(t.Context()); err != nil || got.State.Final() {
			t.Errorf("%s while nobody could know: %s, %+v, %v", p.UID(), got.State, got.Cause, err)
		}
	}
	h.controlTestbed(c.system, c.back)
	h.writeFile("goes", "")
	for _, p := range []*client.Pilot{ending, staying, late} {
		h.expectEnd(p, pilot.Done, pilot.PayloadFinished)
	}
	h.expectRanOnce(staying, ending, canceled, late)
}
