package fakebatch

import (
	"strings"
	"time"
)

// cobaltCommands are those of Cobalt 1.0: qsub, qstat -l, qdel,
// https://github.com/ido/cobalt/tree/master/src/clients/POSIX. What has ended is
// nowhere to be seen.
var cobaltCommands = map[string]command{
	"qsub":  qsubCobalt,
	"qstat": qstatCobalt,
	"qdel":  qdelCobalt,
}

func qsubCobalt(c *call) {
	c.submit(first(c.operands("--mode")), func(j *Job) string { return "Job routed to queue \"default\".\n" + j.ID })
}

func qstatCobalt(c *call) {
	if c.has("-Q") {
		c.say("Name     Users  MinTime  MaxTime  MaxRunning  State\n===================================================")
		return
	}
	header := strings.Split(c.flag("--header"), ":")
	widest := 0
	for _, h := range header {
		widest = max(widest, len(h))
	}
	for _, j := range c.shown(false) {
		if user := c.flag("-u"); j.State == Ended || user != "" && user != j.user() {
			continue
		}
		value := map[string]string{
			"JobID": j.ID, "JobName": j.Name, "User": j.user(), "SubmitTime": stampCobalt(j.Submitted), "StartTime": stampCobalt(j.Started),
			"Location": orNone(node(j)), "Envs": "PILOT_TOKEN=" + j.Token,
			"State": map[State]string{Queued: "queued", Held: "user_hold", Running: "running", Suspended: "preempted", Moved: "queued"}[j.State],
		}
		if j.State == Running && !j.Doomed.IsZero() {
			value["State"] = "killing"
		}
		for i, h := range header {
			if i == 0 {
				c.say("%s: %s", h, value[h])
				continue
			}
			c.say("    %-*s : %s", widest, h, value[h])
		}
		c.say("")
	}
	c.listed()
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

// qdelCobalt exits with 0 whatever it finds.
func qdelCobalt(c *call) {
	for _, id := range c.operands() {
		j := c.find(id)
		switch {
		case c.take(CancelRefused):
			c.code = 1
			c.warn("*** FATAL EXCEPTION: <Fault 1001: 'not permitted'> ***")
		case j == nil || j.State == Ended || j.User != "":
			c.say("qdel: Job %s not found", id)
		default:
			c.cancel(j)
			c.say("      Deleted Jobs\nJobID  User  \n=============\n%-5s  %-4s", id, me())
		}
	}
}
