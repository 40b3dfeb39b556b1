package explain

import (
	"regexp"
	"strings"
)

// Gloss is what a batch system's word means to somebody who does not know it.
type Gloss struct {
	Meaning string
	Hint    string // what can be done, about JOB; empty: nothing but wait
	Never   bool   // as it is, it will not start
}

type entry struct {
	pattern *regexp.Regexp
	Gloss
}

func on(pattern, meaning, hint string) entry {
	return entry{regexp.MustCompile(`^(?:` + pattern + `)`), Gloss{meaning, hint, strings.Contains(meaning, "never start")}}
}

// reasons, first match first. SLURM: squeue(1), JOB REASON CODES, as of 25.05; PBS:
// PBS Professional Reference Guide, section 8, and pbs_sched's comments; LSF:
// bjobs -p; Cobalt and Grid Engine tell by their states.
var reasons = []entry{
	on(`Resources$`, "it is next, and waits until enough nodes are free", ""),
	on(`Priority$`, "jobs with a higher priority come first", ""),
	on(`DependencyNeverSatisfied`, "it depends on a job that ended otherwise: it will never start",
		"cancel it, for it cannot start any more"),
	on(`Dependency`, "it waits for another job to end", ""),
	on(`JobHeldUser`, "its owner holds it back", "release it: scontrol release JOB"),
	on(`JobHeldAdmin`, "an administrator holds it back", "ask the site's support"),
	on(`BeginTime`, "its earliest start has not come yet", ""),
	on(`PartitionTimeLimit`, "it asks for more time than its queue allows", "ask for less runtime, or another queue"),
	on(`PartitionNodeLimit`, "it asks for more, or fewer, nodes than its queue allows", "ask for another size, or another queue"),
	on(`PartitionDown|PartitionInactive`, "its queue starts no jobs at the moment", "try another queue"),
	on(`ReqNodeNotAvail`, "nodes that it needs are down, drained or reserved, perhaps for a maintenance that its runtime reaches into",
		"ask for less runtime, or see the site's announcements"),
	on(`NodeDown`, "a node that it needs is down", ""),
	on(`BadConstraints`, "no node is as it demands", "see the constraints of the resource: flightlog resource show"),
	on(`Reservation(Deleted|Invalid)`, "the reservation that it names is not there", "submit it without, or for another one"),
	on(`Reservation`, "it waits for its reservation to begin", ""),
	on(`Licenses`, "it waits for a licence", ""),
	on(`InvalidAccount|InvalidQOS`, "its project, or its quality of service, is not valid", "see the project and queue it was submitted with"),
	on(`(QOS|Assoc)(Max|Min)\w*PerJob\w*|(QOS|Assoc)MaxWall\w*|\w*MaxWallDuration\w*`, "alone it asks for more than its user or project may have",
		"ask for less, or another queue"),
	on(`QOSMaxJobsPerUserLimit|AssocMaxJobsLimit|MaxJobsPerAccount|(QOS|Assoc)(Max|Grp)\w*Jobs\w*`,
		"its user or project has as many jobs running as it may", ""),
	on(`QOSMaxSubmitJob|AssocMaxSubmitJob|(QOS|Assoc)\w*Submit\w*`, "its user or project has as many jobs as it may", ""),
	on(`(QOS|Assoc)(Max|Grp)\w*(Minutes|Mins)\w*`, "the budget of its user or project is used up", "ask for less, or another project"),
	on(`(QOS|Assoc)(Max|Grp)\w*`, "its user or project has as much running as it may", ""),
	on(`Cleaning`, "it was requeued, and what was left of it is being cleaned up", ""),
	on(`(JobLaunchFailure|launch failed requeued held)`, "it could not be started and was put on hold",
		"see why on its node, then release it: scontrol release JOB"),
	on(`Prolog`, "its node is being prepared", ""),
	on(`FrontEndDown|Nodes required for job are`, "nodes that it needs are down, drained or reserved", ""),

	on(`Can Never Run`, "it asks for what this system cannot give: it will never start", "cancel it, and ask for less or another queue"),
	on(`Not Running: Insufficient amount of resource`, "it waits until enough is free", ""),
	on(`Not Running: (User|Group|Project) has reached|Not Running: .*run limit`, "its user or project has as much running as it may", ""),
	on(`Not Running: (Job is requesting an exclusive node|Node is in an ineligible state|Not enough free nodes)`,
		"it waits until enough nodes are free", ""),
	on(`Not Running: Queue (is )?not (started|enabled)`, "its queue starts no jobs at the moment", "try another queue"),
	on(`Not Running: (Job would (conflict|cross)|Dedicated time)`, "a reservation or maintenance comes before it would end", "ask for less runtime"),
	on(`Not Running`, "its scheduler has not started it yet", ""),

	on(`New job is waiting for scheduling`, "its scheduler has not looked at it yet", ""),
	on(`Job dependency condition`, "it waits for another job to end", ""),
	on(`(The user|User|User group|Project|Queue|The queue)\W.*(limit|slots?)\W.*reached|.*(slot|job) limit`,
		"its user, project or queue has as much running as it may", ""),
	on(`The job was suspended by (the )?(user|admin|job's owner)`, "somebody holds it back", "release it: bresume JOB"),
	on(`Job requirements? (for|on) resource|Not enough (hosts|slots|processors)|Not enough`, "it waits until enough is free", ""),
}

// states are of Grid Engine (qstat(1)), PBS and Cobalt: their words tell alone.
var states = []entry{
	on(`\w*E\w*qw`, "it could not be started and was put on hold",
		"see why with qstat -j JOB, then clear it with qmod -cj JOB"),
	on(`h\w*qw|hr|H$|user_hold|admin_hold|dep_hold|PSUSP`, "somebody holds it back, or another job has to end first", ""),
	on(`qw|Q$|PEND|queued`, "it waits in the queue", ""),
	on(`t$|starting|E$|exiting`, "it is about to start, or to end", ""),
}

// phases are for words that are not known here.
var phases = map[string]string{
	"queued": "it waits in the queue", "held": "it is held back", "suspended": "it was stopped for a while",
	"completing": "it is about to end", "running": "its job runs",
	"vanished": "its batch system does not show it, which is no proof of an end",
}

// Words splits what the log keeps of a job's state: state (reason).
func Words(native string) (state, reason string) {
	state, rest, ok := strings.Cut(native, " (")
	if !ok {
		return native, ""
	}
	return state, strings.TrimSuffix(rest, ")")
}

// Of gives the meaning of a job's state; false where the words are not known here.
func Of(phase, native string) (Gloss, bool) {
	state, reason := Words(native)
	for _, e := range reasons {
		if e.pattern.MatchString(reason) {
			return e.Gloss, true
		}
	}
	switch phase {
	case "queued", "held":
		for _, e := range states {
			if e.pattern.MatchString(state) {
				return e.Gloss, true
			}
		}
	}
	meaning, ok := phases[phase]
	return Gloss{Meaning: meaning}, ok
}
