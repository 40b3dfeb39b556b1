package batch

import (
	"regexp"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// PBSPro speaks to PBS Professional and OpenPBS.
var PBSPro = Dialect{
	Name:          "pbspro",
	Manual:        "https://github.com/openpbs/openpbs/blob/master/doc/man1/qstat.1B",
	Env:           []string{"LC_ALL=C"},
	Unset:         unsetPBS,
	ParseSubmit:   parseSubmitPBS,
	SubmitPattern: submitPatternPBS,
	Refusals:      refusalsPBS,
	List: func() Query {
		return Query{Argv: scriptCommand("qstat", listPBS), Read: readListPBS(recordPBSPro)}
	},
	History: func(jobs []Ref, _ time.Time) Query {
		return Query{
			Argv: append(utcCommand("qstat", "-x", "-f"), idsOf(jobs)...),
			Read: readQstatF(withTokenPBS(recordPBSPro)),
		}
	},
	Recent: func(since time.Time) Query {
		return Query{
			Argv: scriptCommand("qstat", listPBS, "-x", "-t", "c.gt."+since.UTC().Format("200601021504.05")),
			Read: readListPBS(recordPBSPro), NoHistory: noHistoryPBS,
		}
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

// noHistoryPBS: where no history is kept, which is the default, qselect says so and exits
// with 0 (openpbs, pbs_messages.c: msg_job_history_notset).
var noHistoryPBS = regexp.MustCompile(`not configured to maintain job history`)

// statesPBS: qstat(1B), "job_state"; C is Torque's. One that was moved to another
// server is there, in whatever state: of it this server knows nothing.
var statesPBS = map[string]StateMeaning{
	"Q": {Phase: adaptor.Queued},
	"T": {Phase: adaptor.Queued}, // on its way
	"H": {Phase: adaptor.Held},
	"W": {Phase: adaptor.Held}, // for its time, or its files
	"M": {Phase: adaptor.Unknown},
	"R": {Phase: adaptor.Running},
	"B": {Phase: adaptor.Running}, // an array has begun
	"S": {Phase: adaptor.Suspended},
	"U": {Phase: adaptor.Suspended}, // the workstation's user is back
	"E": {Phase: adaptor.Completing},
	"F": {Phase: adaptor.Ended},
	"X": {Phase: adaptor.Ended}, // of an array
	"C": {Phase: adaptor.Ended},
}

func phasePBS(state string) adaptor.Phase {
	if w, ok := statesPBS[state]; ok {
		return w.Phase
	}
	return adaptor.Unknown
}

// Substates of ended jobs; PBS Professional Reference Guide, "Job Substates".
const substateTerminated = "91" // deleted, or ended by PBS

// exitStatusPBSPro: openpbs src/include/job.h, JOB_EXEC_*.
var exitStatusPBSPro = map[int]StateMeaning{
	-1:  {Cause: pilot.BootstrapFailed}, // before files
	-2:  {Cause: pilot.BootstrapFailed}, // after files
	-3:  {Cause: pilot.BootstrapFailed}, // to be tried again
	-4:  {Cause: pilot.NodeFailed},      // aborted when its node came back
	-5:  {Cause: pilot.NodeFailed},
	-6:  {Cause: pilot.NodeFailed},
	-7:  {Cause: pilot.BootstrapFailed},   // restart from a checkpoint
	-10: {Cause: pilot.BootstrapFailed},   // user or group unknown there
	-11: {Cause: pilot.Preempted},         // rerun
	-12: {Cause: pilot.Preempted},         // checkpointed and killed
	-13: {Cause: pilot.BootstrapFailed},   // password
	-14: {Cause: pilot.NodeFailed},        // a sister did not answer
	-15: {Cause: pilot.Preempted},         // to be restarted from a checkpoint
	-16: {Cause: pilot.BootstrapFailed},   // refused by a hook
	-17: {Cause: pilot.BootstrapFailed},   // refused by a hook
	-18: {Cause: pilot.Preempted},         // rerun by a hook
	-19: {Cause: pilot.JobCanceledByThem}, // deleted by a hook
	-20: {Cause: pilot.NodeFailed},        // the first node was lost
	-21: {Cause: pilot.BootstrapFailed},   // security breach
	-22: {Cause: pilot.BootstrapFailed},   // a hook broke
	-23: {Cause: pilot.BootstrapFailed},   // Kerberos
	-24: {Cause: pilot.JobCanceledByThem}, // too many CPUs at once
	-25: {Cause: pilot.JobCanceledByThem}, // too many CPUs on average
	-26: {Cause: pilot.OutOfMemory},       // vmem
	-27: {Cause: pilot.OutOfMemory},       // mem
	-28: {Cause: pilot.RuntimeReached},    // CPU time
	-29: {Cause: pilot.RuntimeReached},    // walltime
}

func recordPBSPro(f map[string]string) Record {
	rec := recordPBS(f)
	rec.Started, rec.EndedAt = timePBS(f["stime"]), timePBS(f["obittime"])
	rec.Restarts = countRestarts(f["run_count"])
	rec.applyExitPBS(f["Exit_status"], exitStatusPBSPro, f)
	switch {
	case rec.Phase != adaptor.Ended:
		rec.clearEnd()
		if isPending(&rec) {
			rec.Started = time.Time{} // of a run before
		}
		if rec.Native == "M" {
			rec.Reason = "moved to " + f["queue"]
		}
		return rec
	case rec.EndedAt.IsZero():
		rec.EndedAt = timePBS(f["mtime"])
	}
	if rec.Cause == "" && f["substate"] == substateTerminated {
		rec.Cause = pilot.JobCanceledByThem
	}
	if said := causeOf(reasonsPBS, rec.Reason); said == pilot.Preempted && rec.Cause != pilot.RuntimeReached {
		rec.Cause = said
	}
	return rec
}
