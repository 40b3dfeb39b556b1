package fakebatch

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sgeCommands are those of Son of Grid Engine 8.1.9: qsub(1), qstat(1), qacct(1),
// qdel(1), qconf(1), https://manpages.debian.org/bookworm/gridengine-client/. Seen: a
// job that was deleted before it ran is in no accounting; qdel tells of unknown jobs
// on stdout; a job whose output cannot be opened stays in the queue in error.
var sgeCommands = map[string]command{
	"qsub": func(c *call) {
		c.submit(first(c.operands()), func(j *Job) string {
			if c.has("-terse") {
				return j.ID
			}
			return fmt.Sprintf("Your job %s (%q) has been submitted", j.ID, j.Name)
		})
	},
	"qstat": qstatSGE,
	"qacct": qacct,
	"qdel":  qdelSGE,
	"qconf": func(c *call) { c.say("localhost") },
}

func stateSGE(j *Job) string {
	restarted := ""
	if j.Runs > 1 || j.Runs == 1 && j.State == Queued {
		restarted = "R"
	}
	switch {
	case j.State == Held && strings.HasPrefix(j.Reason, "can't open"):
		return "Eqw"
	case j.State == Held:
		return "hqw"
	case j.State == Queued && restarted != "":
		return "Rq"
	case j.State == Running && !j.Doomed.IsZero():
		return "d" + restarted + "r"
	}
	return map[State]string{Queued: "qw", Moved: "qw", Running: restarted + "r", Suspended: "s", Ended: "z"}[j.State]
}

func qstatSGE(c *call) {
	if ids := c.flag("-j"); ids != "" {
		if c.take(AskFails) {
			c.refuse(says["sge"].broken)
			return
		}
		for id := range strings.SplitSeq(ids, ",") {
			c.detail(id)
		}
		return
	}
	c.say("<?xml version='1.0'?>")
	c.say(`<job_info  xmlns:xsd="http://arc.liv.ac.uk/repos/darcs/sge/source/dist/util/resources/schemas/qstat/qstat.xsd">`)
	ended := strings.Contains(c.flag("-s"), "z")
	for _, list := range []string{"queue_info", "job_info"} {
		c.say("  <%s>", list)
		for _, j := range c.mine(false) {
			runs := j.State == Running || j.State == Suspended
			if runs == (list == "queue_info") && (j.State != Ended || ended) {
				c.jobList(j, runs)
			}
		}
		c.say("  </%s>", list)
	}
	c.say("</job_info>")
	c.listed()
}

func (c *call) jobList(j *Job, runs bool) {
	kind := map[bool]string{true: "running", false: "pending"}[runs]
	at, stamp, queue := "JB_submission_time", j.Submitted, ""
	if runs {
		at, stamp, queue = "JAT_start_time", j.Started, "main.q@n1"
	}
	c.say(`    <job_list state="%s">`, kind)
	for _, e := range [][2]string{
		{"JB_job_number", j.ID},
		{"JAT_prio", "0.50000"},
		{"JB_name", j.Name},
		{"JB_owner", j.user()},
		{"state", stateSGE(j)},
		{at, stamp.Local().Format("2006-01-02T15:04:05")}, //nolint:gosmopolitan // qstat's is of the process's zone
		{"queue_name", queue},
		{"slots", "1"},
		{"full_job_name", j.Name},
	} {
		var b strings.Builder
		if err := xml.EscapeText(&b, []byte(e[1])); err != nil {
			panic(err)
		}
		c.say("      <%s>%s</%s>", e[0], b.String(), e[0])
	}
	if c.has("-r") && j.Limit > 0 {
		c.say(`      <hard_request name="h_rt" resource_contribution="0.000000">%d</hard_request>`, int(j.Limit.Seconds()))
	}
	c.say("    </job_list>")
}

