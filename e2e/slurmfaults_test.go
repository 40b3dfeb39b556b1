package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// newBreakableSlurm is a house on a SLURM that may be broken, and is whole again
// when the test has ended.
func newBreakableSlurm(t *testing.T) *batchFixture {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can break SLURM")
	}
	h := newSlurm(t)
	t.Cleanup(func() { h.controlSlurm("start-ctld") })
	return h
}

// controlSlurm breaks SLURM, or mends it.
func (h *batchFixture) controlSlurm(args ...string) {
	h.t.Helper()
	h.controlTestbed("slurm", args...)
}

// controlTestbed breaks a batch system, or mends it; see scripts/testbed.
func (h *batchFixture) controlTestbed(system string, args ...string) {
	h.t.Helper()
	if out, err := exec.Command("../scripts/testbed/"+system+".sh", args...).CombinedOutput(); err != nil {
		h.t.Fatalf("%s.sh %v: %v\n%s", system, args, err, out)
	}
}

// runAsRoot runs a command of SLURM as root, who is another user than the pilots'.
func (h *batchFixture) runAsRoot(name string, args ...string) string {
	h.t.Helper()
	return h.runAsCredential(nil, name, args...)
}

// awaitPhase waits until a pilot is seen in a phase by its batch system.
func (h *batchFixture) awaitPhase(p *client.Pilot, phase string) {
	h.t.Helper()
	for ch, err := range p.Watch(h.t.Context(), client.WatchOptions{Replay: client.ReplayCurrent}) {
		if err != nil {
			h.t.Fatalf("%s is not seen %s: %v", p.UID(), phase, err)
		}
		if ch.Pilot.Job != nil && ch.Pilot.Job.Phase == phase {
			return
		}
		if ch.Pilot.State.Final() {
			h.t.Fatalf("%s ended before it was seen %s; %s", p.UID(), phase, h.historyText(p))
		}
	}
}

// expectRanOnce sees that payloads ran one time.
func (h *batchFixture) expectRanOnce(pilots ...*client.Pilot) {
	h.t.Helper()
	for _, p := range pilots {
		if n := h.countRuns(p); n != 1 {
			h.t.Errorf("the payload of %s ran %d times", p.UID(), n)
		}
	}
}

// TestE2EBatchSlurmAway: for a minute there is no slurmctld. Pilots run on, end, are
// canceled and are submitted as if nothing were.
func TestE2EBatchSlurmAway(t *testing.T) {
	h := newBreakableSlurm(t)
	ps := submit(t, h.m, h.describeJob("sleep 15"), h.describeJob("sleep 90"), h.describeJob("sleep 600"))
	ending, staying, canceled := ps[0], ps[1], ps[2]
	d := h.describeJob("true")
	d.Queue = "down"
	queued := submit(t, h.m, d)[0]
	for _, p := range ps {
		awaitState(t, p, pilot.Active)
	}
	h.nativeID(queued)

	h.controlSlurm("stop-ctld")
	back := time.Now().Add(time.Minute)
	late := submit(t, h.m, h.describeJob("true"), h.describeJob("exit 3"))
	cancelPilot(t, canceled)
	cancelPilot(t, queued)
	h.expectEnd(canceled, pilot.Canceled, pilot.CanceledByAgent)
	h.expectEnd(ending, pilot.Done, pilot.PayloadFinished)
	time.Sleep(time.Until(back)) // it is the outage
	for _, p := range append(late, queued) {
		if got, err := p.Get(t.Context()); err != nil || got.State.Final() {
			t.Errorf("%s while nobody could know: %s, %+v, %v", p.UID(), got.State, got.Cause, err)
		}
	}
	h.controlSlurm("start-ctld")

	h.expectEnd(queued, pilot.Canceled, pilot.CanceledInQueue)
	h.expectEnd(late[0], pilot.Done, pilot.PayloadFinished)
	h.expectEnd(late[1], pilot.Failed, pilot.PayloadFailed)
	h.expectEnd(staying, pilot.Done, pilot.PayloadFinished)
	h.expectRanOnce(ending, staying, canceled, late[0], late[1])
	h.awaitNoJobs()
	t.Logf("asked SLURM: sbatch %d times, squeue %d, sacct %d, scancel %d",
		h.countCalls("sbatch"), h.countCalls("squeue"), h.countCalls("sacct"), h.countCalls("scancel"))
}

