package e2e_test

import (
	"testing"

	"github.com/flightlog/flightlog/pilot"
)

// TestE2EBatchRenamed: a pilot whose job its user calls something else, on a real system,
// waits, runs once and ends as any other; and one that is canceled leaves no job.
func TestE2EBatchRenamed(t *testing.T) {
	for _, c := range []struct {
		system, variable, closed string
		list                     string
		commands                 []string
		rename, open             func(id string) []string
	}{
		{
			system: "slurm", variable: "SLURM_CONF", closed: "down", list: "squeue", commands: slurmCommands,
			rename: func(id string) []string {
				return []string{"scontrol", "update", "jobid=" + id, "jobname=my-analysis", "comment=mine"}
			},
			open: func(id string) []string { return []string{"scontrol", "update", "jobid=" + id, "partition=main"} },
		},
		{
			system: "sge", variable: "SGE_ROOT", closed: "down.q", list: "qstat", commands: []string{"qsub", "qstat", "qacct", "qdel"},
			rename: func(id string) []string { return []string{"qalter", "-N", "my-analysis", id} },
			open:   func(id string) []string { return []string{"qalter", "-q", "main.q", id} },
		},
	} {
		t.Run(c.system, func(t *testing.T) {
			h := newBatchHouse(t, c.variable, "generic."+c.system, "local", c.commands...)
			h.launch()
			d := h.job("true")
			d.Queue = c.closed
			both := submit(t, h.m, d, d)
			runs, leaves := both[0], both[1]
			for _, p := range both {
				rename := c.rename(h.native(p))
				h.command(rename[0], rename[1:]...)
			}
			before := h.calls(c.list)
			h.until("the third list since", func() bool { return h.calls(c.list) > before+2 })
			cancel(t, leaves)
			h.ends(leaves, pilot.Canceled, pilot.CanceledInQueue)
			if got, err := runs.Get(t.Context()); err != nil || got.State != pilot.PendingActive || got.Attempt != 1 {
				t.Errorf("renamed in the queue, it is %+v, %v", got, err)
			}
			open := c.open(h.native(runs))
			h.command(open[0], open[1:]...)
			h.ends(runs, pilot.Done, pilot.PayloadFinished)
			if n, none := h.runs(runs), h.runs(leaves); n != 1 || none != 0 {
				t.Errorf("they ran %d and %d times, want 1 and 0", n, none)
			}
		})
	}
}
