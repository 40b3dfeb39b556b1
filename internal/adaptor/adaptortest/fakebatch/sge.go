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
	"qsub": func(c *invocation) {
		c.submitJob(firstOf(c.operands()), func(j *Job) string {
			if c.hasFlag("-terse") {
				return j.ID
			}
			return fmt.Sprintf("Your job %s (%q) has been submitted", j.ID, j.Name)
		})
	},
	"qstat": runQstatSGE,
	"qacct": runQacct,
	"qdel":  runQdelSGE,
	"qconf": func(c *invocation) { c.printOut("localhost") },
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

func runQstatSGE(c *invocation) {
	if ids := c.flagValue("-j"); ids != "" {
		if c.takeFailure(AskFails) {
			c.replyWith(repliesOf["sge"].broken)
			return
		}
		for id := range strings.SplitSeq(ids, ",") {
			c.printDetail(id)
		}
		return
	}
	c.printOut("<?xml version='1.0'?>")
	c.printOut(`<job_info  xmlns:xsd="http://arc.liv.ac.uk/repos/darcs/sge/source/dist/util/resources/schemas/qstat/qstat.xsd">`)
	ended := strings.Contains(c.flagValue("-s"), "z")
	for _, list := range []string{"queue_info", "job_info"} {
		c.printOut("  <%s>", list)
		for _, j := range c.ownJobs(false) {
			runs := j.State == Running || j.State == Suspended
			if runs == (list == "queue_info") && (j.State != Ended || ended) {
				c.printJobList(j, runs)
			}
		}
		c.printOut("  </%s>", list)
	}
	c.printOut("</job_info>")
	c.finishListing()
}

func (c *invocation) printJobList(j *Job, runs bool) {
	kind := map[bool]string{true: "running", false: "pending"}[runs]
	at, stamp, queue := "JB_submission_time", j.Submitted, ""
	if runs {
		at, stamp, queue = "JAT_start_time", j.Started, "main.q@n1"
	}
	c.printOut(`    <job_list state="%s">`, kind)
	for _, e := range [][2]string{
		{"JB_job_number", j.ID},
		{"JAT_prio", "0.50000"},
		{"JB_name", j.Name},
		{"JB_owner", j.userName()},
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
		c.printOut("      <%s>%s</%s>", e[0], b.String(), e[0])
	}
	if c.hasFlag("-r") && j.Limit > 0 {
		c.printOut(`      <hard_request name="h_rt" resource_contribution="0.000000">%d</hard_request>`, int(j.Limit.Seconds()))
	}
	c.printOut("    </job_list>")
}

func (c *invocation) printDetail(id string) {
	j := c.findJob(id)
	if j == nil || j.State == Ended {
		c.code = 1
		c.printErr("Following jobs do not exist: \n%s", id)
		return
	}
	c.printOut("==============================================================")
	c.printOut("job_number:                 %s", j.ID)
	c.printOut("job_name:                   %s", j.Name)
	c.printOut("context:                    PILOT_TOKEN=%s,A=b", j.Context)
	if j.Reason != "" {
		c.printOut("error reason          1:      11/22/2026 23:59:11 [1001:11733]: error: %s", j.Reason)
	}
}

// runQacct lists what has run, in blocks; a job asked for by id that is not there is an
// error.
func runQacct(c *invocation) {
	if c.takeFailure(HistoryOff) {
		c.replyWith(repliesOf["sge"].noHistory)
		return
	}
	lags := c.takeFailure(HistoryLags)
	for _, j := range c.ownJobs(true) {
		if j.State != Ended || j.Started.IsZero() || lags {
			continue
		}
		failed, status := exitSGE(j)
		took := j.Ended.Sub(j.Started)
		if j.Why == Overtime {
			took = max(took, j.Limit)
		}
		c.printOut("==============================================================")
		for _, f := range [][2]string{
			{"qname", "main.q"},
			{"hostname", "n1"},
			{"owner", j.userName()},
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
			c.printOut("%-12s %-20s", f[0], f[1])
		}
	}
	c.printOut("OWNER     WALLCLOCK         UTIME         STIME           CPU             MEMORY                 IO                IOW")
	c.printOut("%s", strings.Repeat("=", 118))
	c.printOut("%-10s        1         0.112         0.176         0.288              0.000              0.000              0.000", currentUser())
	c.injectFailure(historyFailures)
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

func runQdelSGE(c *invocation) {
	for _, id := range c.operands() {
		if c.takeFailure(CancelRefused) {
			c.code = 1
			c.printOut("%s - you do not have the necessary privileges to delete the job %q", currentUser(), id)
			continue
		}
		j := c.findJob(id)
		switch {
		case j == nil || j.State == Ended:
			c.code = 1
			c.printOut("denied: job %q does not exist", id)
		case j.User != "":
			c.code = 1
			c.printOut("%s - you do not have the necessary privileges to delete the job %q", currentUser(), id)
		case !j.Doomed.IsZero() || j.Late > 0:
			c.printOut("job %s is already in deletion", id)
		case j.State == Queued || j.State == Held:
			c.cancelJob(j)
			c.printErr("%s has deleted job %s", currentUser(), id)
		default:
			c.cancelJob(j)
			c.printErr("%s has registered the job %s for deletion", currentUser(), id)
		}
	}
}
