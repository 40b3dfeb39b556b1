package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/pilot"
)

// renaming is how a real system's jobs are renamed, and let run that waited.
type renaming struct {
	system, variable, closed string
	submit, list             string
	commands                 []string
	rename, open             func(id string) []string
}

var renamings = []renaming{
	{
		system: "slurm", variable: "SLURM_CONF", closed: "down", submit: "sbatch", list: "squeue", commands: slurmCommands,
		rename: func(id string) []string {
			return []string{"scontrol", "update", "jobid=" + id, "jobname=my-analysis", "comment=mine"}
		},
		open: func(id string) []string { return []string{"scontrol", "update", "jobid=" + id, "partition=main"} },
	},
	{
		system: "sge", variable: "SGE_ROOT", closed: "down.q", submit: "qsub", list: "qstat", commands: []string{"qsub", "qstat", "qacct", "qdel"},
		rename: func(id string) []string { return []string{"qalter", "-N", "my-analysis", id} },
		open:   func(id string) []string { return []string{"qalter", "-q", "main.q", id} },
	},
}

// house opens a house on the system.
func (r *renaming) house(t *testing.T) *batchFixture {
	t.Helper()
	h := newBatchFixture(t, r.variable, "generic."+r.system, "local", r.commands...)
	h.startLauncher()
	return h
}

// TestE2EBatchRenamed: a pilot whose job its user calls something else, on a real system,
// waits, runs once and ends as any other; and one that is canceled leaves no job.
func TestE2EBatchRenamed(t *testing.T) {
	for _, c := range renamings {
		t.Run(c.system, func(t *testing.T) {
			h := c.house(t)
			d := h.describeJob("true")
			d.Queue = c.closed
			both := submit(t, h.m, d, d)
			runs, leaves := both[0], both[1]
			for _, p := range both {
				rename := c.rename(h.nativeID(p))
				h.runAsJobUser(rename[0], rename[1:]...)
			}
			before := h.countCalls(c.list)
			h.awaitSlowly("the third list since", func() bool { return h.countCalls(c.list) > before+2 })
			cancelPilot(t, leaves)
			h.expectEnd(leaves, pilot.Canceled, pilot.CanceledInQueue)
			if got, err := runs.Get(t.Context()); err != nil || got.State != pilot.PendingActive || got.Attempt != 1 {
				t.Errorf("renamed in the queue, it is %+v, %v", got, err)
			}
			open := c.open(h.nativeID(runs))
			h.runAsJobUser(open[0], open[1:]...)
			h.expectEnd(runs, pilot.Done, pilot.PayloadFinished)
			if n, none := h.countRuns(runs), h.countRuns(leaves); n != 1 || none != 0 {
				t.Errorf("they ran %d and %d times, want 1 and 0", n, none)
			}
		})
	}
}

// TestE2EBatchRenamedAtOnce: a job that is renamed on a real system before its id is known,
// for the answer to its submit is lost, with its launcher or without, is the pilot's all the
// same: there is one job, and it runs once, or is canceled.
func TestE2EBatchRenamedAtOnce(t *testing.T) {
	for _, c := range renamings {
		t.Run(c.system, func(t *testing.T) {
			h := c.house(t)
			h.writeFile("rename", fmt.Sprintf("#!/bin/sh\n%s\n", strings.Join(c.rename(`"$1"`), " ")))
			d := h.describeJob("true")
			d.Queue = c.closed
			for n, fault := range []string{"rename-after", "rename-die"} {
				h.injectFault(c.submit, fault)
				p := submit(t, h.m, d)[0]
				if fault == "rename-die" {
					h.launcher.wait()
					h.startLauncher()
				}
				id := h.nativeID(p)
				if got, err := p.Get(t.Context()); err != nil || got.Attempt != 1 || h.countCalls(c.submit) != n+1 {
					t.Errorf("%s: attempt %d, %d submits, %v; want 1, %d", fault, got.Attempt, h.countCalls(c.submit), err, n+1)
				}
				open := c.open(id)
				h.runAsJobUser(open[0], open[1:]...)
				h.expectEnd(p, pilot.Done, pilot.PayloadFinished)
				if runs := h.countRuns(p); runs != 1 {
					t.Errorf("%s: it ran %d times", fault, runs)
				}
			}
			h.injectFault(c.submit, "rename-after")
			leaves := submit(t, h.m, d)[0]
			h.awaitFaultTaken(c.submit)
			cancelPilot(t, leaves)
			h.expectEnd(leaves, pilot.Canceled, pilot.CanceledInQueue)
			if n, runs := h.countCalls(c.submit), h.countRuns(leaves); n != 3 || runs != 0 {
				t.Errorf("canceled: %d submits, %d runs, want 3 and 0", n, runs)
			}
		})
	}
}
