package fakebatch

import (
	"fmt"
	"strings"
	"syscall"
	"time"
)

// pbsCommands are those of OpenPBS 23 and of Torque 6.1: qsub(1B), qstat(1B),
// qselect(1B), qdel(1B), qsig(1B),
// https://github.com/openpbs/openpbs/tree/master/doc/man1, and
// https://docs.adaptivecomputing.com/torque/6-1-2/adminGuide/torque.htm. Exit codes
// are errors of pbs_error.h modulo 256. Torque has no -x and calls an ended job C.
var pbsCommands = map[string]command{
	"qsub":    func(c *invocation) { c.submitJob(firstOf(c.operands()), func(j *Job) string { return j.ID }) },
	"qselect": runQselect,
	"qstat":   runQstatPBS,
	"qdel":    runQdelPBS,
	"qsig":    runQsig,
}

func (c *invocation) isTorque() bool { return c.System == "torque" }

// visibleJobs are the jobs that qstat and qselect show: Torque has those that ended, for
// a while, among the others, and no memory of them besides.
func (c *invocation) visibleJobs(history bool) []*Job {
	if c.isTorque() {
		return c.listedJobs(false)
	}
	var out []*Job
	for _, j := range c.listedJobs(history) {
		if history || j.State != Ended && j.State != Moved {
			out = append(out, j)
		}
	}
	return out
}

func runQselect(c *invocation) {
	if c.hasFlag("-x") && c.takeFailure(HistoryOff) {
		c.replyWith(repliesOf[c.System].noHistory)
		return
	}
	for _, j := range c.visibleJobs(c.hasFlag("-x")) {
		if user := c.flagValue("-u"); user == "" || user == j.userName() {
			c.printOut("%s", j.ID)
		}
	}
	if c.hasFlag("-x") {
		c.injectFailure(historyFailures)
	}
}

func runQstatPBS(c *invocation) {
	if c.hasFlag("-B") {
		c.printOut("Server             Max   Tot   Que   Run   Hld   Wat   Trn   Ext Status")
		c.printOut("---------------- ----- ----- ----- ----- ----- ----- ----- ----- -----------")
		c.printOut("fake                 0     0     0     0     0     0     0     0 Active")
		return
	}
	history := c.hasFlag("-x")
	ids := c.operands()
	if len(ids) == 0 {
		for _, j := range c.visibleJobs(history) {
			ids = append(ids, j.ID)
		}
	}
	lags := history && c.takeFailure(HistoryLags)
	for _, id := range ids {
		j := c.findJob(id)
		switch {
		case j == nil || j.Hidden && !history || c.isTorque() && j.Hidden || lags && j.State == Ended:
			c.code = 153
			c.printErr("qstat: Unknown Job Id %s", id)
		case j.State == Ended && !history && !c.isTorque():
			c.code = 35
			c.printErr("qstat: %s Job has finished, use -x or -H to obtain historical job information", id)
		default:
			c.printFull(j)
		}
	}
	if history {
		c.injectFailure(historyFailures)
		return
	}
	c.finishListing()
}

func statePBS(j *Job, torque bool) string {
	switch {
	case j.State == Ended && torque:
		return "C"
	case j.State == Running && !j.Doomed.IsZero():
		return "E"
	}
	return map[State]string{Queued: "Q", Held: "H", Running: "R", Suspended: "S", Moved: "M", Ended: "F"}[j.State]
}

// exitPBS: 256 and the signal, or PBS's own word.
func exitPBS(j *Job, torque bool) int {
	switch {
	case j.Why == Overtime && torque:
		return -11
	case j.Why == Overtime:
		return -29
	case j.Why == Memory && torque:
		return -10
	case j.Why == Memory:
		return -27
	case j.Why == NodeFail && torque:
		return -4
	case j.Why == NodeFail:
		return -20
	case j.Why == NoStart:
		return -1
	case j.Signal != 0:
		return 256 + j.Signal
	}
	return j.Exit
}

