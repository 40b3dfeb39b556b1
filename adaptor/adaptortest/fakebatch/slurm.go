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
	"sbatch":   func(c *call) { c.submit(first(c.operands()), func(j *Job) string { return j.ID }) },
	"squeue":   squeue,
	"sacct":    sacct,
	"scontrol": scontrol,
	"scancel":  scancel,
}

func first(all []string) string {
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

func stamp(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return strconv.FormatInt(t.Unix(), 10)
}

func node(j *Job) string {
	if j.Started.IsZero() {
		return ""
	}
	return "n1"
}

// squeue prints the fields of --format, of which there are these; the header says
// what they are.
func squeue(c *call) {
	format := c.flag("--format")
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
		c.say("%s", b.String())
	}
	if !c.has("--noheader") {
		heads := map[byte]string{'i': "JOBID", 'T': "STATE", 'k': "COMMENT", 'V': "SUBMIT_TIME", 'S': "START_TIME", 'N': "NODELIST", 'r': "REASON", 'l': "TIME_LIMIT", 'j': "NAME"}
		row(func(letter byte) string { return heads[letter] })
	}
	for _, j := range c.mine(false) {
		row(func(letter byte) string {
			return map[byte]string{
				'i': j.ID, 'T': stateSlurm(j), 'k': orNull(j.Token), 'V': stamp(j.Submitted, "N/A"), 'S': stamp(j.Started, "N/A"),
				'N': node(j), 'r': reasonSlurm(j), 'l': limitSlurm(j.Limit), 'j': j.Name,
			}[letter]
		})
	}
	c.listed()
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

// sacct shows what ended too, and what runs; not the comment, which has to be asked
// for with AccountingStorageFlags=job_comment since 21.08. Who asks is root, who sees
// everybody's.
func sacct(c *call) {
	if c.take(HistoryOff) {
		c.refuse(says["slurm"].noHistory)
		return
	}
	fields := strings.Split(c.flag("--format"), ",")
	delimiter := c.flag("--delimiter")
	c.say("%s", strings.Join(fields, delimiter))
	asked := strings.Split(c.flag("--jobs"), ",")
	lags := c.take(HistoryLags)
	jobs := c.shown(true)
	if c.flag("--user") != "" {
		jobs = c.mine(true)
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
			"JobIDRaw": j.ID, "State": state, "ExitCode": exit, "Submit": stamp(j.Submitted, "Unknown"),
			"Start": stamp(j.Started, "None"), "End": stamp(j.Ended, "Unknown"), "NodeList": node(j), "JobName": j.Name, "Reason": "None",
		}
		if value["NodeList"] == "" {
			value["NodeList"] = "None assigned"
		}
		var row []string
		for _, f := range fields {
			row = append(row, value[f])
		}
		c.say("%s", strings.Join(row, delimiter))
	}
	c.faulty(ofHistory)
}

func scontrol(c *call) {
	if c.has("ping") {
		c.say("Slurmctld(primary) at fake is UP")
		return
	}
	if c.has("write") {
		c.batchScript(c.operands()[2])
		return
	}
	for _, id := range c.operands()[2:] {
		j := c.find(id)
		if j == nil || j.Hidden {
			c.code = 1
			c.warn("slurm_load_jobs error: Invalid job id specified")
			continue
		}
		c.say("JobId=%s JobName=%s UserId=%s(1001) GroupId=x(1001) MCS_label=N/A JobState=%s Reason=%s Dependency=(null) Requeue=0 Restarts=%d BatchFlag=1 "+
			"Reboot=0 ExitCode=%d:%d SubmitTime=%s StartTime=%s EndTime=%s NodeList=%s Comment=%s ", j.ID, j.Name, j.user(), stateSlurm(j), reasonSlurm(j),
			max(0, j.Runs-1), j.Exit, j.Signal, stamp(j.Submitted, "Unknown"), stamp(j.Started, "Unknown"), stamp(j.Ended, "Unknown"), orNull(node(j)), j.Token)
	}
}

// batchScript writes a job's script to stdout, also of one that has ended and is shown. It
// exits with 0 also where it cannot, as scontrol of 22.05 was seen to.
func (c *call) batchScript(id string) {
	if c.take(AskFails) {
		c.warn("job script retrieval failed: Unable to contact slurm controller (connect failure)")
		return
	}
	if j := c.find(id); j != nil && !j.Hidden {
		c.say("%s", j.Script)
		return
	}
	c.warn("job script retrieval failed: Invalid job id specified")
}

func scancel(c *call) {
	if c.take(CancelRefused) {
		c.code = 210
		c.warn("scancel: error: Kill job error on job id %s: Access/permission denied", first(c.operands()))
		return
	}
	for _, id := range c.operands() {
		j := c.find(id)
		switch {
		case j == nil || j.State == Ended || j.Hidden:
			if c.flag("--name") != "" {
				c.code = 1
				c.warn("scancel: error: Kill job error on job id %s: Invalid job id specified", id)
			}
		case c.flag("--name") != "" && c.flag("--name") != j.Name:
		case j.User != "":
			c.code = 210
			c.warn("scancel: error: Kill job error on job id %s: Access/permission denied", id)
		case c.has("--batch") && c.flag("--signal") == "TERM":
			j.signal(syscall.SIGTERM)
		default:
			c.cancel(j)
		}
	}
}
