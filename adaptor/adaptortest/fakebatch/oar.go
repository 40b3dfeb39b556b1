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
	"oarsub": func(c *call) {
		c.submit(first(c.operands()), func(j *Job) string {
			return "[ADMISSION RULE] Modify resource description with type constraints\nOAR_JOB_ID=" + j.ID
		})
	},
	"oarstat": oarstat,
	"oardel":  oardel,
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
	return map[Why]string{
		ByItself: "FIFO scheduling OK", Canceled: "The job was deleted: FRAG_JOB_REQUEST", Overtime: "Job killed: WALLTIME reached",
		NodeFail: "node n1 is Suspected", Memory: "Job killed", Preempted: "Job killed by a besteffort rule", NoStart: "cannot launch: bad working directory",
	}[j.Why]
}

func oarstat(c *call) {
	if c.has("--version") {
		c.say("OAR version : 2.5.9")
		return
	}
	ids := c.flag("-j")
	if ids != "" && c.take(AskFails) {
		c.refuse(says["oar"].broken)
		return
	}
	lags := ids != "" && c.take(HistoryLags)
	for _, j := range c.mine(true) {
		if ids != "" && j.ID != ids || ids == "" && j.State == Ended || lags && j.State == Ended {
			continue
		}
		c.say("Job_Id: %s", j.ID)
		for _, f := range [][2]string{
			{"job_array_id", j.ID},
			{"job_array_index", "1"},
			{"name", j.Name},
			{"project", "default"},
			{"owner", j.user()},
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
				c.say("    %s = %s", f[0], f[1])
			}
		}
		c.say("")
	}
	if ids != "" {
		c.faulty(ofHistory)
		return
	}
	c.listed()
}

func stampOAR(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05") //nolint:gosmopolitan // of the process's zone
}

func oardel(c *call) {
	for _, id := range c.operands("-s") {
		j := c.find(id)
		switch {
		case c.take(CancelRefused) || j != nil && j.User != "":
			c.code = 1
			c.say("Deleting the job = %s ...ERROR.", id)
			c.warn("You are not allowed to delete job %s", id)
		case j == nil:
			c.code = 5
			c.say("Deleting the job = %s ...ERROR : unknown job.", id)
		case j.State == Ended:
			c.code = 4
			c.say("Deleting the job = %s ...ERROR : already finished.", id)
		case c.flag("-s") == "SIGTERM":
			j.signal(syscall.SIGTERM)
			c.say("Signaling the job %s with SIGTERM signal.\nDONE.", id)
		default:
			c.cancel(j)
			c.say("Deleting the job = %s ...REGISTERED.", id)
		}
	}
}