// TestE2EBatchSlurmForgets: a slurmctld that is killed forgets its last seconds, and
// gives the ids of pilots' jobs to others: these are let alone, and say nothing about
// pilots. SLURM ends what it has forgotten, and starts again what it remembers as queued, which then
// refuses: those pilots are lost, and said to be.
func TestE2EBatchSlurmForgets(t *testing.T) {
	if testing.Short() {
		t.Skip("SLURM takes minutes to notice what it does not know")
	}
	h := newBreakableSlurm(t)
	t.Cleanup(func() { h.controlSlurm("up") }) // nodes are drained if two jobs of one id meet there
	ps := submit(t, h.m, h.describeJob("sleep 45"), h.describeJob("sleep 600"), h.describeJob("sleep 600"))
	ids := make([]string, len(ps))
	last := 0
	for i, p := range ps {
		awaitState(t, p, pilot.Active)
		ids[i] = h.nativeID(p)
		last = max(last, atoi(t, ids[i]))
	}
	h.controlSlurm("kill-ctld")
	h.controlSlurm("start-ctld")
	known := h.runAsJobUser("squeue", "--me", "--noheader", "--states=RUNNING,COMPLETING", "--format=%k")

	// Jobs of another user, until all those ids are taken.
	theirs := map[string]bool{}
	for newest := 0; newest <= last; {
		id := h.runAsRoot("sbatch", "--parsable", "--output=/dev/null", "--wrap", "exec sleep 600")
		t.Cleanup(func() { _ = exec.Command("scancel", id).Run() })
		theirs[id], newest = true, atoi(t, id)
	}
	forgotten := make([]bool, len(ps))
	for i, p := range ps {
		forgotten[i] = !strings.Contains(known, "."+p.UID()+".")
		t.Logf("job %s: forgotten %t, given to another user too %t", ids[i], forgotten[i], theirs[ids[i]])
	}

	cancelPilot(t, ps[1])
	if theirs[ids[2]] { // the other job of that id ends
		h.runAsRoot("scancel", ids[2])
		delete(theirs, ids[2])
	}
	if forgotten[0] {
		h.expectState(ps[0], pilot.Failed)
	} else {
		h.expectEnd(ps[0], pilot.Done, pilot.PayloadFinished)
	}
	if forgotten[2] {
		h.expectState(ps[2], pilot.Failed)
	} else {
		awaitState(t, ps[2], pilot.Active)
		cancelPilot(t, ps[2])
		h.expectState(ps[2], pilot.Canceled)
	}
	h.expectState(ps[1], pilot.Canceled)
	h.expectRanOnce(ps...)
	for id := range theirs {
		if out := h.runAsRoot("squeue", "--noheader", "--jobs="+id, "--format=%T"); out != "RUNNING" && out != "PENDING" {
			t.Errorf("job %s of another user is %q", id, out)
		}
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestE2EBatchSlurmTakes: SLURM itself ends jobs, in each way that it has.
func TestE2EBatchSlurmTakes(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes SLURM two minutes")
	}
	h := newBreakableSlurm(t)

	// Time: the agent is stopped, so that only SLURM can see to it.
	d := h.describeJob("sleep 600")
	d.Runtime = pilot.Runtime(time.Minute)
	over := submit(t, h.m, d)[0]

	// A job that gives way to one of a better partition, and may not be requeued.
	d = h.describeJob("sleep 600")
	d.Queue = "scavenge"
	preempted := submit(t, h.m, d)[0]

	// One that somebody lets be requeued, and requeues.
	requeued := submit(t, h.m, h.describeJob("sleep 600"))[0]
	for _, p := range []*client.Pilot{over, preempted, requeued} {
		awaitState(t, p, pilot.Active)
	}
	h.stopAgent(over)

	h.runAsRoot("scontrol", "update", "jobid="+h.nativeID(requeued), "Requeue=1")
	h.runAsRoot("scontrol", "requeue", h.nativeID(requeued))
	h.awaitPhase(requeued, "held") // for two minutes, by SLURM's rule
	h.runAsRoot("scontrol", "update", "jobid="+h.nativeID(requeued), "StartTime=now")
	h.expectEnd(requeued, pilot.Failed, pilot.JobCanceledByThem)

	all := h.runAsRoot("sbatch", "--parsable", "--exclusive", "--nodes=2", "--output=/dev/null", "--wrap", "exec sleep 300")
	t.Cleanup(func() { _ = exec.Command("scancel", all).Run() })
	h.expectEnd(preempted, pilot.Failed, pilot.Preempted)
	h.runAsRoot("scancel", all)

	h.expectEnd(over, pilot.Failed, pilot.RuntimeReached)
	h.expectRanOnce(over, preempted, requeued)
	h.awaitNoJobs()
}

// TestE2EBatchSlurmLosesANode: what ran there has failed, and the cause says why.
func TestE2EBatchSlurmLosesANode(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes SLURM most of a minute to miss one")
	}
	h := newBreakableSlurm(t)
	lost := submit(t, h.m, h.describeJob("sleep 600"))[0]
	awaitState(t, lost, pilot.Active)
	node := h.runAsRoot("squeue", "--noheader", "--jobs="+h.nativeID(lost), "--format=%N")
	t.Cleanup(func() { h.controlSlurm("start-node", node) })
	h.controlSlurm("kill-node", node, "--down")
	h.expectEnd(lost, pilot.Failed, pilot.NodeFailed)
	h.expectRanOnce(lost)
	h.awaitNoJobs()
}

