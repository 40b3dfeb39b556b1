package fakebatch

import (
	"strings"
	"time"
)

// cobaltCommands are those of Cobalt 1.0: qsub, qstat -l, qdel,
// https://github.com/ido/cobalt/tree/master/src/clients/POSIX. What has ended is
// nowhere to be seen.
var cobaltCommands = map[string]command{
	"qsub":  runQsubCobalt,
	"qstat": runQstatCobalt,
	"qdel":  runQdelCobalt,
}

func runQsubCobalt(c *invocation) {
	c.submitJob(firstOf(c.operands("--mode")), func(j *Job) string { return "Job routed to queue \"default\".\n" + j.ID })
}

func runQstatCobalt(c *invocation) {
	if c.hasFlag("-Q") {
		c.printOut("Name     Users  MinTime  MaxTime  MaxRunning  State\n===================================================")
		return
	}
	header := strings.Split(c.flagValue("--header"), ":")
	widest := 0
	for _, h := range header {
		widest = max(widest, len(h))
	}
	for _, j := range c.listedJobs(false) {
		if user := c.flagValue("-u"); j.State == Ended || user != "" && user != j.userName() {
			continue
		}
		value := map[string]string{
			"JobID": j.ID, "JobName": j.Name, "User": j.userName(), "SubmitTime": stampCobalt(j.Submitted), "StartTime": stampCobalt(j.Started),
			"Location": orNone(nodeOf(j)), "Envs": "PILOT_TOKEN=" + j.Token,
			"State": map[State]string{Queued: "queued", Held: "user_hold", Running: "running", Suspended: "preempted", Moved: "queued"}[j.State],
		}
		if j.State == Running && !j.Doomed.IsZero() {
			value["State"] = "killing"
		}
		for i, h := range header {
			if i == 0 {
				c.printOut("%s: %s", h, value[h])
				continue
			}
			c.printOut("    %-*s : %s", widest, h, value[h])
		}
		c.printOut("")
	}
	c.finishListing()
}

func orNone(s string) string {
	if s == "" {
		return "None"
	}
	return s
}

func stampCobalt(t time.Time) string {
	if t.IsZero() {
		return "N/A"
	}
	return t.Local().Format("Mon Jan 02 15:04:05 2006 -0700 (MST)") //nolint:gosmopolitan // of the process's zone
}

// runQdelCobalt exits with 0 whatever it finds.
func runQdelCobalt(c *invocation) {
	for _, id := range c.operands() {
		j := c.findJob(id)
		switch {
		case c.takeFailure(CancelRefused):
			c.code = 1
			c.printErr("*** FATAL EXCEPTION: <Fault 1001: 'not permitted'> ***")
		case j == nil || j.State == Ended || j.User != "":
			c.printOut("qdel: Job %s not found", id)
		default:
			c.cancelJob(j)
			c.printOut("      Deleted Jobs\nJobID  User  \n=============\n%-5s  %-4s", id, currentUser())
		}
	}
}
