package fakebatch

import (
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lsfCommands are those of IBM Spectrum LSF 10.1: bsub, bjobs -o, bhist -l -UF, bkill,
// bparams, https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=reference-command.
// An empty listing is words on stderr.
var lsfCommands = map[string]command{
	"bsub": func(c *invocation) {
		c.submitJob(firstOf(c.operands()), func(j *Job) string { return "Job <" + j.ID + "> is submitted to default queue <normal>." })
	},
	"bjobs":   runBjobs,
	"bhist":   runBhist,
	"bkill":   runBkill,
	"bparams": func(c *invocation) { c.printOut("Default Queues:  normal") },
}

func statLSF(j *Job) string {
	switch {
	case j.State == Ended && j.Exit == 0 && j.Signal == 0 && j.Why == ByItself:
		return "DONE"
	case j.State == Ended:
		return "EXIT"
	}
	return map[State]string{Queued: "PEND", Moved: "FWD_PEND", Held: "PSUSP", Running: "RUN", Suspended: "USUSP"}[j.State]
}

// termLSF is LSF's word for what ended a job.
func termLSF(j *Job) string {
	return map[EndReason]string{
		Canceled: "TERM_OWNER: job killed by owner", Overtime: "TERM_RUNLIMIT: job killed after reaching LSF run time limit",
		Memory: "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit", Preempted: "TERM_PREEMPT: job killed after preemption",
		NodeFail: "TERM_ZOMBIE: zombie job", NoStart: "TERM_CWD_NOTEXIST: current working directory does not exist",
	}[j.Why]
}

// codeLSF: of a job that a signal ended, 128 and the signal.
func codeLSF(j *Job) int {
	if j.Signal != 0 {
		return 128 + j.Signal
	}
	return j.Exit
}

func runBjobs(c *invocation) {
	format, delimiter, _ := strings.Cut(c.flagValue("-o"), " delimiter=")
	delimiter = strings.Trim(delimiter, "'")
	fields := strings.Fields(format)
	jobs := c.ownJobs(false)
	if len(jobs) == 0 {
		c.code = 255 // LSB_BJOBS_CONSISTENT_EXIT_CODE=Y
		c.printErr("No job found")
		c.finishListing()
		return
	}
	c.printOut("%s", strings.ToUpper(strings.Join(fields, delimiter)))
	for _, j := range jobs {
		value := map[string]string{
			"jobid": j.ID, "stat": statLSF(j), "job_name": j.Name, "job_description": j.Token, "submit_time": stampLSF(j.Submitted),
			"start_time": stampLSF(j.Started), "finish_time": finishLSF(j), "exec_host": nodeOf(j),
		}
		if j.State == Ended {
			value["exit_code"], value["exit_reason"] = strconv.Itoa(codeLSF(j)), termLSF(j)
		}
		if j.State == Queued || j.State == Held {
			value["pend_reason"] = j.Reason
		}
		row := make([]string, len(fields))
		for i, f := range fields {
			if row[i] = value[f]; row[i] == "" {
				row[i] = "-"
			}
		}
		c.printOut("%s", strings.Join(row, delimiter))
	}
	c.finishListing()
}

// finishLSF is when a job ended, or when its run limit will end it.
func finishLSF(j *Job) string {
	if j.State == Running && j.Limit > 0 {
		return stampLSF(j.Started.Add(j.Limit)) + " L"
	}
	return stampLSF(j.Ended)
}

// stampLSF has neither seconds nor a year.
func stampLSF(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("Jan _2 15:04") //nolint:gosmopolitan // of the process's zone
}

// runBhist prints events; -UF keeps each on one line.
func runBhist(c *invocation) {
	if c.takeFailure(HistoryOff) {
		c.replyWith(repliesOf["lsf"].noHistory)
		return
	}
	if c.takeFailure(AskFails) {
		c.replyWith(repliesOf["lsf"].broken)
		return
	}
	lags := c.takeFailure(HistoryLags)
	n := 0
	for _, id := range c.operands("-n") {
		j := c.findJob(id)
		if j == nil || lags && j.State == Ended {
			continue
		}
		n++
		event := func(t time.Time, text string) {
			if !t.IsZero() {
				c.printOut("%s", foldLine(t.Local().Format("Mon Jan _2 15:04:05")+": "+text, c.hasFlag("-UF"))) //nolint:gosmopolitan // of the process's zone
			}
		}
		c.printOut("%s", foldLine("Job <"+j.ID+">, Job Name <"+j.Name+">, Job Description <"+j.Context+">, User <"+j.userName()+
			">, Project <default>, Command <#!/bin/bash -l>", c.hasFlag("-UF")))
		event(j.Submitted, "Submitted from host <fake>, to Queue <normal>, CWD <"+j.Dir+">;")
		event(j.Started, "Dispatched 1 Task(s) on Host(s) <n1>, Allocated 1 Slot(s) on Host(s) <n1>;")
		event(j.Started, "Starting (Pid 4711);")
		switch {
		case j.State != Ended:
		case statLSF(j) == "DONE":
			event(j.Ended, "Done successfully. The CPU time used is 0.1 seconds;")
		case !j.Started.IsZero():
			event(j.Ended, "Exited with exit code "+strconv.Itoa(codeLSF(j))+". The CPU time used is 0.1 seconds;")
			event(j.Ended, "Completed <exit>; "+termLSF(j)+";")
		default:
			event(j.Ended, "Exited; "+termLSF(j)+";")
		}
		c.printOut("\nSummary of time in seconds spent in various states by  %s", time.Now().Format(time.ANSIC))
		c.printOut("  PEND     PSUSP    RUN      USUSP    SSUSP    UNKWN    TOTAL\n  1        0        1        0        0        0        2       ")
	}
	if n == 0 {
		c.code = 255
		c.printErr("No matching job found")
	}
	c.injectFailure(historyFailures)
}

// foldLine breaks a line after 79 signs, wherever that is.
func foldLine(s string, whole bool) string {
	const width, indent = 79, 21
	if whole || len(s) <= width {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:width])
	for s = s[width:]; s != ""; {
		n := min(len(s), width-indent)
		b.WriteString("\n" + strings.Repeat(" ", indent) + s[:n])
		s = s[n:]
	}
	return b.String()
}

func runBkill(c *invocation) {
	for _, id := range c.operands("-s") {
		if c.takeFailure(CancelRefused) {
			c.code = 255
			c.printErr("Job <%s>: User permission denied", id)
			continue
		}
		j := c.findJob(id)
		switch {
		case j == nil || j.Hidden:
			c.code = 255
			c.printErr("Job <%s>: No matching job found", id)
		case j.State == Ended:
			c.code = 255
			c.printErr("Job <%s>: Job has already finished", id)
		case j.User != "":
			c.code = 255
			c.printErr("Job <%s>: User permission denied", id)
		case c.flagValue("-s") == "TERM":
			j.sendSignal(syscall.SIGTERM)
			c.printOut("Job <%s> is being signaled", id)
		default:
			c.cancelJob(j)
			c.printOut("Job <%s> is being terminated", id)
		}
	}
}