// stopAgent stops, but does not end, the agent of a pilot.
func (h *batchFixture) stopAgent(p *client.Pilot) {
	h.t.Helper()
	for _, pid := range h.processes() {
		environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err == nil && strings.HasPrefix(filepath.Base(exe), "flightlog-agent-") && strings.Contains(string(environ), "PILOT_UID="+p.UID()+"\x00") {
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				h.t.Fatal(err)
			}
			return
		}
	}
	h.t.Fatalf("%s has no agent", p.UID())
}

// TestE2EBatchSlurmMany: the number of commands does not grow with that of pilots, but
// for the submits.
func TestE2EBatchSlurmMany(t *testing.T) {
	h := newBreakableSlurm(t)
	descs := make([]pilot.Description, 200)
	for i := range descs {
		descs[i] = h.describeJob("sleep 5")
	}
	begun := time.Now()
	ps := submit(t, h.m, descs...)
	awaitAll(t, h.m)
	took := time.Since(begun)
	got, err := h.m.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got {
		if p.State != pilot.Done {
			t.Errorf("%s is %s, %+v", p.UID, p.State, p.Cause)
		}
	}
	h.expectRanOnce(ps...)
	if n := h.countCalls("sbatch"); n != len(ps) {
		t.Errorf("sbatch was called %d times for %d pilots", n, len(ps))
	}
	// Each find takes a listing, which those that find at the same time share.
	if n := h.countCalls("squeue") + h.countCalls("sacct"); n > len(ps) {
		t.Errorf("%d queries for %d pilots", n, len(ps))
	}
	t.Logf("%d pilots in %s: sbatch %d, squeue %d, sacct %d, scancel %d",
		len(ps), took.Round(time.Second), h.countCalls("sbatch"), h.countCalls("squeue"), h.countCalls("sacct"), h.countCalls("scancel"))
}

// TestE2EBatchSlurmPolls: a thousand pilots have SLURM asked as often as one does.
func TestE2EBatchSlurmPolls(t *testing.T) {
	if testing.Short() {
		t.Skip("it watches for two minutes, three times")
	}
	h := newSlurm(t)
	d := h.describeJob("true")
	d.Queue = "down"
	there := 0
	for _, count := range []int{1, 100, 1000} {
		descs := make([]pilot.Description, count-there)
		for i := range descs {
			descs[i] = d
		}
		submit(t, h.m, descs...)
		there = count
		if w, err := h.m.WaitAll(t.Context(), client.WaitOptions{States: []pilot.State{pilot.PendingActive}, Timeout: 2 * time.Minute}); err != nil || w.TimedOut {
			t.Fatalf("they do not get there: %v", err)
		}
		time.Sleep(30 * time.Second) // listings that the submits have asked for
		squeues, others := h.countCalls("squeue"), h.countCalls("sacct")+h.countCalls("scancel")
		time.Sleep(2 * time.Minute) // it is what is watched
		squeues, others = h.countCalls("squeue")-squeues, h.countCalls("sacct")+h.countCalls("scancel")-others
		t.Logf("%d pilots wait: %d squeue, %d other calls in 2 minutes", count, squeues, others)
		if squeues > 6 || others != 0 {
			t.Errorf("%d pilots wait: %d squeue, %d other calls in 2 minutes", count, squeues, others)
		}
	}
	h.runAsJobUser("scancel", "--me", "--partition=down")
}
