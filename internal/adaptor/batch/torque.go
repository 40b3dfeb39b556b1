package batch

import (
	"strconv"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// Torque speaks to Torque. It shows a job that has ended for as long as the
// server's keep_completed says, 300 s by default, and then never again.
var Torque = Dialect{
	Name:          "torque",
	Manual:        "https://docs.adaptivecomputing.com/torque/6-1-2/adminGuide/torque.htm",
	Env:           []string{"LC_ALL=C"},
	Unset:         unsetPBS,
	ParseSubmit:   parseSubmitPBS,
	SubmitPattern: submitPatternPBS,
	Refusals:      refusalsPBS,
	List: func() Query {
		return Query{Argv: scriptCommand("qstat", listPBS), Read: readListPBS(recordTorque)}
	},
	Tokens:         tokensPBS,
	Cancel:         cancelPBS,
	CancelAccepted: cancelAcceptedPBS,
	Gone:           gonePBS,
	Harmless:       harmlessPBS,
	States:         statesPBS,
	Reasons:        reasonsPBS,
	Probe:          []string{"qstat", "-B"},
}

// exitStatusTorque: "Job exit status" in the administrator's guide, JOB_EXEC_*.
var exitStatusTorque = map[int]StateMeaning{
	-1:  {Cause: pilot.BootstrapFailed}, // before files
	-2:  {Cause: pilot.BootstrapFailed}, // after files
	-3:  {Cause: pilot.BootstrapFailed}, // to be tried again
	-4:  {Cause: pilot.NodeFailed},      // aborted when its node came back
	-5:  {Cause: pilot.NodeFailed},
	-6:  {Cause: pilot.NodeFailed},
	-7:  {Cause: pilot.BootstrapFailed}, // restart
	-8:  {Cause: pilot.BootstrapFailed}, // exec of the command
	-9:  {Cause: pilot.BootstrapFailed}, // files of output
	-10: {Cause: pilot.OutOfMemory},
	-11: {Cause: pilot.RuntimeReached},
	-12: {Cause: pilot.RuntimeReached},  // CPU time
	-13: {Cause: pilot.BootstrapFailed}, // cgroup
	-14: {Cause: pilot.BootstrapFailed}, // prologue
}

func recordTorque(f map[string]string) Record {
	rec := recordPBS(f)
	rec.Started, rec.EndedAt = timePBS(f["start_time"]), timePBS(f["comp_time"])
	rec.Restarts = countRestarts(f["start_count"])
	if isPending(&rec) {
		rec.Started = time.Time{} // of a run before
	}
	rec.clearEnd()
	status := f["exit_status"]
	if status == "" {
		status = f["Exit_status"]
	}
	rec.applyExitPBS(status, exitStatusTorque, f)
	if rec.Phase == adaptor.Ended && status == "" {
		rec.Cause = pilot.JobCanceledByThem // before it began
	}
	return rec
}

// countRestarts is one less than the times that a job was begun.
func countRestarts(begun string) int {
	n, err := strconv.Atoi(begun)
	if err != nil || n < 1 {
		return 0
	}
	return n - 1
}
