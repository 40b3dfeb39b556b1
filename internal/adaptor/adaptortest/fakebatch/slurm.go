package fakebatch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// slurmCommands are those of SLURM 22.05 with accounting: sbatch(1), squeue(1),
// sacct(1), scontrol(1), scancel(1), https://slurm.schedmd.com/man_index.html; seen:
// an unknown id is an error for scancel only beside --name, and for scontrol.
var slurmCommands = map[string]command{
	"sbatch":   func(c *invocation) { c.submitJob(firstOf(c.operands()), func(j *Job) string { return j.ID }) },
	"squeue":   runSqueue,
	"sacct":    runSacct,
	"scontrol": runScontrol,
	"scancel":  runScancel,
}

func firstOf(all []string) string {
	if len(all) > 0 {
		return all[0]
	}
	return ""
}

// stateSlurm is what SLURM calls a job's state.
func stateSlurm(j *Job) string {
	switch j.State {
	case Queued, Held, Moved:
		return "PENDING"
	case Running:
		return "RUNNING"
	case Suspended:
		return "SUSPENDED"
	case Ended:
	}
	switch {
	case j.Why == Canceled:
		return "CANCELLED"
	case j.Why == Overtime:
		return "TIMEOUT"
	case j.Why == Memory:
		return "OUT_OF_MEMORY"
	case j.Why == NodeFail:
		return "NODE_FAIL"
	case j.Why == Preempted:
		return "PREEMPTED"
	case j.Why == NoStart || j.Exit != 0 || j.Signal != 0:
		return "FAILED"
	}
	return "COMPLETED"
}

func reasonSlurm(j *Job) string {
	switch {
	case j.State == Held:
		return "JobHeldUser" // its own words, whatever the reason is
	case j.Reason != "":
		return j.Reason
	case j.State == Queued:
		return "Resources"
	case j.Why == NoStart:
		return "JobLaunchFailure"
	}
	return "None"
}

func formatEpoch(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return strconv.FormatInt(t.Unix(), 10)
}

func nodeOf(j *Job) string {
	if j.Started.IsZero() {
		return ""
	}
	return "n1"
}

// runSqueue prints the fields of --format, of which there are these; the header says
// what they are.
func runSqueue(c *invocation) {
	format := c.flagValue("--format")
	row := func(field func(letter byte) string) {
		var b strings.Builder
		for i := 0; i < len(format); i++ {
			if format[i] == '%' && i+1 < len(format) {
				i++
				b.WriteString(field(format[i]))
				continue
			}
			b.WriteByte(format[i])
		}
		c.printOut("%s", b.String())
	}
	if !c.hasFlag("--noheader") {
		heads := map[byte]string{'i': "JOBID", 'T': "STATE", 'k': "COMMENT", 'V': "SUBMIT_TIME", 'S': "START_TIME", 'N': "NODELIST", 'r': "REASON", 'l': "TIME_LIMIT", 'j': "NAME"}
		row(func(letter byte) string { return heads[letter] })
	}
	for _, j := range c.ownJobs(false) {
		row(func(letter byte) string {
			return map[byte]string{
				'i': j.ID, 'T': stateSlurm(j), 'k': orNull(j.Token), 'V': formatEpoch(j.Submitted, "N/A"), 'S': formatEpoch(j.Started, "N/A"),
				'N': nodeOf(j), 'r': reasonSlurm(j), 'l': limitSlurm(j.Limit), 'j': j.Name,
			}[letter]
		})
	}
	c.finishListing()
}