func (c *call) detail(id string) {
	j := c.find(id)
	if j == nil || j.State == Ended {
		c.code = 1
		c.warn("Following jobs do not exist: \n%s", id)
		return
	}
	c.say("==============================================================")
	c.say("job_number:                 %s", j.ID)
	c.say("job_name:                   %s", j.Name)
	c.say("context:                    PILOT_TOKEN=%s,A=b", j.Context)
	if j.Reason != "" {
		c.say("error reason          1:      11/22/2026 23:59:11 [1001:11733]: error: %s", j.Reason)
	}
}

// qacct lists what has run, in blocks; a job asked for by id that is not there is an
// error.
func qacct(c *call) {
	if c.take(HistoryOff) {
		c.refuse(says["sge"].noHistory)
		return
	}
	lags := c.take(HistoryLags)
	for _, j := range c.mine(true) {
		if j.State != Ended || j.Started.IsZero() || lags {
			continue
		}
		failed, status := exitSGE(j)
		took := j.Ended.Sub(j.Started)
		if j.Why == Overtime {
			took = max(took, j.Limit)
		}
		c.say("==============================================================")
		for _, f := range [][2]string{
			{"qname", "main.q"},
			{"hostname", "n1"},
			{"owner", j.user()},
			{"jobname", j.Name},
			{"jobnumber", j.ID},
			{"taskid", "undefined"},
			{"qsub_time", j.Submitted.Local().Format(time.ANSIC)}, //nolint:gosmopolitan // ctime(3)
			{"start_time", j.Started.Local().Format(time.ANSIC)},  //nolint:gosmopolitan // ctime(3)
			{"end_time", j.Ended.Local().Format(time.ANSIC)},      //nolint:gosmopolitan // ctime(3)
			{"granted_pe", "NONE"},
			{"slots", "1"},
			{"failed", failed},
			{"exit_status", status},
			{"ru_wallclock", strconv.Itoa(int(took.Seconds())) + "s"},
			{"maxvmem", map[bool]string{true: "2.000GB", false: "4.844MB"}[j.Why == Memory]},
			{"category", fmt.Sprintf("-l h_rt=%d,h_vmem=1G", int(j.Limit.Seconds()))},
		} {
			c.say("%-12s %-20s", f[0], f[1])
		}
	}
	c.say("OWNER     WALLCLOCK         UTIME         STIME           CPU             MEMORY                 IO                IOW")
	c.say("%s", strings.Repeat("=", 118))
	c.say("%-10s        1         0.112         0.176         0.288              0.000              0.000              0.000", me())
	c.faulty(ofHistory)
}

// exitSGE: accounting(5), "failed" and "exit_status".
func exitSGE(j *Job) (failed, status string) {
	switch {
	case j.Why == Overtime || j.Why == Memory:
		return "37  : qmaster enforced h_rt, h_cpu, or h_vmem limit", "137                  (Killed)"
	case j.Why == NodeFail:
		return "21  : in recognizing job", "0"
	case j.Signal != 0:
		return "100 : assumedly after job", fmt.Sprintf("%d                  (%v)", 128+j.Signal, syscall.Signal(j.Signal))
	}
	return "0", strconv.Itoa(j.Exit)
}

func qdelSGE(c *call) {
	for _, id := range c.operands() {
		if c.take(CancelRefused) {
			c.code = 1
			c.say("%s - you do not have the necessary privileges to delete the job %q", me(), id)
			continue
		}
		j := c.find(id)
		switch {
		case j == nil || j.State == Ended:
			c.code = 1
			c.say("denied: job %q does not exist", id)
		case j.User != "":
			c.code = 1
			c.say("%s - you do not have the necessary privileges to delete the job %q", me(), id)
		case !j.Doomed.IsZero() || j.Late > 0:
			c.say("job %s is already in deletion", id)
		case j.State == Queued || j.State == Held:
			c.cancel(j)
			c.warn("%s has deleted job %s", me(), id)
		default:
			c.cancel(j)
			c.warn("%s has registered the job %s for deletion", me(), id)
		}
	}
}
