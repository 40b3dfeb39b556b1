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

type glossEntry struct {
	pattern *regexp.Regexp
	Gloss
}

func newGlossEntry(pattern, meaning, hint string) glossEntry {
	return glossEntry{regexp.MustCompile(`^(?:` + pattern + `)`), Gloss{meaning, hint, strings.Contains(meaning, "never start")}}
}

// reasonGlosses, first match first. SLURM: squeue(1), JOB REASON CODES, as of 25.05; PBS:
// PBS Professional Reference Guide, section 8, and pbs_sched's comments; LSF:
// bjobs -p; Cobalt and Grid Engine tell by their states.
var reasonGlosses = []glossEntry{
	newGlossEntry(`Resources$`, "it is next, and waits until enough nodes are free", ""),
	newGlossEntry(`Priority$`, "jobs with a higher priority come first", ""),
	newGlossEntry(`DependencyNeverSatisfied`, "it depends on a job that ended otherwise: it will never start",
		"cancel it, for it cannot start any more"),
	newGlossEntry(`Dependency`, "it waits for another job to end", ""),
	newGlossEntry(`JobHeldUser`, "its owner holds it back", "release it: scontrol release JOB"),
	newGlossEntry(`JobHeldAdmin`, "an administrator holds it back", "ask the site's support"),
	newGlossEntry(`BeginTime`, "its earliest start has not come yet", ""),
	newGlossEntry(`PartitionTimeLimit`, "it asks for more time than its queue allows", "ask for less runtime, or another queue"),
	newGlossEntry(`PartitionNodeLimit`, "it asks for more, or fewer, nodes than its queue allows", "ask for another size, or another queue"),
	newGlossEntry(`PartitionDown|PartitionInactive`, "its queue starts no jobs at the moment", "try another queue"),
	newGlossEntry(`ReqNodeNotAvail`, "nodes that it needs are down, drained or reserved, perhaps for a maintenance that its runtime reaches into",
		"ask for less runtime, or see the site's announcements"),
	newGlossEntry(`NodeDown`, "a node that it needs is down", ""),
	newGlossEntry(`BadConstraints`, "no node is as it demands", "see the constraints of the resource: flightlog resource show"),
	newGlossEntry(`Reservation(Deleted|Invalid)`, "the reservation that it names is not there", "submit it without, or for another one"),
	newGlossEntry(`Reservation`, "it waits for its reservation to begin", ""),
	newGlossEntry(`Licenses`, "it waits for a licence", ""),
	newGlossEntry(`InvalidAccount|InvalidQOS`, "its project, or its quality of service, is not valid", "see the project and queue it was submitted with"),
	newGlossEntry(`(QOS|Assoc)(Max|Min)\w*PerJob\w*|(QOS|Assoc)MaxWall\w*|\w*MaxWallDuration\w*`, "alone it asks for more than its user or project may have",
		"ask for less, or another queue"),
	newGlossEntry(`QOSMaxJobsPerUserLimit|AssocMaxJobsLimit|MaxJobsPerAccount|(QOS|Assoc)(Max|Grp)\w*Jobs\w*`,
		"its user or project has as many jobs running as it may", ""),
	newGlossEntry(`QOSMaxSubmitJob|AssocMaxSubmitJob|(QOS|Assoc)\w*Submit\w*`, "its user or project has as many jobs as it may", ""),
	newGlossEntry(`(QOS|Assoc)(Max|Grp)\w*(Minutes|Mins)\w*`, "the budget of its user or project is used up", "ask for less, or another project"),
	newGlossEntry(`(QOS|Assoc)(Max|Grp)\w*`, "its user or project has as much running as it may", ""),
	newGlossEntry(`Cleaning`, "it was requeued, and what was left of it is being cleaned up", ""),
	newGlossEntry(`(JobLaunchFailure|launch failed requeued held)`, "it could not be started and was put on hold",
		"see why on its node, then release it: scontrol release JOB"),
	newGlossEntry(`Prolog`, "its node is being prepared", ""),
	newGlossEntry(`FrontEndDown|Nodes required for job are`, "nodes that it needs are down, drained or reserved", ""),

	newGlossEntry(`Can Never Run`, "it asks for what this system cannot give: it will never start", "cancel it, and ask for less or another queue"),
	newGlossEntry(`Not Running: Insufficient amount of resource`, "it waits until enough is free", ""),
	newGlossEntry(`Not Running: (User|Group|Project) has reached|Not Running: .*run limit`, "its user or project has as much running as it may", ""),
	newGlossEntry(`Not Running: (Job is requesting an exclusive node|Node is in an ineligible state|Not enough free nodes)`,
		"it waits until enough nodes are free", ""),
	newGlossEntry(`Not Running: Queue (is )?not (started|enabled)`, "its queue starts no jobs at the moment", "try another queue"),
	newGlossEntry(`Not Running: (Job would (conflict|cross)|Dedicated time)`, "a reservation or maintenance comes before it would end", "ask for less runtime"),
	newGlossEntry(`Not Running`, "its scheduler has not started it yet", ""),

	newGlossEntry(`New job is waiting for scheduling`, "its scheduler has not looked at it yet", ""),
	newGlossEntry(`Job dependency condition`, "it waits for another job to end", ""),
	newGlossEntry(`(The user|User|User group|Project|Queue|The queue)\W.*(limit|slots?)\W.*reached|.*(slot|job) limit`,
		"its user, project or queue has as much running as it may", ""),
	newGlossEntry(`The job was suspended by (the )?(user|admin|job's owner)`, "somebody holds it back", "release it: bresume JOB"),
	newGlossEntry(`Job requirements? (for|on) resource|Not enough (hosts|slots|processors)|Not enough`, "it waits until enough is free", ""),
}

// stateGlosses are of Grid Engine (qstat(1)), PBS and Cobalt: their words tell alone.
var stateGlosses = []glossEntry{
	newGlossEntry(`\w*E\w*qw`, "it could not be started and was put on hold",
		"see why with qstat -j JOB, then clear it with qmod -cj JOB"),
	newGlossEntry(`h\w*qw|hr|H$|user_hold|admin_hold|dep_hold|PSUSP`, "somebody holds it back, or another job has to end first", ""),
	newGlossEntry(`qw|Q$|PEND|queued`, "it waits in the queue", ""),
	newGlossEntry(`t$|starting|E$|exiting`, "it is about to start, or to end", ""),
}

// phaseMeanings are for words that are not known here.
var phaseMeanings = map[string]string{
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
	for _, e := range reasonGlosses {
		if e.pattern.MatchString(reason) {
			return e.Gloss, true
		}
	}
	switch phase {
	case "queued", "held":
		for _, e := range stateGlosses {
			if e.pattern.MatchString(state) {
				return e.Gloss, true
			}
		}
	}
	meaning, ok := phaseMeanings[phase]
	return Gloss{Meaning: meaning}, ok
}