// limitSlurm is days-hours:minutes:seconds, shortened at its beginning.
func limitSlurm(d time.Duration) string {
	if d == 0 {
		return "UNLIMITED"
	}
	days, s := d/(24*time.Hour), int(d.Seconds())%86400
	switch {
	case days > 0:
		return fmt.Sprintf("%d-%02d:%02d:%02d", days, s/3600, s/60%60, s%60)
	case s >= 3600:
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func orNull(s string) string {
	if s == "" {
		return "(null)"
	}
	return s
}

// runSacct shows what ended too, and what runs; not the comment, which has to be asked
// for with AccountingStorageFlags=job_comment since 21.08. Who asks is root, who sees
// everybody's.
func runSacct(c *invocation) {
	if c.takeFailure(HistoryOff) {
		c.replyWith(repliesOf["slurm"].noHistory)
		return
	}
	fields := strings.Split(c.flagValue("--format"), ",")
	delimiter := c.flagValue("--delimiter")
	c.printOut("%s", strings.Join(fields, delimiter))
	asked := strings.Split(c.flagValue("--jobs"), ",")
	lags := c.takeFailure(HistoryLags)
	jobs := c.listedJobs(true)
	if c.flagValue("--user") != "" {
		jobs = c.ownJobs(true)
	}
	for _, j := range jobs {
		if asked[0] != "" && !slices.Contains(asked, j.ID) || lags && j.State == Ended {
			continue
		}
		state := stateSlurm(j)
		if state == "CANCELLED" {
			state += " by 1001"
		}
		exit := fmt.Sprintf("%d:%d", j.Exit, j.Signal)
		if j.Why == NoStart {
			exit = "0:53"
		}
		value := map[string]string{
			"JobIDRaw": j.ID, "State": state, "ExitCode": exit, "Submit": formatEpoch(j.Submitted, "Unknown"),
			"Start": formatEpoch(j.Started, "None"), "End": formatEpoch(j.Ended, "Unknown"), "NodeList": nodeOf(j), "JobName": j.Name, "Reason": "None",
		}
		if value["NodeList"] == "" {
			value["NodeList"] = "None assigned"
		}
		var row []string
		for _, f := range fields {
			row = append(row, value[f])
		}
		c.printOut("%s", strings.Join(row, delimiter))
	}
	c.injectFailure(historyFailures)
}

func runScontrol(c *invocation) {
	if c.hasFlag("ping") {
		c.printOut("Slurmctld(primary) at fake is UP")
		return
	}
	if c.hasFlag("write") {
		c.printScript(c.operands()[2])
		return
	}
	for _, id := range c.operands()[2:] {
		j := c.findJob(id)
		if j == nil || j.Hidden {
			c.code = 1
			c.printErr("slurm_load_jobs error: Invalid job id specified")
			continue
		}
		c.printOut("JobId=%s JobName=%s UserId=%s(1001) GroupId=x(1001) MCS_label=N/A JobState=%s Reason=%s Dependency=(null) Requeue=0 Restarts=%d BatchFlag=1 "+
			"Reboot=0 ExitCode=%d:%d SubmitTime=%s StartTime=%s EndTime=%s NodeList=%s Comment=%s ", j.ID, j.Name, j.userName(), stateSlurm(j), reasonSlurm(j),
			max(0, j.Runs-1), j.Exit, j.Signal, formatEpoch(j.Submitted, "Unknown"), formatEpoch(j.Started, "Unknown"), formatEpoch(j.Ended, "Unknown"), orNull(nodeOf(j)), j.Token)
	}
}

// printScript writes a job's script to stdout, also of one that has ended and is shown. It
// exits with 0 also where it cannot, as scontrol of 22.05 was seen to.
func (c *invocation) printScript(id string) {
	if c.takeFailure(AskFails) {
		c.printErr("job script retrieval failed: Unable to contact slurm controller (connect failure)")
		return
	}
	if j := c.findJob(id); j != nil && !j.Hidden {
		c.printOut("%s", j.Script)
		return
	}
	c.printErr("job script retrieval failed: Invalid job id specified")
}

func runScancel(c *invocation) {
	if c.takeFailure(CancelRefused) {
		c.code = 210
		c.printErr("scancel: error: Kill job error on job id %s: Access/permission denied", firstOf(c.operands()))
		return
	}
	for _, id := range c.operands() {
		j := c.findJob(id)
		switch {
		case j == nil || j.State == Ended || j.Hidden:
			if c.flagValue("--name") != "" {
				c.code = 1
				c.printErr("scancel: error: Kill job error on job id %s: Invalid job id specified", id)
			}
		case c.flagValue("--name") != "" && c.flagValue("--name") != j.Name:
		case j.User != "":
			c.code = 210
			c.printErr("scancel: error: Kill job error on job id %s: Access/permission denied", id)
		case c.hasFlag("--batch") && c.flagValue("--signal") == "TERM":
			j.sendSignal(syscall.SIGTERM)
		default:
			c.cancelJob(j)
		}
	}
}