// printFull prints a job as qstat -f does: long values are wrapped at a comma, else
// wherever the line is full, and go on after a tab.
func (c *invocation) printFull(j *Job) {
	c.printOut("Job Id: %s", j.ID)
	put := func(name, value string) {
		if value != "" {
			c.printOut("%s", wrapLine(fmt.Sprintf("    %s = %s", name, value)))
		}
	}
	put("Job_Name", j.Name)
	put("Job_Owner", j.userName()+"@fake")
	if j.State == Ended && !j.Started.IsZero() {
		put("resources_used.walltime", formatClock(j.Ended.Sub(j.Started)))
	}
	put("job_state", statePBS(j, c.isTorque()))
	put("queue", "workq")
	put("server", "fake")
	put("ctime", formatCtime(j.Submitted))
	if !j.Started.IsZero() {
		put("exec_host", "n1/0*1")
	}
	put("mtime", formatCtime(time.Now()))
	put("Resource_List.walltime", formatClock(j.Limit))
	start, exit, end := "stime", "Exit_status", "obittime"
	if c.isTorque() {
		start, exit, end = "start_time", "exit_status", "comp_time"
	}
	put(start, formatCtime(j.Started))
	if j.State == Ended && !c.isTorque() {
		put("substate", map[bool]string{true: "91", false: "92"}[j.Why == Canceled])
	}
	put("Variable_List", "PBS_O_HOME=/home/me,PBS_O_LANG=C,PBS_O_PATH=/usr/local/bin:/usr/bin:/bin,PILOT_TOKEN="+j.Token+",PBS_O_QUEUE=workq,PBS_O_HOST=fake")
	comment := j.Reason
	if j.Why == Preempted {
		comment = "Job preempted by job 99.fake"
	}
	put("comment", comment)
	put("run_count", fmt.Sprint(j.Runs))
	if j.State == Ended && !j.Started.IsZero() {
		put(exit, fmt.Sprint(exitPBS(j, c.isTorque())))
	}
	put(end, formatCtime(j.Ended))
	c.printOut("")
}

// width is where qstat -f breaks a line.
const width = 78

func wrapLine(s string) string {
	var b strings.Builder
	for len(s) > width {
		at := width
		if comma := strings.LastIndexByte(s[:width], ','); comma > 40 {
			at = comma + 1
		}
		b.WriteString(s[:at] + "\n\t")
		s = s[at:]
	}
	return b.String() + s
}

func formatCtime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.ANSIC) //nolint:gosmopolitan // ctime(3) is of the process's zone
}

func formatClock(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

func runQdelPBS(c *invocation) {
	for _, id := range c.operands("-W") {
		if c.takeFailure(CancelRefused) {
			c.code = 159
			c.printErr("qdel: Unauthorized Request  %s", id)
			continue
		}
		j := c.findJob(id)
		switch {
		case j == nil || c.isTorque() && j.Hidden:
			c.code = 153
			c.printErr("qdel: Unknown Job Id %s", id)
		case j.State == Ended && c.isTorque():
			c.code = 170
			c.printErr("qdel: Request invalid for state of job MSG=invalid state for job - COMPLETE %s", id)
		case j.State == Ended:
			c.code = 35
			c.printErr("qdel: Job has finished %s", id)
		case j.User != "":
			c.code = 159
			c.printErr("qdel: Unauthorized Request  %s", id)
		default:
			c.cancelJob(j)
		}
	}
}

func runQsig(c *invocation) {
	for _, id := range c.operands("-s") {
		j := c.findJob(id)
		switch {
		case j == nil:
			c.code = 153
			c.printErr("qsig: Unknown Job Id %s", id)
		case j.State == Ended:
			c.code = 35
			c.printErr("qsig: Job has finished %s", id)
		case j.State != Running || j.User != "":
			c.code = 168
			c.printErr("qsig: Request invalid for state of job %s", id)
		case strings.TrimPrefix(c.flagValue("-s"), "SIG") == "KILL":
			j.sendSignal(syscall.SIGKILL)
		default:
			j.sendSignal(syscall.SIGTERM)
		}
	}
}
