package fakebatch

import (
	"fmt"
	"syscall"
	"time"
)

// oarCommands are those of OAR 2.5: oarsub -S, oarstat -f, oardel,
// https://oar.readthedocs.io/en/2.5/user/. It is not one of Systems: what speaks to
// it is described in a file, docs/systems.d/oar.yaml.
var oarCommands = map[string]command{
	"oarsub": func(c *invocation) {
		c.submitJob(firstOf(c.operands()), func(j *Job) string {
			return "[ADMISSION RULE] Modify resource description with type constraints\nOAR_JOB_ID=" + j.ID
		})
	},
	"oarstat": runOarstat,
	"oardel":  runOardel,
}

func stateOAR(j *Job) string {
	switch {
	case j.State == Ended && j.Why != ByItself:
		return "Error"
	case j.State == Running && !j.Doomed.IsZero():
		return "Finishing"
	}
	return map[State]string{
		Queued: "Waiting", Held: "Hold", Moved: "Waiting", Running: "Running", Suspended: "Suspended", Ended: "Terminated",
	}[j.State]
}

func messageOAR(j *Job) string {
	return map[EndReason]string{
		ByItself: "FIFO scheduling OK", Canceled: "The job was deleted: FRAG_JOB_REQUEST", Overtime: "Job killed: WALLTIME reached",
		NodeFail: "node n1 is Suspected", Memory: "Job killed", Preempted: "Job killed by a besteffort rule", NoStart: "cannot launch: bad working directory",
	}[j.Why]
}

func runOarstat(c *invocation) {
	if c.hasFlag("--version") {
		c.printOut("OAR version : 2.5.9")
		return
	}
	ids := c.flagValue("-j")
	if ids != "" && c.takeFailure(AskFails) {
		c.replyWith(repliesOf["oar"].broken)
		return
	}
	lags := ids != "" && c.takeFailure(HistoryLags)
	for _, j := range c.ownJobs(true) {
		if ids != "" && j.ID != ids || ids == "" && j.State == Ended || lags && j.State == Ended {
			continue
		}
		c.printOut("Job_Id: %s", j.ID)
		for _, f := range [][2]string{
			{"job_array_id", j.ID},
			{"job_array_index", "1"},
			{"name", j.Name},
			{"project", "default"},
			{"owner", j.userName()},
			{"state", stateOAR(j)},
			{"queue", "default"},
			{"command", j.File},
			{"exit_code", fmt.Sprintf("%d (%d,%d,0)", j.Exit<<8|j.Signal, j.Exit, j.Signal)},
			{"submissionTime", stampOAR(j.Submitted)},
			{"startTime", stampOAR(j.Started)},
			{"stopTime", stampOAR(j.Ended)},
			{"message", messageOAR(j)},
		} {
			if f[1] != "" && (f[0] != "exit_code" || j.State == Ended) {
				c.printOut("    %s = %s", f[0], f[1])
			}
		}
		c.printOut("")
	}
	if ids != "" {
		c.injectFailure(historyFailures)
		return
	}
	c.finishListing()
}

func stampOAR(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05") //nolint:gosmopolitan // of the process's zone
}

func runOardel(c *invocation) {
	for _, id := range c.operands("-s") {
		j := c.findJob(id)
		switch {
		case c.takeFailure(CancelRefused) || j != nil && j.User != "":
			c.code = 1
			c.printOut("Deleting the job = %s ...ERROR.", id)
			c.printErr("You are not allowed to delete job %s", id)
		case j == nil:
			c.code = 5
			c.printOut("Deleting the job = %s ...ERROR : unknown job.", id)
		case j.State == Ended:
			c.code = 4
			c.printOut("Deleting the job = %s ...ERROR : already finished.", id)
		case c.flagValue("-s") == "SIGTERM":
			j.sendSignal(syscall.SIGTERM)
			c.printOut("Signaling the job %s with SIGTERM signal.\nDONE.", id)
		default:
			c.cancelJob(j)
			c.printOut("Deleting the job = %s ...REGISTERED.", id)
		}
	}
}
